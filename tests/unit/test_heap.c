/*
 * test_heap.c - which pool a heap allocates from, and what becomes of full and of
 * empty ones.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/provider.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/remote.h"

enum { CLASS = 20, BLOCKS = 2000 };

UNIT_HEAP(heap);
UNIT_HEAP(other);

static void setup(void)
{
    pm_purge_set_decay(-1); /* no tick, whatever the time is */
    pm_heap_clear(&heap);
    pm_heap_clear(&other);
}

START_TEST(an_empty_heap_holds)
{
    pm_heap_check(&heap);
    unit_collect(&heap);
    pm_heap_abandon(&heap);
    pm_heap_check(&heap);
    ck_assert_uint_eq(unit_pools(), 0);
}
END_TEST

START_TEST(refill_makes_a_pool_current)
{
    for (unsigned class = 0; class < PM_CLASS_COUNT; class ++) {
        struct pm_pool *pool = pm_heap_refill(&heap, class);
        ck_assert_uint_eq(pool->class, class);
        ck_assert_int_eq(pool->state, PM_POOL_CURRENT);
        ck_assert_uint_ne(pool->free, PM_LINK_NONE);
        ck_assert_ptr_eq(heap.bin[class].current, pool);
        pm_pool_pop(pool);
        pm_heap_check(&heap);
    }
    for (size_t size = 0; size <= PM_DIRECT_MAX; size++)
        ck_assert_ptr_eq(heap.direct[(size + 15) / 16], heap.bin[pm_class_of(size)].current);
    ck_assert_uint_eq(unit_pools(), PM_CLASS_COUNT);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class ++)
        ck_assert(!pm_pool_push(heap.bin[class].current, heap.bin[class].current->shape.first));
    unit_collect(&heap);
    ck_assert_uint_eq(unit_pools(), 0);
    pm_heap_check(&heap);
}
END_TEST

/* Few blocks as long as little is in use: a pool of many would hold much that others could have. */
START_TEST(pools_of_large_blocks_grow_with_the_process)
{
    enum { LARGE_CLASS = PM_CLASS_OBJECTS - 1, SIZE = 32768 };
    ck_assert_uint_eq(pm_pool_blocks(pm_heap_refill(&heap, LARGE_CLASS)), 2);
    uint32_t blocks = 2;
    for (size_t used = 0; used < 128 * 9 * SIZE; used += SIZE) {
        ck_assert_ptr_nonnull(unit_pop(&heap, LARGE_CLASS));
        uint32_t before = blocks;
        blocks = pm_pool_blocks(heap.bin[LARGE_CLASS].current);
        ck_assert_uint_ge(blocks, before);
        ck_assert_uint_le(blocks, 8);
        ck_assert(blocks == 2 || blocks * SIZE <= (used + 8 * SIZE) / 128 + PM_SLICE);
    }
    ck_assert_uint_eq(blocks, 8);
    pm_heap_abandon(&heap);
}
END_TEST

