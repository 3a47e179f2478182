/*
 * remote.h - freeing a block whose pool the calling thread does not own.
 *
 * The block is marked free by one atomic exchange (so of two threads that free
 * it at the same time one is told) and pushed on the pool's `remote` list
 * without a lock.  If nobody owns the pool, the same step claims it, and the
 * caller looks after it: see floating.h.
 */
#ifndef PM_HEAP_REMOTE_H
#define PM_HEAP_REMOTE_H

#include "heap/heap.h"

/* Frees block number `block` of `pool`; `call` names the public function in a message. */
void pm_remote_free(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call);

#endif /* PM_HEAP_REMOTE_H */
