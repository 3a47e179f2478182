/*
 * arena.h - arenas: large pieces of address space, dealt out in spans.
 *
 * A slice of an arena is in one of four states, written in three bitmaps:
 *
 *   taken                  part of a span in use
 *   free and clean         reads as zero and is not resident
 *   free and dirty         was used; its pages are still resident
 *   free, dirty and aged   dirty since before the last tick of purge.c
 *
 * and moves
 *
 *   clean -> taken -> dirty -> aged -> clean   (purge.c gives the pages back)
 *                     dirty, aged -> taken     (reused while still resident)
 *
 * Spans are taken from the oldest arena with room, there from the shortest run
 * that fits: so what is resident already is used before what is not, and the
 * youngest arenas run empty and can be given back whole.
 *
 * A block too large to share an arena gets one of its own ("dedicated"): one
 * mapping, remapped when the block grows and unmapped when it is freed.
 */
#ifndef PM_ARENA_ARENA_H
#define PM_ARENA_ARENA_H

#include <stdatomic.h>

#include "arena/provider.h"
#include "arena/span.h"
#include "os/lock.h"

/* A block from this size on has an arena to itself. */
#define PM_DEDICATED_MIN (32 * PM_MIB)

struct pm_arena {
    struct pm_arena *next, *prev; /* shared ones by age, then dedicated; under pm_arena_lock */
    uintptr_t base;               /* of slice 0; a multiple of the slice unless dedicated */
    size_t slices;
    bool dedicated;
    atomic_bool huge; /* has been advised to use huge pages: see hugepages.h */

    /* The mapping that base lies in, and where it goes back to. */
    uintptr_t map_start;
    size_t map_size;
    struct pm_provider provider;

    /* Under pm_arena_lock. */
    size_t taken_count;
    size_t dirty_count;
    size_t search_from; /* no slice below it is free */
    size_t no_run;      /* no run of this many free slices exists; SIZE_MAX: not known */
    uint64_t *taken;
    uint64_t *dirty;
    uint64_t *aged;
};

extern struct pm_lock pm_arena_lock;

/* The list's head; under pm_arena_lock.  Dedicated arenas may be many. */
extern struct pm_arena *pm_arena_list;

/*
 * The books; all under pm_arena_lock.
 *
 * insert, remove: an arena of mapping.c's, to and from the list.
 * take:    fills `span` with `slices` slices at an address aligned to `align`;
 *          false when no arena has them.
 * extend:  makes `span` longer; false when the slices after it are not free.
 * free:    taken slices become free and dirty.
 * clean:   free dirty slices are known to read as zero.
 * excess:  bytes that are resident beyond what the program ever held, and half
 *          of that more.
 * unlink_empty: takes the last arena without a span off the list when there are
 *          more than `keep` bytes of such; NULL otherwise.
 */
void pm_arena_insert_locked(struct pm_arena *arena);
void pm_arena_remove_locked(struct pm_arena *arena);
bool pm_arena_take_locked(struct pm_span *span, size_t slices, size_t align);
bool pm_arena_extend_locked(struct pm_span *span, size_t slices);
void pm_arena_free_locked(struct pm_arena *arena, size_t first, size_t slices);
void pm_arena_clean_locked(struct pm_arena *arena, size_t first, size_t slices);
size_t pm_arena_excess_locked(void);
struct pm_arena *pm_arena_unlink_empty_locked(size_t keep);

/* The numbers in its arena of the span's first slice, and of the first behind it. */
PM_INLINE size_t pm_arena_slice_of(const struct pm_span *span)
{
    return (span->start - span->arena->base) >> PM_SLICE_SHIFT;
}

PM_INLINE size_t pm_arena_slice_after(const struct pm_span *span)
{
    return pm_arena_slice_of(span) + span->slices;
}

/* Bytes of the span that exist: a dedicated arena ends with a page, not a slice. */
size_t pm_arena_span_bytes(const struct pm_span *span);

/*
 * For purge.c, under pm_arena_lock: holds the first dirty (or aged) run from
 * slice `from` on as if it were taken (and no longer dirty, lest a second thread
 * purge it as well), so that it may be purged without the lock; returns its
 * length in slices, 0 when there is none.  The arena cannot
 * go away until pm_arena_unlock_run() frees the run again, `clean` or still dirty.
 */
size_t pm_arena_lock_dirty_run(struct pm_arena *arena, bool aged_only, size_t from, size_t *first);
void pm_arena_unlock_run(struct pm_arena *arena, size_t first, size_t count, bool clean);

/* The most bytes that spans have ever held at one time; takes no lock. */
size_t pm_arena_peak_taken(void);

/* Is `address` inside any arena?  For messages only: takes the lock and walks. */
bool pm_arena_contains(const void *address);

/*
 * The invariants of all arenas, asserted (aborts with a message):
 *   taken_count and dirty_count are what the bitmaps say
 *   a dirty slice is free, an aged one dirty; no slice below search_from is free
 *   shared arenas come before dedicated ones, linked both ways
 *   a span that the owner map names lies in its arena, on taken slices
 */
void pm_arena_check(void);

struct pm_arena_totals {
    size_t arenas;
    size_t mapped; /* bytes */
    size_t taken;
    size_t dirty;
    size_t peak_taken;
};

void pm_arena_totals(struct pm_arena_totals *totals);
void pm_arena_totals_locked(struct pm_arena_totals *totals);

#endif /* PM_ARENA_ARENA_H */
