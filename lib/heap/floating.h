/*
 * floating.h - pools that no heap owns: full ones, and those left behind by
 * threads that ended.
 *
 * Whoever wants to change such a pool claims it (one bit in `remote`).  Those
 * with a fair share of free blocks stand on the shared lists of their class, from
 * which any thread takes them before it asks for fresh memory; so nothing is
 * stranded when its thread goes.
 */
#ifndef PM_HEAP_FLOATING_H
#define PM_HEAP_FLOATING_H

#include "os/lock.h"
#include "pool/pool.h"

extern struct pm_lock pm_floating_lock[PM_CLASS_COUNT];

/*
 * The owner lets go of a pool that it has in no list.  With `offer` it goes on
 * the shared list whatever it has free; else only with an eighth or more.
 * A pool that holds nothing any more is destroyed.
 * False when blocks came back meanwhile and `keep` was asked for: then the
 * pool is still the caller's, with a block on `free`.
 */
bool pm_floating_release(struct pm_pool *pool, bool offer, bool keep);

/* How many pools of `class` stand on its lists. */
uint32_t pm_floating_count(unsigned class);

/* Another period in which pools may rest has begun. */
void pm_floating_tick(void);

/*
 * Claims up to `room` listed pools of `class` that have not been purged since blocks last
 * came back (or only those to which none came for a whole period); they leave the list, and
 * are the caller's until pm_floating_release().  Returns how many.
 */
size_t pm_floating_claim_unpurged(unsigned class, bool rested_only, struct pm_pool **pools,
                                  size_t room);

/* The pool's `remote` word was just claimed by a free; takes in what is there.
 * Returns true when the pool is now `heap`'s to adopt (its last owner). */
bool pm_floating_claimed(struct pm_pool *pool, const struct pm_heap *heap);

/* Claims a pool that was `heap`'s, for a block that the heap is about to free; takes in what is
 * there. Returns true when the pool is now the heap's to adopt. */
bool pm_floating_reclaim(struct pm_pool *pool, const struct pm_heap *heap);

/* A claimed pool of `class` with free blocks from the shared list; NULL when there is none. */
struct pm_pool *pm_floating_take(unsigned class);

#endif /* PM_HEAP_FLOATING_H */
