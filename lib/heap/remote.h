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

/* The slot of heap->batch that `pool` uses. */
PM_INLINE size_t pm_batch_slot(const struct pm_pool *pool)
{
    return (pool->span.start >> PM_SLICE_SHIFT) % PM_BATCH_SLOTS;
}

#endif /* PM_HEAP_REMOTE_H */
