/*
 * heap_check.c - asserts the invariants of a heap; they are written in heap.h.
 * Debug builds call it while they run, tests whenever they like.
 */
#include "arena/arena.h"
#include "heap/spare.h"
#include "heap/thread.h"
#include "heap/tlb.h"
#include "heap/transfer.h"
#include "os/fatal.h"
#include "os/tls.h"

static void check_owned(struct pm_heap *heap, struct pm_pool *pool, unsigned class, unsigned state)
{
    if (!pm_pool_is_owned_by(pool, heap))
        pm_fatal_broken("a heap's pools are owned by it", pool);
    if (pool->class != class || pool->state != state || pool->listed)
        pm_fatal_broken("a pool is in the bin of its class and state", pool);
    if (pool->used == 0)
        pm_fatal_broken("an owned pool is in use", pool);
    pm_pool_check(pool);
}

/* Returns how many pools there are. */
static uint32_t check_list(struct pm_heap *heap, struct pm_pool_list *list, unsigned class,
                           unsigned state)
{
    struct pm_pool_place *previous = &list->ends;
    uint32_t count = 0;
    for (struct pm_pool *pool = pm_list_first(list); pool != NULL; count++) {
        check_owned(heap, pool, class, state);
        if (pool->place.prev != previous)
            pm_fatal_broken("a bin's list is linked both ways", pool);
        previous = &pool->place;
        pool = pm_list_next(list, pool);
    }
    if (list->ends.prev != previous)
        pm_fatal_broken("a bin's list ends at its last pool", list);
    return count;
}

static void check_bin(struct pm_heap *heap, unsigned class)
{
    struct pm_bin *bin = &heap->bin[class];
    if (bin->current != &pm_pool_none)
        check_owned(heap, bin->current, class, PM_POOL_CURRENT);
    check_list(heap, &bin->partial, class, PM_POOL_PARTIAL);
    if (check_list(heap, &bin->full, class, PM_POOL_FULL) != bin->full_count)
        pm_fatal_broken("full_count is the number of full pools", bin);
}

static void check_tlb(struct pm_heap *heap)
{
    size_t at = 0;
    for (struct pm_pool *pool; (pool = pm_tlb_next(heap, &at)) != NULL;) {
        if (!pm_pool_is_owned_by(pool, heap))
            pm_fatal_broken("the TLB names pools of its own heap", pool);
        if (!pm_pool_is_near(pool))
            pm_fatal_broken("the TLB names near pools", pool);
        size_t first = pool->span.start >> PM_SLICE_SHIFT;
        if ((at - 1 - first) % PM_TLB_SLOTS >= pool->span.slices)
            pm_fatal_broken("the TLB names a pool in a slot of its slices", pool);
    }
}

void pm_heap_check(struct pm_heap *heap)
{
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        check_bin(heap, class);
    pm_spare_check(heap);
    pm_transfer_check();
    for (size_t size = 0; size <= PM_DIRECT_MAX; size += PM_GRANULE) {
        if (pm_heap_direct(heap, size) != heap->bin[pm_class_of(size)].current)
            pm_fatal_broken("direct[] names the current pool", heap);
        if (heap->tls_direct != NULL &&
            heap->tls_direct[size / PM_GRANULE] != pm_heap_direct(heap, size))
            pm_fatal_broken("a thread finds the same in direct[]", heap);
    }
    for (size_t size = 0; size <= PM_OBJECT_MAX; size += PM_OBJECT_STEP) {
        if (pm_heap_direct_object(heap, size) != heap->bin[pm_class_of_object(size)].current)
            pm_fatal_broken("direct[] names the current pool for objects", heap);
    }
    for (unsigned class = PM_CLASS_MEDIUM; class < PM_CLASS_OBJECTS; class += 1) {
        if (pm_heap_direct_medium(heap, class) != heap->bin[class].current)
            pm_fatal_broken("direct[] names the current pool of a class", heap);
    }
    check_tlb(heap);
}

bool pm_check_heap(void)
{
    if (pm_thread_has_heap(pm_tls_heap))
        pm_heap_check(pm_tls_heap);
    pm_arena_check();
    return true;
}
