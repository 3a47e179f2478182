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
#include <stdlib.h>

#include "heap/misuse.h"
#include "os/os.h"

/* The same name in the library after us: libc. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* The process's own: NULL when that is us. */
static void *other(const char *name, void *own)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    return found == own ? NULL : found;
}

static bool in_break(const void *address)
{
    uintptr_t start, end;
    pm_os_break_range(&start, &end);
    return (uintptr_t)address >= start && (uintptr_t)address < end;
}

static bool free_foreign(void *address)
{
    void (*theirs)(void *) = (void (*)(void *))other("free", (void *)free);
    if (theirs == NULL && in_break(address))
        theirs = (void (*)(void *))next("free");
    if (theirs == NULL)
        return false;
    theirs(address);
    return true;
}

static size_t usable_size_foreign(const void *address)
{
    size_t (*theirs)(const void *) = NULL;
    if (other("free", (void *)free) != NULL)
        theirs = (size_t(*)(const void *))other("malloc_usable_size", NULL);
    else if (in_break(address))
        theirs = (size_t(*)(const void *))next("malloc_usable_size");
    return theirs == NULL ? 0 : theirs(address);
}

__attribute__((constructor)) static void install(void)
{
    pm_foreign = (struct pm_foreign){free_foreign, usable_size_foreign};
}
