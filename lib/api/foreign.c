/*
 * foreign.c - pointers that libc's own heap handed out: before this library
 * was there (it was loaded late), or to a library that is bound to libc's
 * malloc past us (deepbind.c prevents most of these).
 *
 * When our malloc is not the process's malloc, every foreign pointer is passed
 * on to the one that is, which makes its own checks.  When it is, only what
 * lies in the process's break is libc's: we never use the break ourselves.
 * (Blocks that libc maps one by one, or has in its other arenas, cannot be told
 * from a wrong pointer.)
 */
#include <dlfcn.h>

#include "api/malloc.h"
#include "heap/misuse.h"
#include "os/os.h"

/* Another heap than ours, found once, when the library is loaded. */
static struct {
    bool takes_all; /* it is the process's malloc: every foreign pointer is its concern */
    void (*free)(void *block);
    size_t (*usable_size)(const void *block);
} other;

static bool is_theirs(const void *address)
{
    uintptr_t start, end;
    if (other.takes_all)
        return true;
    pm_os_break_range(&start, &end);
    return (uintptr_t)address >= start && (uintptr_t)address < end;
}

static bool free_foreign(void *address)
{
    if (other.free == NULL || !is_theirs(address))
        return false;
    other.free(address);
    return true;
}

static size_t usable_size_foreign(const void *address)
{
    return other.usable_size == NULL || !is_theirs(address) ? 0 : other.usable_size(address);
}

/*
 * By its address, or, since in some programs even the address of our own malloc is another,
 * by what it does; that is the second question, because it gives the thread a heap, which
 * many a short process never needs.
 */
static bool malloc_is_ours(void)
{
    void *(*their_malloc)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
    void (*their_free)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
    if (their_malloc == NULL || their_free == NULL || their_malloc == pm_own_malloc)
        return true;
    void *block = their_malloc(1);
    bool ours = block == NULL || pm_block_is_live(block);
    their_free(block);
    return ours;
}

/* Before every other constructor of ours: what they may do depends on it. */
__attribute__((constructor(101))) static void install(void)
{
    other.takes_all = !malloc_is_ours();
    void *scope = other.takes_all ? RTLD_DEFAULT : RTLD_NEXT;
    other.free = (void (*)(void *))dlsym(scope, "free");
    other.usable_size = (size_t(*)(const void *))dlsym(scope, "malloc_usable_size");
    pm_foreign = (struct pm_foreign){!other.takes_all, free_foreign, usable_size_foreign};
}
