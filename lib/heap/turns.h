/*
 * turns.h - calls into a heap that is not the thread's own: those of an interpreter's threads,
 * which take turns.  Whoever makes one has the heap to himself for its duration, so that all that
 * alloc.c does is done there.  Which heap that is common.h says; pm_heap_none has to ask first.
 *
 * As the functions of alloc.h otherwise.
 */
#ifndef PM_HEAP_TURNS_H
#define PM_HEAP_TURNS_H

#include "heap/alloc.h"

void *pm_turn_alloc_slow(struct pm_heap *heap, size_t size);
void *pm_turn_alloc_object_slow(struct pm_heap *heap, size_t size);
void pm_turn_free_slow(struct pm_heap *heap, void *block, const char *call);

void *pm_turn_alloc_zeroed_array(struct pm_heap *heap, size_t count, size_t size);
void *pm_turn_alloc_zeroed_objects(struct pm_heap *heap, size_t count, size_t size);

void *pm_turn_realloc(struct pm_heap *heap, void *block, size_t size, const char *call);
void *pm_turn_realloc_object(struct pm_heap *heap, void *block, size_t size, const char *call);

PM_INLINE void *pm_turn_alloc(struct pm_heap *heap, size_t size)
{
    if (PM_LIKELY(size <= PM_DIRECT_MAX)) {
        struct pm_pool *pool = pm_heap_direct(heap, size);
        if (PM_LIKELY(pool->free != PM_LINK_NONE))
            return pm_pool_pop(pool);
    }
    return pm_turn_alloc_slow(heap, size);
}

PM_INLINE void *pm_turn_alloc_object(struct pm_heap *heap, size_t size)
{
    if (PM_UNLIKELY(size > PM_OBJECT_MAX))
        return pm_turn_alloc(heap, size);
    struct pm_pool *pool = pm_heap_direct_object(heap, size);
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_turn_alloc_object_slow(heap, size);
}

/* `tlb` is the heap's: tlb_at, or tlb of one that has pools. */
PM_INLINE void pm_turn_free(struct pm_heap *heap, struct pm_pool *const *tlb, void *address,
                            const char *call)
{
    if (PM_UNLIKELY(!pm_free_fast(heap, tlb, &address, 0)))
        pm_turn_free_slow(heap, address, call);
}

#endif /* PM_HEAP_TURNS_H */
