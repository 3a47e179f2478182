/*
 * domains.c - see domains.h.
 */
#include "host/domains.h"

#include "heap/common.h"
#include "heap/turns.h"

/* The functions of one domain, from what each returns or does.  Messages name the public one. */
#define ALLOCATOR(name, alloc, zeroed, resize, release)                                            \
    static void *name##_malloc(void *ctx, size_t size)                                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return alloc;                                                                              \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t count, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return zeroed;                                                                             \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *block, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return resize;                                                                             \
    }                                                                                              \
    static void name##_free(void *ctx, void *block)                                                \
    {                                                                                              \
        (void)ctx;                                                                                 \
        release;                                                                                   \
    }

ALLOCATOR(raw, pm_alloc_own(size), pm_alloc_zeroed_array(count, size),
          pm_realloc(block, size, "PyMem_RawRealloc"), pm_free(block, "PyMem_RawFree"))

/* Of the thread's own heap; */
ALLOCATOR(mem, pm_alloc_own(size), pm_alloc_zeroed_array(count, size),
          pm_realloc(block, size, "PyMem_Realloc"), pm_free(block, "PyMem_Free"))
ALLOCATOR(obj, pm_alloc_object(size), pm_alloc_zeroed_objects(count, size),
          pm_realloc_object(block, size, "PyObject_Realloc"), pm_free(block, "PyObject_Free"))

/* of the one that all threads have in common, where that is granted or they ask. */
#define TURN_ALLOCATORS(kind, heap, tlb)                                                           \
    ALLOCATOR(mem_##kind, pm_turn_alloc(heap, size),                                               \
              pm_turn_alloc_zeroed_array(heap, count, size),                                       \
              pm_turn_realloc(heap, block, size, "PyMem_Realloc"),                                 \
              pm_turn_free(heap, ((struct pm_heap *)heap)->tlb, block, "PyMem_Free"))              \
    ALLOCATOR(obj_##kind, pm_turn_alloc_object(heap, size),                                        \
              pm_turn_alloc_zeroed_objects(heap, count, size),                                     \
              pm_turn_realloc_object(heap, block, size, "PyObject_Realloc"),                       \
              pm_turn_free(heap, ((struct pm_heap *)heap)->tlb, block, "PyObject_Free"))

TURN_ALLOCATORS(granted, ctx, tlb)
TURN_ALLOCATORS(asked, pm_tls_common, tlb_at)

#define FUNCTIONS(name)                                                                            \
    {                                                                                              \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free                            \
    }
#define ALLOCATORS(mem, obj)                                                                       \
    {                                                                                              \
        [PYMEM_DOMAIN_RAW] = FUNCTIONS(raw), [PYMEM_DOMAIN_MEM] = FUNCTIONS(mem),                  \
        [PYMEM_DOMAIN_OBJ] = FUNCTIONS(obj),                                                       \
    }

const PyMemAllocatorEx pm_domain_heap[PM_DOMAINS] = ALLOCATORS(mem, obj);
const PyMemAllocatorEx pm_domain_heap_granted[PM_DOMAINS] = ALLOCATORS(mem_granted, obj_granted);
const PyMemAllocatorEx pm_domain_heap_asked[PM_DOMAINS] = ALLOCATORS(mem_asked, obj_asked);
PyMemAllocatorEx pm_domain[PM_DOMAINS] = ALLOCATORS(mem, obj);