/* What was used before comes first, in the order of waiting; then fresh blocks are carved. */
START_TEST(partial_pools_serve_what_was_used_before)
{
    struct pm_pool *waiting[3];
    size_t used = 0, all = 0;
    for (size_t i = 0; i < 3; i++) {
        waiting[i] = unit_partial_pool(&heap, CLASS);
        used += waiting[i]->carved - waiting[i]->shape.first - 1u;
        all += pm_pool_blocks(waiting[i]) - 1;
    }
    for (size_t i = 0, turn = 0; i < used; i++) {
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
        while (turn < 2 && heap.bin[CLASS].current != waiting[turn])
            turn++;
        ck_assert_ptr_eq(heap.bin[CLASS].current, waiting[turn]);
        pm_heap_check(&heap);
    }
    for (size_t i = used; i < all; i++)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_uint_eq(unit_pools(), 3);
    ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_uint_eq(unit_pools(), 4);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(an_empty_partial_pool_goes)
{
    struct pm_pool *pool[3];
    static const size_t order[] = {1, 0, 2};
    for (size_t i = 0; i < 3; i++)
        pool[i] = unit_partial_pool(&heap, CLASS);
    for (size_t i = 0; i < 3; i++) {
        struct pm_pool *gone = pool[order[i]];
        pm_tlb_enter(&heap, gone, (void *)gone->span.start);
        pm_heap_check(&heap);
        ck_assert(pm_pool_push(gone, gone->shape.first));
        pm_heap_pushed(&heap, gone);
        pm_heap_check(&heap);
        ck_assert_uint_eq(unit_pools(), 2 - i);
    }
    unit_check_no_entries(&heap);
}
END_TEST

/* A current pool with `live` blocks, whose next free is the last that `used` counts. */
static struct pm_pool *about_to_look_at_clock(uint32_t live)
{
    struct pm_pool *pool = pm_heap_refill(&heap, CLASS);
    for (uint32_t i = 0; i < live; i++)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_ptr_eq(heap.bin[CLASS].current, pool);
    pool->used = 1;
    return pool;
}

/* It serves, fills up, and goes when all is back. */
static void works_on(struct pm_pool *pool, uint32_t live)
{
    uint32_t first = pool->shape.first;
    ck_assert_int_eq(pool->state, PM_POOL_CURRENT);
    ck_assert_ptr_eq(heap.bin[CLASS].current, pool);
    ck_assert_uint_eq(pm_pool_used(pool), live);
    pm_heap_check(&heap);
    while (heap.bin[CLASS].current == pool)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_int_eq(pool->state, PM_POOL_FULL);
    pm_heap_check(&heap);
    for (uint32_t block = first, limit = pool->shape.limit; block < limit; block++) {
        if (pm_pool_push(pool, block))
            pm_heap_pushed(&heap, pool);
    }
    ck_assert_uint_eq(unit_pools(), 1); /* the one that came after it */
    pm_heap_check(&heap);
}

START_TEST(a_current_pool_stays_so_after_any_number_of_frees)
{
    struct pm_pool *pool = about_to_look_at_clock(3);
    ck_assert(pm_pool_push(pool, unit_nth(pool, 1)));
    pm_heap_pushed(&heap, pool);
    ck_assert_uint_gt(pool->used, 1);
    ck_assert(!pm_pool_push(pool, unit_nth(pool, 2)));
    works_on(pool, 1);
}
END_TEST

/* What others freed is taken off `used` at once, which must not pass zero unnoticed. */
START_TEST(also_when_others_free_the_last_that_is_counted)
{
    struct pm_pool *pool = about_to_look_at_clock(4);
    uint32_t first = pool->shape.first;
    for (uint32_t i = 0; i < 3; i++)
        pm_remote_free(&other, pool, first + i, "free");
    pm_remote_flush(&other);
    ck_assert(pm_pool_collect(pool));
    pm_heap_check(&heap);
    ck_assert(pm_pool_push(pool, first + 3));
    pm_heap_pushed(&heap, pool);
    works_on(pool, 0);
}
END_TEST

START_TEST(an_emptied_current_pool_goes_when_its_frees_were_all_counted)
{
    struct pm_pool *pool = about_to_look_at_clock(1);
    ck_assert(pm_pool_push(pool, pool->shape.first));
    pm_heap_pushed(&heap, pool);
    ck_assert_ptr_eq(heap.bin[CLASS].current, pool);
    unit_collect(&heap);
    ck_assert_uint_eq(unit_pools(), 0);
    pm_heap_check(&heap);
}
END_TEST

/* A program that only frees and reuses asks for no pool, yet time passes for it.  One that wakes
 * up and makes a hundred calls, of whatever size, gives back what has aged meanwhile. */
START_TEST(frees_look_at_the_clock)
{
    pm_purge_set_decay(1000);
    struct pm_pool *pool = pm_heap_refill(&heap, (unsigned)_i);
    uint64_t before = heap.tick_ms;
    uint32_t frees = 1;
    for (pm_pool_pop(pool); !pm_pool_push(pool, pool->shape.first); pm_pool_pop(pool))
        frees++;
    ck_assert_uint_eq(frees, pool->used_current);
    ck_assert(frees >= 64 && frees <= 128);
    pm_pool_pop(pool); /* the pool stays */
    ck_assert_uint_eq(heap.tick_ms, before);
    pm_heap_pushed(&heap, pool);
    ck_assert_uint_ne(heap.tick_ms, before);
}
END_TEST

START_TEST(what_is_abandoned_serves_others)
{
    for (size_t i = 0; i < BLOCKS; i++)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    size_t before = unit_pools();
    pm_heap_abandon(&heap);
    pm_heap_check(&heap);
    ck_assert_uint_eq(unit_pools(), before);
    ck_assert_ptr_nonnull(unit_pop(&other, CLASS));
    ck_assert_uint_eq(unit_pools(), before); /* the one that was not full */
    pm_heap_check(&other);
}
END_TEST

START_TEST(no_memory_leaves_the_heap_as_it_was)
{
    unit_os_install();
    while (unit_pop(&heap, CLASS) != NULL) {
        if (pm_arena_totals().taken > 2 * PM_MIB)
            unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    }
    pm_heap_check(&heap);
    ck_assert_ptr_null(pm_heap_refill(&heap, CLASS));
    unit_os_heal();
    ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    pm_heap_check(&heap);
}
END_TEST

static struct pm_provider before;

/* An arena allocator that keeps a record of each arena, allocated from us. */
static void *provide(void *context, size_t size)
{
    (void)context;
    pm_free(pm_alloc(64), "free");
    return pm_os_memory.map(size);
}

static void take_back(void *context, void *start, size_t size)
{
    (void)context;
    pm_os_memory.unmap(start, size);
}

START_TEST(a_refill_within_a_refill_loses_no_pool)
{
    struct pm_provider own = {NULL, provide, take_back};
    pm_provider_get(&before);
    pm_provider_set(&own);
    void *block = pm_alloc(64);
    ck_assert_ptr_nonnull(block);
    pm_provider_set(&before);
    pm_heap_check(pm_tls_heap);
    pm_free(block, "free");
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(unit_pools(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, an_empty_heap_holds);
    tcase_add_test(tests, refill_makes_a_pool_current);
    tcase_add_test(tests, pools_of_large_blocks_grow_with_the_process);
    tcase_add_test(tests, partial_pools_serve_what_was_used_before);
    tcase_add_test(tests, an_empty_partial_pool_goes);
    tcase_add_test(tests, a_current_pool_stays_so_after_any_number_of_frees);
    tcase_add_test(tests, also_when_others_free_the_last_that_is_counted);
    tcase_add_test(tests, an_emptied_current_pool_goes_when_its_frees_were_all_counted);
    tcase_add_loop_test(tests, frees_look_at_the_clock, 0, PM_CLASS_COUNT);
    tcase_add_test(tests, what_is_abandoned_serves_others);
    tcase_add_test(tests, no_memory_leaves_the_heap_as_it_was);
    tcase_add_test(tests, a_refill_within_a_refill_loses_no_pool);
}

int main(void)
{
    return unit_run("heap", add);
}
