/*
 * kept.h - dedicated arenas whose block was freed, kept for the next block.
 *
 * A program that computes with large arrays frees one and takes the next all the time; to unmap
 * and map them costs a page fault for each page, every time.  So such an arena stays resident for
 * as long as free pages of shared arenas do, but within two limits:
 *
 *   kept bytes <= bytes in use, or 64 MB: a process that drops what it had gives it back at once;
 *       but when it maps so much anew within the decay time, the next time more is kept
 *   bytes in use + dirty + kept <= the most that was in use or dirty at one time, and the most
 *       that the process had resident (many a program takes large blocks of which it hardly
 *       touches anything): what is kept is not to add to the peak
 *
 * And all of it goes when the shared arenas have grown by a quarter of it since one was last kept
 * or taken: the program does something else now, and what it needs for that, code and stacks
 * too, is to find room.
 *
 * What a block that grew has left serves the next one that grows: each page that it grows by would
 * be a fault otherwise, every time a program fills a buffer without knowing its end.  Until it has
 * come to a quarter of that, what is kept is cut by what it takes, for the sake of the peak.
 *
 * A block that is to be zero is of fresh pages, which cost nothing until they are touched, if ever;
 * to clear what was kept takes a sixth of the time of touching all of them.  So it
 * gets that when the last such block with fresh pages had been filled when it was freed, as a
 * few of its pages tell.  One in a few gets fresh ones for all that, to see what is done with it.
 */
#ifndef PM_ARENA_KEPT_H
#define PM_ARENA_KEPT_H

#include <stdatomic.h>

#include "arena/arena.h"

/*
 * The books, under pm_arena_lock.
 *
 * record:  to be called before a dedicated arena is no more in use.
 * put:     keeps an arena that is in no list any more; false when it is not worth it, or nothing
 *          is to be kept.
 * count:   how many are kept.
 */
void pm_kept_record_locked(void);
bool pm_kept_put_locked(struct pm_arena *arena);
size_t pm_kept_count_locked(void);

/* An arena of just `bytes` (whole pages), at an address aligned to a page, whose contents are
 * not zero; it is in no list.  NULL when none is kept that can be cut to that size, or when fresh
 * pages are better for a block that is to be `zero`. */
struct pm_arena *pm_kept_take(size_t bytes, bool zero);

/* For a block that grows, and may go on to: an arena of half as much again as `bytes` or more, up
 * to four times that, as it is.  NULL when none is kept. */
struct pm_arena *pm_kept_take_roomy(size_t bytes);

/* Before an arena is no more in use: was it filled, if it is watched?  The lock is not held. */
void pm_kept_learn(const struct pm_arena *arena);

/* Unmaps what is above the limits, those first that were kept longest. */
void pm_kept_trim_slow(void);

/* A decay time has gone by: unmaps those kept since before the last time, or all. */
void pm_kept_tick(bool all);

/* Unmaps all; returns the bytes. */
size_t pm_kept_release(void);

/* Relaxed: who reads it without the lock looks again under it, or shows it. */
extern _Atomic size_t pm_kept_total;

PM_INLINE size_t pm_kept_bytes(void)
{
    return atomic_load_explicit(&pm_kept_total, memory_order_relaxed);
}

PM_INLINE void pm_kept_trim(void)
{
    if (PM_UNLIKELY(pm_kept_bytes() != 0))
        pm_kept_trim_slow();
}

#endif /* PM_ARENA_KEPT_H */
