/*
 * choose.h - which free slices of an arena a span is to have: those of a run that is dirty where it
 * begins, before others, and of such the shortest, so that long ones stay whole, and the lowest of
 * these; but long runs far behind the first one that will do are not looked at.  A single slice is
 * the lowest.
 */
#ifndef PM_ARENA_CHOOSE_H
#define PM_ARENA_CHOOSE_H

#include "arena/arena.h"

/* May it have a run of so many free slices?  Most arenas of a large process have none. */
PM_INLINE bool pm_choose_may_find(const struct pm_arena *arena, size_t slices)
{
    return (arena->runs.sets & pm_runs_least(slices)) != 0 && slices < arena->no_run;
}

/* The first of `slices` free slices that begin at an address aligned to `align`, as is chosen;
 * PM_RUNS_NONE when there are none.  Under pm_arena_lock. */
size_t pm_arena_choose_locked(struct pm_arena *arena, size_t slices, size_t align,
                              enum pm_arena_choice choice);

/* The slices have become free, and dirty or clean.  The same. */
void pm_choose_freed_locked(struct pm_arena *arena, size_t first, size_t slices);

#endif /* PM_ARENA_CHOOSE_H */
