/*
 * runs.h - the free runs of an arena, found by their length without a search.
 *
 * A run is in the set of those that are as long as it is, or of the long ones, and dirty at their
 * first page or clean there.  A set has a bit for each slice where such a run begins.  What is
 * beside a slice that becomes free is known from the first and the last slice of each run, which
 * both say how long it is.
 *
 * All under pm_arena_lock.
 */
#ifndef PM_ARENA_RUNS_H
#define PM_ARENA_RUNS_H

#include "os/compiler.h"

struct pm_arena;

/* The longest of the lengths that have sets of their own, and of all that are longer, each both
 * dirty and clean: as bits of a word. */
#define PM_RUNS_LENGTHS ((size_t)16)
#define PM_RUNS_DIRTY 0
#define PM_RUNS_CLEAN PM_RUNS_LENGTHS
#define PM_RUNS_SETS (2 * PM_RUNS_LENGTHS)

#define PM_RUNS_NONE SIZE_MAX

struct pm_runs {
    uint32_t sets;    /* those that are not empty, as bits */
    uint32_t *length; /* by slice: of the free run that begins or ends there */
    uint64_t *groups; /* by set and 64 slices: is there any? */
    uint64_t *begins; /* by 64 slices and set: where */
};

/* What an arena of so many slices needs, in bytes. */
size_t pm_runs_bytes(size_t slices);

/* A new arena's, whose slices are all free and clean; the memory is zero. */
void pm_runs_begin(struct pm_arena *arena, void *memory);

/* These slices of a free run are about to be taken: they are as dirty as they were. */
void pm_runs_take(struct pm_arena *arena, size_t first, size_t slices);

/* These have become free, and dirty or clean; returns the length of their run, with its
 * neighbours. */
size_t pm_runs_give(struct pm_arena *arena, size_t first, size_t slices);

/* A free run that begins at `first`, if one does, changes from dirty to clean between these. */
void pm_runs_before_clean(struct pm_arena *arena, size_t first);
void pm_runs_after_clean(struct pm_arena *arena, size_t first);

/* Where the first run of a set begins at `from` or behind; PM_RUNS_NONE if there is none. */
size_t pm_runs_next(const struct pm_arena *arena, unsigned set, size_t from);

/* Where the first run of all begins; PM_RUNS_NONE if there is none. */
size_t pm_runs_lowest(const struct pm_arena *arena);

/* The sets, as bits, of runs that are at least so long, or of long ones that may be. */
PM_INLINE uint32_t pm_runs_least(size_t slices)
{
    size_t length = slices < PM_RUNS_LENGTHS ? slices : PM_RUNS_LENGTHS;
    uint32_t sets = ~(uint32_t)0 << (length - 1) & (((uint32_t)1 << PM_RUNS_LENGTHS) - 1);
    return sets << PM_RUNS_DIRTY | sets << PM_RUNS_CLEAN;
}

/*
 * The invariants, asserted; returns the length of the longest run:
 *   a free run's first and last slice say how long it is
 *   it begins in the set of its length, and is in no other
 *   what sets and groups are not empty is known
 */
size_t pm_runs_check(struct pm_arena *arena);

#endif /* PM_ARENA_RUNS_H */
