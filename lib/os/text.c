/*
 * text.c - see text.h.
 */
#include "os/text.h"

#include <string.h>

#include "os/os.h"

enum { DIGITS_MAX = 20 };

void pm_text_clear(struct pm_text *text)
{
    text->length = 0;
}

void pm_text_add_bytes(struct pm_text *text, const char *bytes, size_t length)
{
    size_t room = sizeof text->bytes - text->length;
    if (length > room)
        length = room;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void pm_text_add(struct pm_text *text, const char *string)
{
    pm_text_add_bytes(text, string, strlen(string));
}

/* The digits of `number` at the end of `digits`; returns how many. */
static size_t digits_of(uint64_t number, unsigned base, char digits[DIGITS_MAX])
{
    size_t count = 0;
    do {
        digits[DIGITS_MAX - ++count] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    return count;
}

void pm_text_add_column(struct pm_text *text, uint64_t number, size_t width)
{
    char digits[DIGITS_MAX];
    size_t count = digits_of(number, 10, digits);
    for (size_t i = count; i < width; i++)
        pm_text_add(text, " ");
    pm_text_add_bytes(text, digits + DIGITS_MAX - count, count);
}

void pm_text_add_number(struct pm_text *text, uint64_t number)
{
    pm_text_add_column(text, number, 0);
}

void pm_text_add_address(struct pm_text *text, uintptr_t address)
{
    char digits[DIGITS_MAX];
    size_t count = digits_of(address, 16, digits);
    pm_text_add(text, "0x");
    pm_text_add_bytes(text, digits + DIGITS_MAX - count, count);
}

void pm_text_write(struct pm_text *text, int fd)
{
    pm_os_write(fd, text->bytes, text->length);
    pm_text_clear(text);
}
