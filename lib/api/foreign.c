/*
 * foreign.c - pointers that libc's own heap handed out: before this library
 * was there (it was loaded late), or to a library that is bound to libc's
 * malloc past us (RTLD_DEEPBIND).
 *
 * When our malloc is not the process's malloc, every foreign pointer is passed
 * on to the one that is, which makes its own checks.  When it is, only what
 * lies in the process's break is libc's: we never use the break ourselves.
 */
#include <dlfcn.h>

#include "api/malloc.h"
#include "heap/misuse.h"
#include "os/os.h"

/* The same name in the library after us: libc. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* Is the process's malloc ours?  Not when the library was loaded late. */
static bool is_ours(void)
{
    return dlsym(RTLD_DEFAULT, "free") == (void *)pm_own_free;
}

static bool in_break(const void *address)
{
    uintptr_t start, end;
    pm_os_break_range(&start, &end);
    return (uintptr_t)address >= start && (uintptr_t)address < end;
}

/* Libc's function of this name, if `address` is for it to judge; else NULL. */
static void *theirs(const char *name, const void *address)
{
    if (!is_ours())
        return dlsym(RTLD_DEFAULT, name);
    return in_break(address) ? next(name) : NULL;
}

static bool free_foreign(void *address)
{
    void (*their_free)(void *) = (void (*)(void *))theirs("free", address);
    if (their_free != NULL)
        their_free(address);
    return their_free != NULL;
}

static size_t usable_size_foreign(const void *address)
{
    size_t (*their_size)(const void *) =
        (size_t(*)(const void *))theirs("malloc_usable_size", address);
    return their_size == NULL ? 0 : their_size(address);
}

__attribute__((constructor)) static void install(void)
{
    pm_foreign = (struct pm_foreign){free_foreign, usable_size_foreign};
}
