/*
 * span.h - a run of slices inside an arena, and the words for its size.
 *
 * A slice is the unit in which arenas are dealt out and in which addresses
 * are mapped to owners.  Where a page is larger, slices are dealt out by the page.
 */
#ifndef PM_ARENA_SPAN_H
#define PM_ARENA_SPAN_H

#include "os/compiler.h"

#define PM_SLICE_SHIFT 14
#define PM_SLICE ((size_t)1 << PM_SLICE_SHIFT)

struct pm_arena;

enum pm_span_kind {
    PM_SPAN_POOL = 1, /* blocks of one size class: struct pm_pool */
    PM_SPAN_LARGE,    /* one block: struct pm_large */
};

/* Written while nobody else can see the span; constant until it is given back, but for `clean`
 * and `away`. */
struct pm_span {
    uintptr_t start; /* the first byte; a multiple of the slice unless remapped */
    struct pm_arena *arena;
    uint64_t clean; /* the owner's: see below */
    uint32_t slices;
    uint8_t kind; /* enum pm_span_kind */
    uint8_t away; /* pages not clean and yet not in use: pm_arena_send_away() */
};

/*
 * Bit n of `clean`: page n of the span is not resident, and reads as zero, or will in a moment
 * (pool/pool_purge.h).  Bits of pages that do not exist are set.  A span of more than PM_SPAN_PAGES
 * pages is clean as a whole, or not.
 */
#define PM_SPAN_CLEAN UINT64_MAX
#define PM_SPAN_PAGES 64

PM_INLINE size_t pm_span_bytes(const struct pm_span *span)
{
    return (size_t)span->slices << PM_SLICE_SHIFT;
}

#endif /* PM_ARENA_SPAN_H */
