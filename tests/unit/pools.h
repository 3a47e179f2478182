/*
 * pools.h - what the unit tests that make pools of their own share.
 */
#ifndef TESTS_UNIT_POOLS_H
#define TESTS_UNIT_POOLS_H

#include "unit.h"

#include "arena/ownermap.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/heap.h"
#include "pool/pool_purge.h"

/* As the room of a new pool: enough for a fair number of any blocks, not for a longer pool. */
#define UNIT_ROOMY ((size_t)256 * PM_KIB)

/* A heap of the test's own; it needs a pm_heap_clear(). */
#define UNIT_HEAP(name)                                                                            \
    static struct pm_bin name##_bins[PM_CLASS_COUNT];                                              \
    static struct pm_batch name##_batches[PM_BATCH_SLOTS];                                         \
    static struct pm_heap name = {.bin = name##_bins,                                              \
                                  .batch = name##_batches,                                         \
                                  .tlb_at = name.tlb,                                              \
                                  .tlb = {[PM_TLB_SLOTS - 1] = NULL}}

/* No pool is found in it. */
static inline void unit_check_no_entries(const struct pm_heap *heap)
{
    for (size_t slot = 0; slot < PM_TLB_SLOTS; slot++)
        ck_assert_ptr_null(heap->tlb_at[slot]);
}

/* A block that holds the pattern of 1. */
static inline char *unit_filled(size_t size)
{
    char *block = pm_alloc(size);
    ck_assert_ptr_nonnull(block);
    unit_fill(block, size, 1);
    return block;
}

/* The pool that a block lies in. */
static inline struct pm_pool *unit_pool_of(const void *block)
{
    return pm_pool_of_span(pm_ownermap_get(block));
}

/* How many pools there are, and how many blocks are live, in the whole process. */
static inline size_t unit_pools(void)
{
    struct pm_census census;
    pm_census_take(&census);
    return census.pools;
}

static inline size_t unit_live(void)
{
    struct pm_census census;
    pm_census_take(&census);
    return census.live_blocks;
}

/* Takes a block, carving where needed; NULL when the pool is full. */
static inline char *unit_take(struct pm_pool *pool)
{
    if (pool->free == PM_LINK_NONE && !pm_pool_carve(pool))
        return NULL;
    return pm_pool_pop(pool);
}

/* Purges one pool; returns the bytes. */
static inline size_t unit_purge(struct pm_pool *pool)
{
    struct pm_pool_purge purge;
    pm_pool_purge_begin(&purge);
    pm_pool_purge(&purge, pool);
    return pm_pool_purge_noted(&purge);
}

/* Takes a block of the heap, as an allocation does; NULL when there is no memory. */
static inline void *unit_pop(struct pm_heap *from, unsigned class)
{
    struct pm_pool *pool = from->bin[class].current;
    if (pool->free == PM_LINK_NONE)
        pool = pm_heap_refill(from, class);
    return pool == NULL ? NULL : pm_pool_pop(pool);
}

/* Frees a block into a current pool, as its owner does that looks at the clock now and then. */
static inline void unit_push(struct pm_pool *pool, uint32_t block)
{
    if (pm_pool_push(pool, block))
        pool->used = pool->used_current;
}

/* The number of the pool's `i`th block. */
static inline uint32_t unit_nth(const struct pm_pool *pool, uint32_t i)
{
    return pool->shape.first + i;
}

/* A new pool of `heap` with one live block and some free ones, partial as after a claim. */
static inline struct pm_pool *unit_partial_pool(struct pm_heap *heap, unsigned class)
{
    struct pm_pool *pool = pm_pool_create(class, UNIT_ROOMY, heap);
    ck_assert_ptr_nonnull(pool);
    ck_assert(pm_pool_carve(pool));
    pm_pool_pop(pool);
    pm_pool_unset_current(pool);
    pm_heap_take_back(heap, pool);
    return pool;
}

/* A pool of `heap` with `count` live blocks at least. */
static inline struct pm_pool *unit_used_pool(struct pm_heap *heap, unsigned class, uint32_t count)
{
    struct pm_pool *pool = pm_pool_create(class, UNIT_ROOMY, heap);
    ck_assert_ptr_nonnull(pool);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_ptr_nonnull(unit_take(pool));
    return pool;
}

/* The pool's `i`th block is freed by the thread of `heap`. */
static inline void unit_free_from(struct pm_heap *heap, struct pm_pool *pool, uint32_t i)
{
    pm_free_slow(pm_pool_address(pool, unit_nth(pool, i)), 0, "free", heap);
}

/* A live block of a pool that is in no other thread's hands is on the list in `remote`. */
static inline void unit_free_remotely(struct pm_pool *pool, uint32_t block)
{
    uint64_t word = atomic_load(&pool->remote);
    pm_link_set(pool, block, PM_REMOTE_HEAD(word));
    atomic_store(&pool->remote, ((word & ~(uint64_t)0xffff) | block) + PM_REMOTE_ONE);
}

/* Takes in remote frees everywhere, and lets go of pools that hold nothing; purges nothing. */
static inline void unit_collect(struct pm_heap *heap)
{
    struct pm_pool_list gone;
    pm_list_clear(&gone);
    pm_heap_gather(heap);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        struct pm_pool_list *partial = &heap->bin[class].partial;
        for (struct pm_pool *pool = pm_list_first(partial), *next; pool != NULL; pool = next) {
            next = pm_list_next(partial, pool);
            pm_heap_take_in(heap, pool, &gone);
        }
    }
    pm_heap_drop(&gone);
}

/* How many blocks are on the list in `remote`. */
static inline uint32_t unit_remote_count(const struct pm_pool *pool)
{
    return PM_REMOTE_COUNT(atomic_load(&pool->remote));
}

#endif /* TESTS_UNIT_POOLS_H */
