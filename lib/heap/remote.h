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

/* The batch that a block at `address` would join. */
PM_INLINE struct pm_batch *pm_remote_batch(struct pm_heap *heap, const void *address)
{
    return &heap->batch[((uintptr_t)address >> PM_SLICE_SHIFT) % PM_BATCH_SLOTS];
}

/* Sends a batch that has blocks; its slot is free then. */
void pm_remote_send(struct pm_heap *heap, struct pm_batch *batch);

/*
 * Frees the block at `address` if it is a live one, has at least `size` bytes, and one of its pool
 * and slice was freed just before; false if not.  The comparisons are those of pm_free_sized().
 */
PM_INLINE bool pm_remote_join(struct pm_heap *heap, const void *address, size_t size)
{
    struct pm_batch *batch = pm_remote_batch(heap, address);
    PM_OPAQUE(batch); /* one register for all of it */
    struct pm_pool *pool = batch->pool;
    uint64_t distance = (uintptr_t)address - batch->block0;
    uint64_t block = pm_multiply_high(distance, batch->reciprocal);
    if (block >= batch->limit || pm_link_peek(pool, block) != (uint16_t)distance ||
        (size != 0 && PM_UNLIKELY(size > pool->shape.size)))
        return false;
    pm_link_set(pool, block, batch->head);
    batch->head = (uint16_t)block;
    if (--batch->room == 0)
        pm_remote_send(heap, batch);
    return true;
}

/* Frees block number `block` of `pool`, if that is live, when pm_remote_join() has not; `call`
 * names the public function in the message that ends the process if it is not. */
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

#endif /* PM_HEAP_REMOTE_H */
