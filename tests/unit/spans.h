/*
 * spans.h - what the unit tests that take spans of their own share.
 */
#ifndef TESTS_UNIT_SPANS_H
#define TESTS_UNIT_SPANS_H

#include "unit.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/spans.h"
#include "heap/large.h"

/* A span that is used as a whole, and in the owner map, as a large block's. */
static inline void unit_take_span(struct pm_span *one, size_t slices)
{
    ck_assert(pm_spans_take(one, PM_SPAN_LARGE, slices, PM_SLICE));
    pm_arena_use(one, PM_SPAN_CLEAN);
    pm_ownermap_set(one->start, 1, one);
}

/* A block that is free, yet not given back. */
static inline struct pm_large *unit_spare(size_t slices)
{
    struct pm_large *large = pm_large_new();
    ck_assert_ptr_nonnull(large);
    ck_assert(pm_spans_take_resident(&large->span, slices, PM_SLICE));
    pm_large_enter(large);
    return large;
}

#endif /* TESTS_UNIT_SPANS_H */
