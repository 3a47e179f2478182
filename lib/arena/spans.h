/*
 * spans.h - what the layers above ask of arenas: spans, taken and given back.
 * Brings together the books (arena.h), new mappings (mapping.h) and the return
 * of free pages (purge.h).
 */
#ifndef PM_ARENA_SPANS_H
#define PM_ARENA_SPANS_H

#include "arena/span.h"
#include "os/os.h"

/* Slices come in packets of so many bytes, so that every span is whole pages. */
PM_INLINE size_t pm_spans_unit(void)
{
    size_t page = pm_os_page_size();
    return page < PM_SLICE ? PM_SLICE : page;
}

/* The slices of a span for `bytes`. */
PM_INLINE size_t pm_spans_slices(size_t bytes)
{
    return pm_align_up(bytes, pm_spans_unit()) >> PM_SLICE_SHIFT;
}

/*
 * Fills `span` with `slices` slices (of pm_spans_slices()) whose first address is a multiple of
 * `align` bytes (a power of two, at least the slice).  The span is not in the
 * owner map yet.  False when memory runs out.
 */
bool pm_spans_take(struct pm_span *span, enum pm_span_kind kind, size_t slices, size_t align);

/* As pm_spans_take(), for a large block whose bytes will be written: resident pages are better than
 * clean ones. */
bool pm_spans_take_resident(struct pm_span *span, size_t slices, size_t align);

/* As pm_spans_take(), for a large block, but only slices that are resident for the most part. */
bool pm_spans_take_resident_only(struct pm_span *span, size_t slices);

/* As pm_spans_take(), for a large block of any length, but nothing is mapped for it. */
bool pm_spans_take_hole(struct pm_span *span, size_t slices, size_t align);

/* As pm_spans_take(), for large blocks of the same length, under one lock, as far as nothing is
 * mapped for it; returns how many there are. */
size_t pm_spans_take_alike(struct pm_span *const *spans, size_t count, size_t slices);

/*
 * As pm_spans_take(), for a large block, in an arena of its own of just `bytes` (whole pages);
 * `align` may be less than the slice.  It may be one that another block has left (kept.h);
 * where `zero` is wanted it is that only if all of its pages will probably be touched.
 */
bool pm_spans_take_dedicated(struct pm_span *span, size_t bytes, size_t align, bool zero);

/* The same for one that grows, so there may be more than `bytes`; false when no other block has
 * left such an arena. */
bool pm_spans_take_roomy(struct pm_span *span, size_t bytes);

/* Takes the span out of the owner map and frees its slices. */
void pm_spans_give(struct pm_span *span);

/* Frees the slices of large blocks' spans that are in no owner map and no arena of their own. */
void pm_spans_give_all(struct pm_span *const *spans, size_t count);

/* Makes `span` longer where it is; false when the slices after it are not free. */
bool pm_spans_extend(struct pm_span *span, size_t slices);

/* Frees the slices of `span` from the `slices`th on; all of it has been used. */
void pm_spans_cut(struct pm_span *span, size_t slices);

/*
 * Moves `span`, contents and all, to a dedicated arena of `bytes` by
 * remapping pages: its start changes.  The owner map's entry is cleared, and the
 * caller enters the span again.  False when the pages cannot be remapped:
 * address, size and contents are as before.
 */
bool pm_spans_remap(struct pm_span *span, size_t bytes);

/* The large block of `span` has moved to `place`, which is taken: the owner map knows it there, and
 * no more where it was. */
void pm_spans_move(struct pm_span *span, const struct pm_span *place);

/*
 * The first span of the arena at or behind slice `*slice`, which moves behind it;
 * NULL at the end.  Under pm_arena_lock, or with no other thread about.
 */
struct pm_span *pm_spans_next(const struct pm_arena *arena, size_t *slice);

/* The same for spans that begin before slice `end`. */
struct pm_span *pm_spans_next_before(const struct pm_arena *arena, size_t *slice, size_t end);

#endif /* PM_ARENA_SPANS_H */
