/*
 * arena.h - arenas: large pieces of address space, dealt out in spans.
 *
 * A slice is taken, part of a span in use, or free; or gone, unmapped for good, which
 * happens when the system refuses more address space.  A page of a free slice is in
 * one of three states, written in two bitmaps:
 *
 *   clean            reads as zero and, as far as we know, is not resident
 *   dirty            was used, and is still resident
 *   dirty and aged   dirty since before the last tick of purge.c
 *
 * and moves
 *
 *   clean -> taken -> dirty -> aged -> clean   (purge.c gives the pages back)
 *                     dirty, aged -> taken     (reused while still resident)
 *                     taken -> clean           (its span has never used it)
 *
 * The pages of one slice become dirty at the same time.
 *
 * Spans are taken from the oldest arena with room, there as choose.h says: so what is resident
 * already is used before what is not, and the youngest arenas run empty and can be given back
 * whole.
 *
 * A block too large to share an arena gets one of its own ("dedicated"): one
 * mapping, remapped when the block grows, and unmapped when it is freed or a while
 * later (kept.h).
 */
#ifndef PM_ARENA_ARENA_H
#define PM_ARENA_ARENA_H

#include <stdatomic.h>

#include "arena/provider.h"
#include "arena/runs.h"
#include "arena/span.h"
#include "os/lock.h"

/* A block from this size on has an arena to itself. */
#define PM_DEDICATED_MIN (32 * PM_MIB)

/* What the system is told about an arena: see hugepages.h. */
enum pm_hugepages {
    PM_HUGEPAGES_SYSTEM,  /* nothing: it does as it is set up to */
    PM_HUGEPAGES_ADVISED, /* to use huge pages; the arena is dedicated, or for pools only */
    PM_HUGEPAGES_NEVER,
};

struct pm_arena {
    struct pm_arena *next, *prev; /* shared ones by age, then dedicated; under pm_arena_lock */
    uintptr_t base;               /* of slice 0; a multiple of the slice unless dedicated */
    size_t slices;
    bool dedicated;
    bool rested;  /* kept.c's: was kept when a decay time ended */
    bool watched; /* the same: it was taken fresh, for a block that is to be zero */

    /* hugepages.c's; relaxed: nothing hangs on them but speed. */
    _Atomic enum pm_hugepages hugepages;
    _Atomic size_t tried; /* the bytes from base on that have been looked at */

    /* The mapping that base lies in, the bytes of it that have gone, and where it goes back to. */
    uintptr_t map_start;
    size_t map_size;
    size_t map_gone;
    struct pm_provider provider;

    /* Under pm_arena_lock. */
    size_t taken_count;  /* slices */
    size_t gone_count;   /* the same */
    size_t dirty_count;  /* pages */
    struct pm_runs runs; /* of free slices */
    size_t no_run;       /* choose.c's: none is so long */
    uint64_t *taken;     /* by slice, with those that have gone */
    uint64_t *gone;
    uint64_t *dirty; /* by page, as the next */
    uint64_t *aged;
};

extern struct pm_lock pm_arena_lock;

/* The list's head; under pm_arena_lock.  Dedicated arenas may be many. */
extern struct pm_arena *pm_arena_list;

/* Which of the free pages a span is to have. */
enum pm_arena_choice {
    PM_ARENA_FIRST,         /* those where the run begins */
    PM_ARENA_RESIDENT,      /* of a long span: resident ones of the run before clean ones */
    PM_ARENA_RESIDENT_ONLY, /* those where the run begins, and there is room to grow, if most are */
};

/*
 * The books; all under pm_arena_lock.
 *
 * insert, remove: an arena of mapping.c's, to and from the list.
 * take:    fills `span`, of a kind already, with `slices` slices at an address aligned to
 *          `align`; false when no arena for that kind has them, or none such as are chosen.
 * extend:  makes `span` longer, and uses it all; false when the slices after it are not free.
 * free:    taken slices become free, and their pages dirty but for those in `clean`.
 * clean:   the pages of free slices are known to read as zero.
 * lose:    free slices have been unmapped, so many bytes in all.
 * dedicated: bytes of dedicated arenas.
 * unlink_empty: takes the last arena without a span off the list when there are
 *          more than `keep` bytes of such; NULL otherwise.
 */
void pm_arena_insert_locked(struct pm_arena *arena);
void pm_arena_remove_locked(struct pm_arena *arena);
bool pm_arena_take_locked(struct pm_span *span, size_t slices, size_t align,
                          enum pm_arena_choice choice);
