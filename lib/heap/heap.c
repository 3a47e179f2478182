/*
 * heap.c - heaps off the fast path: which pool a thread allocates from next,
 * and what becomes of pools that fill up or run empty.
 */
#include "heap/heap.h"

#include "arena/purge.h"
#include "heap/floating.h"
#include "os/fatal.h"

#include "config.h"

enum {
    TICK_REFILLS = 64,         /* refills between two looks at the clock */
    DEBUG_CHECK_REFILLS = 256, /* refills between two full checks in debug builds */
    PARTIAL_LOOKED = 8,        /* partial pools asked for a block before fresh memory is used */
};

/* Filled in by the compiler, because the first call may come before any code of ours. */
struct pm_heap pm_heap_none = {
    .direct = {[0 ... PM_DIRECT_COUNT - 1] = &pm_pool_none},
    .tlb = {[0 ... PM_TLB_SLOTS - 1] = &pm_pool_none},
};

void pm_heap_clear(struct pm_heap *heap)
{
    for (size_t i = 0; i < PM_DIRECT_COUNT; i++)
        heap->direct[i] = &pm_pool_none;
    for (size_t i = 0; i < PM_TLB_SLOTS; i++)
        heap->tlb[i] = &pm_pool_none;
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        heap->bin[class] = (struct pm_bin){&pm_pool_none, NULL, NULL};
}

static void tlb_forget(struct pm_heap *heap, struct pm_pool *pool)
{
    size_t slice = pool->span.start >> PM_SLICE_SHIFT;
    for (size_t i = 0; i < pool->span.slices; i++) {
        struct pm_pool **slot = &heap->tlb[(slice + i) % PM_TLB_SLOTS];
        if (*slot == pool)
            *slot = &pm_pool_none;
    }
}

static void bin_append(struct pm_bin *bin, struct pm_pool *pool)
{
    pool->next = NULL;
    pool->prev = bin->last;
    if (bin->last != NULL)
        bin->last->next = pool;
    else
        bin->first = pool;
    bin->last = pool;
}

static void bin_remove(struct pm_bin *bin, struct pm_pool *pool)
{
    if (pool->prev != NULL)
        pool->prev->next = pool->next;
    else
        bin->first = pool->next;
    if (pool->next != NULL)
        pool->next->prev = pool->prev;
    else
        bin->last = pool->prev;
}

/* Makes `pool` the one that direct[] names for every size of the class. */
static void set_direct(struct pm_heap *heap, unsigned class, struct pm_pool *pool)
{
    size_t largest = pm_class_size(class);
    size_t smaller = class == 0 ? 0 : pm_class_size(class - 1) + PM_GRANULE;
    for (size_t size = smaller; size <= largest && size <= PM_DIRECT_MAX; size += PM_GRANULE)
        heap->direct[size / PM_GRANULE] = pool;
}

static void to_current(struct pm_heap *heap, struct pm_pool *pool)
{
    pool->state = PM_POOL_CURRENT;
    pool->used++; /* as if one block more were live: it never looks empty */
    pool->origin = heap;
    atomic_store_explicit(&pool->owner, heap, memory_order_relaxed);
    heap->bin[pool->class].current = pool;
    set_direct(heap, pool->class, pool);
}

static void from_current(struct pm_heap *heap, struct pm_pool *pool)
{
    pool->used--;
    heap->bin[pool->class].current = &pm_pool_none;
    set_direct(heap, pool->class, &pm_pool_none);
}

/* False when blocks came back just now: the pool stays current. */
static bool current_to_floating(struct pm_heap *heap, struct pm_pool *pool)
{
    from_current(heap, pool);
    tlb_forget(heap, pool);
    if (pm_floating_release(pool, false, true))
        return true;
    to_current(heap, pool);
    return false;
}

/* A block that was used before: memory that is resident already. */
static bool has_used_block(struct pm_pool *pool)
{
    return pool->free != PM_LINK_NONE || pm_pool_collect(pool);
}

/*
 * The partial pool that has waited longest, and so has gathered most blocks
 * (comparing for the fullest was measured: the looking costs more time than it
 * saves memory).  NULL when none of the first few has a block used before.
 */
static struct pm_pool *take_partial(struct pm_bin *bin)
{
    struct pm_pool *pool = bin->first;
    for (int looked = 0; pool != NULL && looked < PARTIAL_LOOKED; looked++, pool = pool->next) {
        if (has_used_block(pool)) {
            bin_remove(bin, pool);
            return pool;
        }
    }
    return NULL;
}

