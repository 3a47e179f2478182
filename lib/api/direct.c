/*
 * direct.c - the heap under names of its own: the functions of <pymem/malloc.h>,
 * which has their contracts.
 */
#include <errno.h>

#include "api/start.h"
#include "heap/alloc.h"
#include "os/fatal.h"

#include <pymem/malloc.h>

PM_INLINE bool good_align(size_t align)
{
    if (PM_LIKELY(pm_is_power_of_two(align)))
        return true;
    errno = EINVAL;
    return false;
}

PM_EXPORT void *pymem_malloc(size_t size)
{
    return pm_alloc_own(size);
}

PM_EXPORT void *pymem_calloc(size_t count, size_t size)
{
    return pm_alloc_zeroed_array(count, size);
}

PM_EXPORT void *pymem_realloc(void *block, size_t size)
{
    return pm_realloc(block, size, "pymem_realloc");
}

PM_EXPORT void pymem_free(void *block)
{
    pm_free(block, "pymem_free");
}

PM_EXPORT void pymem_free_sized(void *block, size_t size)
{
    pm_free_sized(block, size, "pymem_free_sized");
}

PM_EXPORT void *pymem_aligned_alloc(size_t align, size_t size)
{
    return good_align(align) ? pm_alloc_aligned(size, align) : NULL;
}

PM_EXPORT void *pymem_aligned_calloc(size_t align, size_t count, size_t size)
{
    size_t bytes;
    if (!good_align(align))
        return NULL;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX; /* which is refused */
    return pm_alloc_aligned_zeroed(bytes, align);
}

PM_EXPORT void *pymem_aligned_realloc(void *block, size_t align, size_t size)
{
    if (!good_align(align))
        return NULL;
    return pm_realloc_aligned(block, size, align, "pymem_aligned_realloc");
}

/* A block keeps no record of its alignment; that it has this one can be asked of its address. */
PM_EXPORT void pymem_free_aligned_sized(void *block, size_t align, size_t size)
{
    if (PM_UNLIKELY(((uintptr_t)block & (align - 1)) != 0))
        pm_fatal_align("pymem_free_aligned_sized", block, align);
    pm_free_sized(block, size, "pymem_free_aligned_sized");
}

__attribute__((constructor)) static void start(void)
{
    pm_start();
}
