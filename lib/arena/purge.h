/*
 * purge.h - when the pages of free spans go back to the system.
 *
 * Free slices stay resident for a while, because most programs want them again
 * soon.  Every decay time, on the occasion of some call, those that were
 * already dirty the last time are purged; after a quiet time as long as the
 * whole decay the next call purges them all.  Before that some go only when
 * more memory is resident than the program ever used at one time.  So a steady
 * loop that reuses its memory never pays, and no thread of our own is needed.
 */
#ifndef PM_ARENA_PURGE_H
#define PM_ARENA_PURGE_H

#include "os/lock.h"

/* Held by the one thread that purges. */
extern struct pm_lock pm_purge_lock;

/* Option decay_ms: 0 purges at every free, negative never. */
void pm_purge_set_decay(int64_t milliseconds);

/* Around every freeing of slices, without pm_arena_lock. */
void pm_purge_before_free(void);
void pm_purge_after_free(void);

/* On other occasions: cheap unless something is due. */
void pm_purge_tick(uint64_t now);

/* What others have purged, for the statistics. */
void pm_purge_count(size_t bytes);

/* Milliseconds; negative: nothing is purged. */
int64_t pm_purge_decay(void);

/* While suspended nothing is purged but by pm_purge_all(), and no arena goes away. */
void pm_purge_suspend(bool suspended);

/* Purges at least `bytes` of free pages, as far as there are so many, any are to be purged and the
 * system does not refuse; `*purged` says how many went.  False when another thread is purging. */
bool pm_purge_some(size_t bytes, size_t *purged);

/* Unmaps arenas without a span, keeping `keep` bytes of them; returns bytes unmapped.  With 0
 * those of kept.h go, too. */
size_t pm_purge_empty_arenas(size_t keep);

/* For when the system refuses more: unmaps what is free, which is empty arenas, those of kept.h,
 * and larger pieces of others.  Returns the bytes. */
size_t pm_purge_address_space(void);

/* Purges every free page at once; returns the bytes given back. */
size_t pm_purge_all(void);

/* Bytes given back so far. */
uint64_t pm_purge_total(void);

#endif /* PM_ARENA_PURGE_H */