bool pm_arena_extend_locked(struct pm_span *span, size_t slices);
void pm_arena_free_locked(struct pm_arena *arena, size_t first, size_t slices, uint64_t clean);
void pm_arena_clean_locked(struct pm_arena *arena, size_t first, size_t slices);
void pm_arena_lose_locked(struct pm_arena *arena, size_t first, size_t slices, size_t bytes);
size_t pm_arena_dedicated_locked(void);
struct pm_arena *pm_arena_unlink_empty_locked(size_t keep);

PM_INLINE enum pm_hugepages pm_arena_hugepages(const struct pm_arena *arena)
{
    return atomic_load_explicit(&arena->hugepages, memory_order_relaxed);
}

/* The bytes of its mapping that are left. */
PM_INLINE size_t pm_arena_mapped(const struct pm_arena *arena)
{
    return arena->map_size - arena->map_gone;
}

/* Where a slice begins, and the one before it ends; slack at both ends of the mapping belongs to
 * the first and the last. */
PM_INLINE uintptr_t pm_arena_boundary(const struct pm_arena *arena, size_t slice)
{
    if (slice == 0)
        return arena->map_start;
    return slice == arena->slices ? arena->map_start + arena->map_size
                                  : arena->base + (slice << PM_SLICE_SHIFT);
}

/* The numbers in its arena of the span's first slice, and of the first behind it. */
PM_INLINE size_t pm_arena_slice_of(const struct pm_span *span)
{
    return (span->start - span->arena->base) >> PM_SLICE_SHIFT;
}

PM_INLINE size_t pm_arena_slice_after(const struct pm_span *span)
{
    return pm_arena_slice_of(span) + span->slices;
}

/*
 * The pieces of the mapping that have not gone: each that begins at slice `*slice` or behind
 * it, which moves behind the piece; false at the end.  Under pm_arena_lock, or where nobody else
 * has the arena.
 */
struct pm_arena_piece {
    void *start;
    size_t bytes;
};
bool pm_arena_next_piece(const struct pm_arena *arena, size_t *slice, struct pm_arena_piece *piece);

/* Does `address` lie in what is left of the arena? */
bool pm_arena_holds_locked(const struct pm_arena *arena, uintptr_t address);

/* Bytes of the span that exist: a dedicated arena ends with a page, not a slice. */
size_t pm_arena_span_bytes(const struct pm_span *span);

/*
 * For purge.c, under pm_arena_lock: holds the slices of the first run of dirty (or aged) pages
 * from page `from` on as if they were taken (and the pages no longer dirty, lest a second
 * thread purge them as well), so that they may be purged without the lock; false when there
 * is none.  Clean pages between dirty ones of neighbouring slices belong to the run.  The
 * arena cannot go away until pm_arena_unlock_run() frees the slices again, the pages
 * `clean` or still dirty.
 */
struct pm_arena_run {
    size_t first, pages;
};
bool pm_arena_lock_run(struct pm_arena *arena, bool aged_only, size_t from,
                       struct pm_arena_run *run);
void pm_arena_unlock_run(struct pm_arena *arena, const struct pm_arena_run *run, bool clean);

/* How many pages so many slices are, and which slice of its arena a page lies in. */
size_t pm_arena_pages(size_t slices);
size_t pm_arena_slice_of_page(size_t page);

/* For the owner of a span: these of its clean pages are used from now on; no lock. */
void pm_arena_use_clean(struct pm_span *span, uint64_t pages);

/* The same of pages that may be used already, as most are where memory is reused; */
PM_INLINE void pm_arena_use(struct pm_span *span, uint64_t pages)
{
    if ((span->clean & pages) != 0)
        pm_arena_use_clean(span, pages);
}

/* or they are clean from now on. */
void pm_arena_unuse(struct pm_span *span, uint64_t pages);

/* So many of a short span's pages have been purged without its owner, for whom they are not clean;
 * at the next such occasion they, and those found then, are so many in all. */
void pm_arena_send_away(struct pm_span *span, size_t pages);

/* The owner does not know which they are: all count as used again. */
void pm_arena_take_in(struct pm_span *span);

/* The bytes that spans use now, and the most they have ever used at one time; no lock. */
size_t pm_arena_used(void);
size_t pm_arena_peak_used(void);

/* The bytes of free pages that can be purged; no lock. */
size_t pm_arena_dirty(void);

/* Is `address` inside any arena?  For messages only: takes the lock and walks. */
bool pm_arena_contains(const void *address);

/*
 * The invariants of all arenas, asserted (aborts with a message):
 *   taken_count, gone_count and dirty_count are what the bitmaps say
 *   a dirty page's slice is free, an aged page dirty
 *   no run of free slices is as long as no_run; those of runs.h
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

struct pm_arena_totals pm_arena_totals(void);
struct pm_arena_totals pm_arena_totals_locked(void);

#endif /* PM_ARENA_ARENA_H */
