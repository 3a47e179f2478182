/*
 * idle.c - see idle.h.
 */
#include "heap/idle.h"

#include "arena/arena.h"
#include "arena/purge.h"

enum {
    IDLE_STEP = 128 << 10, /* bytes of pools made between two looks at the idle ones */
    IDLE_MAX = 256 << 10,  /* bytes of idle pools that stay, even if they are most of all */
    GROWTH_STEPS = 256,    /* of the peak, between two times idle ones go because it grows, */
    GROWTH_MIN = 64 << 10, /* and as many bytes */
    TIDY_STEP = 256 << 10, /* bytes of growth, at least, between two times all pools are purged */
};

/*
 * Lets a current pool go in which nothing is live: at once, or when that was so the last
 * time too and no block came back since.  Returns the bytes of one that stays for now.
 */
static size_t age_current(struct pm_heap *heap, struct pm_bin *bin, bool at_once)
{
    struct pm_pool *pool = bin->current;
    pm_pool_collect(pool);
    bool touched = pool->used != pool->used_current, was_idle = pool->rested == 0;
    if (!touched && !was_idle) /* as many are live as the last time, or more */
        return 0;
    bool idle = !pm_pool_has_live(pool) && pm_pool_used(pool) == 0;
    if (idle && (at_once || !touched)) {
        pm_heap_drop_current(heap, bin);
        return 0;
    }
    pm_pool_set_current(pool);
    if (!idle)
        return 0;
    pm_pool_rest(pool, 0);
    return pm_span_bytes(&pool->span);
}

static size_t age_all(struct pm_heap *heap, bool at_once)
{
    size_t idle = 0;
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        if (heap->bin[class].current != &pm_pool_none)
            idle += age_current(heap, &heap->bin[class], at_once);
    }
    return idle;
}

/*
 * A current pool in which nothing is live is kept for the next block of its class.
 * While the process grows, it goes: others may use its pages before they ask for
 * more.  (A steady program does not grow, so there no pool comes and goes with every call.)
 * When classes without a pool have made theirs, IDLE_STEP in all, it goes if nobody
 * used it meanwhile: a buffer that grows through all classes would leave an empty pool in
 * each.  All idle ones go when they are the larger part of what the process uses.
 */
void pm_idle_look(struct pm_heap *heap)
{
    size_t peak = pm_arena_peak_used();
    bool grows = peak > heap->idle_below;
    if (!grows && heap->made_bytes < IDLE_STEP)
        return;
    size_t step = peak / GROWTH_STEPS;
    heap->idle_below = peak + (step > GROWTH_MIN ? step : GROWTH_MIN);
    heap->made_bytes = 0;
    if (peak > heap->tidy_below && pm_purge_decay() >= 0) {
        heap->tidy_below = peak + peak / 8 + TIDY_STEP;
        pm_heap_tidy(heap);
    }
    size_t idle = age_all(heap, grows);
    if (idle > IDLE_MAX && idle > pm_arena_used() / 2)
        age_all(heap, true);
}

void pm_idle_drop(struct pm_heap *heap)
{
    age_all(heap, true);
}
