/*
 * domains.c - see domains.h.
 */
#include "host/domains.h"

#include "heap/common.h"

/* The heap's own allocator, once for each domain: messages name the public function. */
#define HEAP_ALLOCATOR(name, prefix, alloc, zeroed, resize, release)                               \
    static void *name##_malloc(void *ctx, size_t size)                                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return alloc(size);                                                                        \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t count, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return zeroed(count, size);                                                                \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *block, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return resize(block, size, prefix "Realloc");                                              \
    }                                                                                              \
    static void name##_free(void *ctx, void *block)                                                \
    {                                                                                              \
        (void)ctx;                                                                                 \
        release(block, prefix "Free");                                                             \
    }

#define ALLOC(size) pm_common_alloc(size, false)
#define ALLOC_ASK(size) pm_common_alloc(size, true)
#define ALLOC_OBJECT(size) pm_common_alloc_object(size, false)
#define ALLOC_OBJECT_ASK(size) pm_common_alloc_object(size, true)
#define FREE(block, call) pm_common_free(block, call, false)
#define FREE_ASK(block, call) pm_common_free(block, call, true)

HEAP_ALLOCATOR(raw, "PyMem_Raw", pm_alloc, pm_alloc_zeroed_array, pm_realloc, pm_free)
HEAP_ALLOCATOR(mem, "PyMem_", ALLOC, pm_common_alloc_zeroed_array, pm_common_realloc, FREE)
HEAP_ALLOCATOR(obj, "PyObject_", ALLOC_OBJECT, pm_common_alloc_zeroed_objects,
               pm_common_realloc_object, FREE)
HEAP_ALLOCATOR(mem_ask, "PyMem_", ALLOC_ASK, pm_common_alloc_zeroed_array, pm_common_realloc,
               FREE_ASK)
HEAP_ALLOCATOR(obj_ask, "PyObject_", ALLOC_OBJECT_ASK, pm_common_alloc_zeroed_objects,
               pm_common_realloc_object, FREE_ASK)

#define FUNCTIONS(name)                                                                            \
    {                                                                                              \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free                            \
    }
#define HEAP_ALLOCATORS(mem, obj)                                                                  \
    {                                                                                              \
        [PYMEM_DOMAIN_RAW] = FUNCTIONS(raw), [PYMEM_DOMAIN_MEM] = FUNCTIONS(mem),                  \
        [PYMEM_DOMAIN_OBJ] = FUNCTIONS(obj),                                                       \
    }

const PyMemAllocatorEx pm_domain_heap[PM_DOMAINS] = HEAP_ALLOCATORS(mem, obj);
const PyMemAllocatorEx pm_domain_heap_asking[PM_DOMAINS] = HEAP_ALLOCATORS(mem_ask, obj_ask);
PyMemAllocatorEx pm_domain[PM_DOMAINS] = HEAP_ALLOCATORS(mem, obj);
