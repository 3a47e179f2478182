/*
 * fatal.c - see fatal.h.
 */
#include "os/fatal.h"

#include "os/os.h"
#include "os/text.h"

enum { STANDARD_ERROR = 2 };

static void begin(struct pm_text *text, const char *call, const void *address)
{
    pm_text_clear(text);
    pm_text_add(text, "pymem: ");
    pm_text_add(text, call);
    pm_text_add(text, ": ");
    pm_text_add_address(text, (uintptr_t)address);
}

static _Noreturn void end(struct pm_text *text)
{
    pm_text_add(text, "\n");
    pm_text_write(text, STANDARD_ERROR);
    pm_os_abort();
}

_Noreturn void pm_fatal_foreign(const char *call, const void *address)
{
    struct pm_text text;
    begin(&text, call, address);
    pm_text_add(&text, " is not a block of this heap");
    end(&text);
}

_Noreturn void pm_fatal_interior(const char *call, const void *address, uintptr_t block)
{
    struct pm_text text;
    begin(&text, call, address);
    pm_text_add(&text, " is inside the block at ");
    pm_text_add_address(&text, block);
    end(&text);
}

_Noreturn void pm_fatal_free(const char *call, const void *address)
{
    struct pm_text text;
    begin(&text, call, address);
    pm_text_add(&text, " is already free");
    end(&text);
}

_Noreturn void pm_fatal_size(const char *call, const void *address, size_t size, size_t usable)
{
    struct pm_text text;
    begin(&text, call, address);
    pm_text_add(&text, " has ");
    pm_text_add_number(&text, usable);
    pm_text_add(&text, " bytes, not ");
    pm_text_add_number(&text, size);
    end(&text);
}

_Noreturn void pm_fatal_align(const char *call, const void *address, size_t align)
{
    struct pm_text text;
    begin(&text, call, address);
    pm_text_add(&text, " is not aligned to ");
    pm_text_add_number(&text, align);
    end(&text);
}

_Noreturn void pm_fatal_broken(const char *invariant, const void *address)
{
    struct pm_text text;
    begin(&text, "broken heap", address);
    pm_text_add(&text, " breaks: ");
    pm_text_add(&text, invariant);
    end(&text);
}
