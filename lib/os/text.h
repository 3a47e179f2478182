/*
 * text.h - short texts put together without allocating and without stdio: for
 * messages about a broken heap, and for statistics.
 */
#ifndef PM_OS_TEXT_H
#define PM_OS_TEXT_H

#include "os/compiler.h"

/* What does not fit is cut off, never written past the end. */
struct pm_text {
    size_t length;
    char bytes[1024];
};

void pm_text_clear(struct pm_text *text);
void pm_text_add(struct pm_text *text, const char *string);
void pm_text_add_bytes(struct pm_text *text, const char *bytes, size_t length);
void pm_text_add_number(struct pm_text *text, uint64_t number);
/* The number right-aligned in `width` columns. */
void pm_text_add_column(struct pm_text *text, uint64_t number, size_t width);
/* As printf's %#lx. */
void pm_text_add_address(struct pm_text *text, uintptr_t address);
/* Writes the text to `fd` in one system call where it can, and clears it. */
void pm_text_write(struct pm_text *text, int fd);

#endif /* PM_OS_TEXT_H */