/* The partial pool that came last: one that waits for its fresh blocks to be carved. */
static struct pm_pool *take_last_partial(struct pm_bin *bin)
{
    struct pm_pool *pool = bin->last;
    if (pool != NULL)
        bin_remove(bin, pool);
    return pool;
}

static void on_refill(struct pm_heap *heap)
{
    heap->refills++;
    if (heap->refills % TICK_REFILLS == 0)
        pm_purge_tick();
    if (PM_DEBUG && heap->refills % DEBUG_CHECK_REFILLS == 0)
        pm_heap_check(heap);
}

/* Where blocks are to be had that cost no fresh memory. */
static struct pm_pool *take_used(struct pm_heap *heap, unsigned class)
{
    struct pm_pool *pool = take_partial(&heap->bin[class]);
    return pool != NULL ? pool : pm_floating_take(class);
}

static struct pm_pool *take_fresh(struct pm_heap *heap, unsigned class)
{
    struct pm_pool *pool = take_last_partial(&heap->bin[class]);
    return pool != NULL ? pool : pm_pool_create(class, heap);
}

/* A pool that is in no list waits to become current, unless nothing in it is live. */
static void set_aside(struct pm_heap *heap, struct pm_pool *pool)
{
    if (pool->used != 0) {
        pm_heap_adopt(heap, pool);
        return;
    }
    tlb_forget(heap, pool);
    pm_pool_destroy(pool);
}

/* The current pool waits for its fresh blocks, or floats: then false as below. */
static bool set_current_aside(struct pm_heap *heap, struct pm_pool *pool)
{
    if (pool->carved + 1u == pool->limit)
        return current_to_floating(heap, pool);
    from_current(heap, pool);
    set_aside(heap, pool);
    return true;
}

struct pm_pool *pm_heap_refill(struct pm_heap *heap, unsigned class)
{
    on_refill(heap);
    struct pm_pool *pool = heap->bin[class].current;
    bool present = pool != &pm_pool_none;
    if (present && has_used_block(pool))
        return pool;
    struct pm_pool *next = take_used(heap, class);
    if (next == NULL && present && pm_pool_carve(pool))
        return pool;
    if (next == NULL)
        next = take_fresh(heap, class);
    if (next == NULL)
        return NULL;
    /* An arena allocator that allocates may have refilled this class meanwhile. */
    pool = heap->bin[class].current;
    if (pool != &pm_pool_none && !set_current_aside(heap, pool)) { /* blocks came back */
        set_aside(heap, next);
        return pool;
    }
    to_current(heap, next);
    if (!has_used_block(next) && !pm_pool_carve(next))
        pm_fatal_broken("a pool that becomes current has a free block", next);
    return next;
}

void pm_heap_adopt(struct pm_heap *heap, struct pm_pool *pool)
{
    pool->state = PM_POOL_PARTIAL;
    atomic_store_explicit(&pool->owner, heap, memory_order_relaxed);
    bin_append(&heap->bin[pool->class], pool);
}

void pm_heap_partial_to_gone(struct pm_heap *heap, struct pm_pool *pool)
{
    bin_remove(&heap->bin[pool->class], pool);
    tlb_forget(heap, pool);
    pm_pool_destroy(pool);
}

/* Lets the current pool go when nothing in it is live. */
static void collect_current(struct pm_heap *heap, struct pm_pool *pool)
{
    pm_pool_collect(pool);
    if (pool->used > 1)
        return;
    from_current(heap, pool);
    tlb_forget(heap, pool);
    pm_pool_destroy(pool);
}

void pm_heap_collect(struct pm_heap *heap)
{
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        if (bin->current != &pm_pool_none)
            collect_current(heap, bin->current);
        for (struct pm_pool *pool = bin->first, *next; pool != NULL; pool = next) {
            next = pool->next;
            pm_pool_collect(pool);
            if (pool->used == 0)
                pm_heap_partial_to_gone(heap, pool);
        }
    }
}

void pm_heap_abandon(struct pm_heap *heap)
{
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        if (bin->current != &pm_pool_none) {
            struct pm_pool *pool = bin->current;
            from_current(heap, pool);
            pm_floating_release(pool, true, false);
        }
        while (bin->first != NULL) {
            struct pm_pool *pool = bin->first;
            bin_remove(bin, pool);
            pm_floating_release(pool, true, false);
        }
    }
    pm_heap_clear(heap);
}
