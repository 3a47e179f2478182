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
#include <link.h>

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
 * Code that is asked for the address of malloc is told that of a stub, in some programs; the
 * program's own symbol says so, as it is undefined.
 */
static bool is_stub(const void *code)
{
    Dl_info object;
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(code, &object, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL &&
           symbol->st_shndx == SHN_UNDEF;
}

/*
 * By its address, or, where that is a stub's, by what it does; that is the second question,
 * because it gives the thread a heap, which many a short process never needs.  The program's
 * own malloc is not called: it may not be prepared to serve anybody before main().
 */
static bool malloc_is_ours(const void *code)
{
    void (*their_free)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
    if (code == NULL || their_free == NULL || code == (const void *)pm_own_malloc)
        return true;
    if (!is_stub(code))
        return false;
    void *block = ((void *(*)(size_t))code)(1);
    bool ours = block == NULL || pm_block_is_live(block);
    their_free(block);
    return ours;
}

static bool in_one_object(const void *code, const void *other_code)
{
    Dl_info object, other_object;
    return dladdr(code, &object) != 0 && dladdr(other_code, &other_object) != 0 &&
           object.dli_fbase == other_object.dli_fbase;
}

/* Before every other constructor of ours: what they may do depends on it. */
__attribute__((constructor(101))) static void install(void)
{
    const void *code = dlsym(RTLD_DEFAULT, "malloc");
    other.takes_all = !malloc_is_ours(code);
    void *scope = other.takes_all ? RTLD_DEFAULT : RTLD_NEXT;
    other.free = (void (*)(void *))dlsym(scope, "free");
    const void *usable_size = dlsym(scope, "malloc_usable_size");
    /* Where a malloc comes without it, the next that is found may be ours. */
    if (usable_size != NULL && (!other.takes_all || in_one_object(usable_size, code)))
        other.usable_size = (size_t(*)(const void *))usable_size;
    pm_foreign = (struct pm_foreign){!other.takes_all, free_foreign, usable_size_foreign};
}
