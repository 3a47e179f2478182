/*
 * remote.h - freeing a block whose pool the calling thread does not own.
 *
 * The block is marked free and pushed on the pool's `remote` list without a lock, together
 * with others that the thread frees into the same pool soon after: the cache line of that
 * list wanders from thread to thread with each push.  If nobody owns the pool, the
 * push claims it, and the caller looks after it: see floating.h.
 */
#ifndef PM_HEAP_REMOTE_H
#define PM_HEAP_REMOTE_H

#include "heap/heap.h"

/* Frees block number `block` of `pool`, if that is live; `call` names the public function in the
 * message that ends the process if not. */
void pm_remote_free(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call);

/* Pushes what the heap's batches hold. */
void pm_remote_flush(struct pm_heap *heap);

/* Has any pool that was owned received blocks from another thread?  Mostly in no program with one
 * thread: then there is nothing to look for.  Relaxed, as it comes no sooner than they do. */
extern atomic_bool pm_remote_seen;

/* For the child after a fork, in which such blocks have been found. */
void pm_remote_see(void);

PM_INLINE bool pm_remote_is_seen(void)
{
    return atomic_load_explicit(&pm_remote_seen, memory_order_relaxed);
}

/* The slot of heap->batch that `pool` uses. */
PM_INLINE size_t pm_batch_slot(const struct pm_pool *pool)
{
    return (pool->span.start >> PM_SLICE_SHIFT) % PM_BATCH_SLOTS;
}

#endif /* PM_HEAP_REMOTE_H */
