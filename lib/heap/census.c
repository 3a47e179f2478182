/*
 * census.c - see census.h.
 */
#include "heap/census.h"

#include "arena/arena.h"
#include "arena/spans.h"
#include "heap/large.h"
#include "pool/pool.h"

/* The number of blocks in use is at hand, but for pools that somebody allocates from. */
static PM_RACY_READ size_t count_live(const struct pm_pool *pool)
{
    uint8_t state = __atomic_load_n(&pool->state, __ATOMIC_RELAXED);
    uint32_t used = state == PM_POOL_FULL ? pm_pool_used_of_full(pool) : pool->used;
    bool is_torn = used > pm_pool_blocks(pool); /* it became full, or ceased to be, just now */
    if (state == PM_POOL_CURRENT || is_torn ||
        __atomic_load_n(&pool->state, __ATOMIC_RELAXED) != state)
        return pm_pool_count_live(pool);
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    uint32_t remote = PM_REMOTE_COUNT(word);
    return used > remote ? used - remote : 0;
}

static void count_pool(struct pm_census *census, const struct pm_pool *pool)
{
    size_t live = count_live(pool);
    census->pools++;
    census->live_blocks += live;
    census->allocated += live * pool->shape.size;
}

static PM_RACY_READ void count_large(struct pm_census *census, const struct pm_large *large)
{
    size_t usable = pm_large_usable(large);
    if (usable == 0) /* spare */
        return;
    census->large_blocks++;
    census->live_blocks++;
    census->large += usable;
    census->allocated += usable;
}

static void count_span(struct pm_census *census, struct pm_span *span)
{
    if (span->kind == PM_SPAN_POOL)
        count_pool(census, pm_pool_of_span(span));
    else
        count_large(census, pm_large_of_span(span));
}

void pm_census_take(struct pm_census *census)
{
    *census = (struct pm_census){0};
    pm_lock(&pm_arena_lock); /* a span found in the owner map stays until it is released */
    for (struct pm_arena *arena = pm_arena_list; arena != NULL; arena = arena->next) {
        struct pm_span *span;
        for (size_t slice = 0; (span = pm_spans_next(arena, &slice)) != NULL;)
            count_span(census, span);
    }
    census->arenas = pm_arena_totals_locked();
    pm_unlock(&pm_arena_lock);
}
