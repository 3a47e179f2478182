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
#include <stdatomic.h>

#include "api/malloc.h"
#include "heap/misuse.h"
#include "os/os.h"

enum { ABSENT = 1, PRESENT };

static const char malloc_name[] PM_READ_AT_START = "malloc";
static const char free_name[] PM_READ_AT_START = "free";
static const char usable_size_name[] PM_READ_AT_START = "malloc_usable_size";

/* A heap that is not ours. */
struct other_heap {
    bool takes_all; /* it is the process's malloc: every foreign pointer is its concern */
    void (*free)(void *block);
    size_t (*usable_size)(const void *block);
};

/* Found once, when the library is loaded: the process's malloc, if that is not ours, and libc's. */
static struct other_heap process_heap, libc_heap;

/* Which of the two has foreign pointers.  Relaxed: both were there before any other thread asks. */
static _Atomic(const struct other_heap *) foreign_heap;

/* The program has a malloc of its own that may lead to ours, and has not been asked yet; relaxed,
 * as is the above. */
static atomic_bool program_unasked;

/* What it does; that gives the thread a heap, which many a short process never needs. */
static bool is_served_by_us(const void *code)
{
    void (*their_free)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, free_name);
    void *block = ((void *(*)(size_t))code)(1);
    bool ours = block == NULL || pm_block_is_live(block);
    their_free(block);
    return ours;
}

/* Once, and not within itself: what the program's malloc does meanwhile is its own concern. */
static PM_COLD void ask_the_program(void)
{
    if (atomic_exchange_explicit(&program_unasked, false, memory_order_relaxed) &&
        is_served_by_us(dlsym(RTLD_DEFAULT, malloc_name)))
        atomic_store_explicit(&foreign_heap, &libc_heap, memory_order_relaxed);
}

static const struct other_heap *whose(const void *address)
{
    if (atomic_load_explicit(&program_unasked, memory_order_relaxed))
        ask_the_program();
    const struct other_heap *heap = atomic_load_explicit(&foreign_heap, memory_order_relaxed);
    if (heap->takes_all)
        return heap;
    uintptr_t start, end;
    pm_os_break_range(&start, &end);
    return (uintptr_t)address >= start && (uintptr_t)address < end ? heap : NULL;
}

static bool free_foreign(void *address)
{
    const struct other_heap *heap = whose(address);
    if (heap == NULL || heap->free == NULL)
        return false;
    heap->free(address);
    return true;
}

static size_t usable_size_foreign(const void *address)
{
    const struct other_heap *heap = whose(address);
    return heap == NULL || heap->usable_size == NULL ? 0 : heap->usable_size(address);
}

/* Is `address` in a segment of the object?  Nonzero in any case: the first object is enough. */
static int look_in_program(struct dl_phdr_info *program, size_t size, void *address)
{
    (void)size;
    for (size_t i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD &&
            (uintptr_t)address - (program->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
            return PRESENT;
    }
    return ABSENT;
}

/* Defined there, and no stub that leads to somebody else's: these are undefined symbols. (dladdr1()
 * goes through all symbols: it is asked once, and not whose object that is.) */
static bool is_the_programs(const void *code)
{
    Dl_info object;
    const ElfW(Sym) *symbol = NULL;
    return dl_iterate_phdr(look_in_program, (void *)code) == PRESENT &&
           dladdr1(code, &object, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL &&
           symbol->st_shndx != SHN_UNDEF;
}

static bool is_in_this_library(const void *code)
{
    Dl_info object, ours;
    return dladdr(code, &object) != 0 && dladdr((const void *)pm_own_malloc, &ours) != 0 &&
           object.dli_fbase == ours.dli_fbase;
}

static void find(struct other_heap *heap, void *scope)
{
    heap->free = (void (*)(void *))dlsym(scope, free_name);
    heap->usable_size = (size_t(*)(const void *))dlsym(scope, usable_size_name);
}

/* Where a malloc comes without malloc_usable_size(), the next that is found may be ours. */
static void find_process_heap(void)
{
    process_heap.takes_all = true;
    find(&process_heap, RTLD_DEFAULT);
    if (is_in_this_library((const void *)process_heap.usable_size))
        process_heap.usable_size = NULL;
}

/*
 * Whose malloc the process has: by its address, or by what it does, as it may lead to ours (a
 * stub, a library that counts).  Only the program's own is not called before main(), for
 * it may not be prepared to serve anybody; it is asked when the first foreign pointer comes.
 */
static bool malloc_is_ours(void)
{
    const void *code = dlsym(RTLD_DEFAULT, malloc_name);
    if (code == NULL || code == (const void *)pm_own_malloc)
        return true;
    bool programs = is_the_programs(code);
    atomic_store_explicit(&program_unasked, programs, memory_order_relaxed);
    return !programs && is_served_by_us(code);
}

/* Before every other constructor of ours: what they may do depends on it. */
__attribute__((constructor(101))) static void install(void)
{
    bool ours = malloc_is_ours();
    if (!ours)
        find_process_heap();
    find(&libc_heap, RTLD_NEXT);
    atomic_store_explicit(&foreign_heap, ours ? &libc_heap : &process_heap, memory_order_relaxed);
    pm_foreign = (struct pm_foreign){ours, free_foreign, usable_size_foreign};
}
