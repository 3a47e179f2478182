/*
 * census.h - what the heap holds, counted when somebody asks: the fast path
 * keeps no counters for it.
 */
#ifndef PM_HEAP_CENSUS_H
#define PM_HEAP_CENSUS_H

#include "arena/arena.h"

/* Bytes unless said otherwise; other threads may change it all meanwhile. */
struct pm_census {
    size_t allocated; /* in live blocks, large ones included */
    size_t large;
    size_t live_blocks; /* count */
    size_t large_blocks;
    size_t pools;
    struct pm_arena_totals arenas; /* of the same moment */
};

void pm_census_take(struct pm_census *census);

#endif /* PM_HEAP_CENSUS_H */
