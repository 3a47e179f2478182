/*
 * domains.c - see domains.h.
 */
#include "host/domains.h"

#include "heap/common.h"

/* The heap's own allocator, once for each domain: messages name the public function. */
#define HEAP_ALLOCATOR(domain, prefix, alloc, zeroed, resize, release)                             \
    static void *domain##_malloc(void *ctx, size_t size)                                           \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return alloc(size);                                                                        \
    }                                                                                              \
    static void *domain##_calloc(void *ctx, size_t count, size_t size)                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return zeroed(count, size);                                                                \
    }                                                                                              \
    static void *domain##_realloc(void *ctx, void *block, size_t size)                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return resize(block, size, prefix "Realloc");                                              \
    }                                                                                              \
    static void domain##_free(void *ctx, void *block)                                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        release(block, prefix "Free");                                                             \
    }

HEAP_ALLOCATOR(raw, "PyMem_Raw", pm_alloc, pm_alloc_zeroed_array, pm_realloc, pm_free)
HEAP_ALLOCATOR(mem, "PyMem_", pm_common_alloc, pm_common_alloc_zeroed_array, pm_common_realloc,
               pm_common_free)
HEAP_ALLOCATOR(obj, "PyObject_", pm_common_alloc_object, pm_common_alloc_zeroed_objects,
               pm_common_realloc_object, pm_common_free)

#define HEAP_ALLOCATORS                                                                            \
    {                                                                                              \
        [PYMEM_DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},                \
        [PYMEM_DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},                \
        [PYMEM_DOMAIN_OBJ] = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},                \
    }

const PyMemAllocatorEx pm_domain_heap[PM_DOMAINS] = HEAP_ALLOCATORS;
PyMemAllocatorEx pm_domain[PM_DOMAINS] = HEAP_ALLOCATORS;
