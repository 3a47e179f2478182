/*
 * remote.c - see remote.h.  All ordering between threads that share blocks is
 * here and in floating.c.
 */
#include "heap/remote.h"

#include "heap/floating.h"
#include "os/fatal.h"

/* Pushes the block, whose link is already taken over; true when that claimed the pool. */
static bool push(struct pm_pool *pool, uint64_t block, uint64_t word)
{
    uint64_t pushed;
    do {
        pm_link_set(pool, block, PM_REMOTE_HEAD(word));
        pushed = (PM_REMOTE_OWNED | (word & ((uint64_t)0xffff << 16)) | block) + PM_REMOTE_ONE;
        /* release pairs with the acquire in pm_pool_collect(); acquire pairs with the
         * release in floating.c: unclaim(), for the case that this claims the pool */
    } while (!atomic_compare_exchange_weak_explicit(&pool->remote, &word, pushed,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return (word & PM_REMOTE_OWNED) == 0;
}

void pm_remote_free(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    uint16_t link = pm_link_exchange(pool, block, PM_REMOTE_HEAD(word));
    if (PM_UNLIKELY(link != PM_LINK_LIVE))
        pm_fatal_free(call, pm_pool_address(pool, (uint32_t)block));
    if (push(pool, block, word) && pm_floating_claimed(pool, heap))
        pm_heap_adopt(heap, pool);
}
