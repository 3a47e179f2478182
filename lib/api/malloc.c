/*
 * malloc.c - libc's allocation functions, served by the heap: the names that a
 * program's calls are bound to when the library is preloaded or linked.
 *
 * Contracts: POSIX.1-2017, C23 (7.24.3), and glibc's manual where those leave
 * a choice or stop ("Replacing malloc", "Aligned Memory Blocks").
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "api/malloc.h"
#include "heap/alloc.h"
#include "os/os.h"

/* One definition, the other names of libc for it. */
#define ALIAS_OF(function) __attribute__((PM_ALIAS(function), visibility("default")))

static void *refuse(int error)
{
    errno = error;
    return NULL;
}

PM_EXPORT void *malloc(size_t size)
{
    return pm_alloc_own(size);
}

void *pm_own_malloc(size_t size) __attribute__((PM_ALIAS(malloc), visibility("hidden")));

PM_EXPORT void free(void *block)
{
    pm_free(block, "free");
}

PM_EXPORT void *calloc(size_t count, size_t size)
{
    return pm_alloc_zeroed_array(count, size);
}

/* A zero size frees, as glibc's does. */
PM_EXPORT void *realloc(void *block, size_t size)
{
    if (size == 0 && block != NULL) {
        pm_free(block, "realloc");
        return NULL;
    }
    return pm_realloc(block, size, "realloc");
}

/* As the process sees it: ours, or the program's. */
void *any_realloc(void *block, size_t size) __asm__("realloc");

/* As glibc's: a program that brings a malloc of its own need not bring this. */
PM_EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (PM_UNLIKELY(__builtin_mul_overflow(count, size, &bytes)))
        return refuse(ENOMEM);
    return any_realloc(block, bytes);
}

/* Returns the error and leaves errno alone (POSIX). */
PM_EXPORT int posix_memalign(void **block, size_t align, size_t size)
{
    if (!pm_is_power_of_two(align) || align % sizeof(void *) != 0)
        return EINVAL;
    int saved = errno;
    void *aligned = pm_alloc_aligned(size, align);
    errno = saved;
    if (aligned == NULL)
        return ENOMEM;
    *block = aligned;
    return 0;
}

/* glibc rounds an odd alignment up to the next power of two. */
PM_EXPORT void *memalign(size_t align, size_t size)
{
    if (align > SIZE_MAX / 2 + 1)
        return refuse(EINVAL);
    if (!pm_is_power_of_two(align))
        align = align == 0 ? 1 : (size_t)1 << (64 - __builtin_clzll(align));
    return pm_alloc_aligned(size, align);
}

/* C17 and later: an alignment that is none is refused. */
PM_EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return pm_is_power_of_two(align) ? memalign(align, size) : refuse(EINVAL);
}

PM_EXPORT void *valloc(size_t size)
{
    return pm_alloc_aligned(size, pm_os_page_size());
}

PM_EXPORT void *pvalloc(size_t size)
{
    size_t page = pm_os_page_size();
    if (size > PTRDIFF_MAX - page)
        return refuse(ENOMEM);
    return pm_alloc_aligned(size == 0 ? page : pm_align_up(size, page), page);
}

PM_EXPORT size_t malloc_usable_size(void *block)
{
    return block == NULL ? 0 : pm_usable_size(block, "malloc_usable_size");
}

/* Real programs pass wrong sizes, and the block knows its own. */
PM_EXPORT void free_sized(void *block, size_t size)
{
    (void)size;
    pm_free(block, "free_sized");
}

PM_EXPORT void free_aligned_sized(void *block, size_t align, size_t size)
{
    (void)align;
    (void)size;
    pm_free(block, "free_aligned_sized");
}

PM_EXPORT void cfree(void *block)
{
    pm_free(block, "cfree");
}

/* The names by which programs reach glibc's own functions past an interposer. */
void *__libc_malloc(size_t size) ALIAS_OF(malloc);
void *__libc_calloc(size_t count, size_t size) ALIAS_OF(calloc);
void *__libc_realloc(void *block, size_t size) ALIAS_OF(realloc);
void __libc_free(void *block) ALIAS_OF(free);
void __libc_cfree(void *block) ALIAS_OF(cfree);
void *__libc_memalign(size_t align, size_t size) ALIAS_OF(memalign);
void *__libc_valloc(size_t size) ALIAS_OF(valloc);
void *__libc_pvalloc(size_t size) ALIAS_OF(pvalloc);
int __posix_memalign(void **block, size_t align, size_t size) ALIAS_OF(posix_memalign);
