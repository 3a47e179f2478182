/*
 * test_remote.c - blocks freed by threads that do not own their pool: when they
 * arrive there, each counted once, that they come back to use, and that a second free
 * is told.
 */
#include "pools.h"

#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/floating.h"
#include "heap/remote.h"
#include "heap/thread.h"

enum { THREADS = 4, BLOCKS = 4000, SIZE = 100, ROUNDS = 20 };

UNIT_HEAP(owner);
UNIT_HEAP(other);
static void *blocks[THREADS][BLOCKS];

static void setup(void)
{
    pm_heap_clear(&owner);
    pm_heap_clear(&other);
}

static void *free_one(void *block)
{
    pm_free(block, "free");
    return NULL;
}

START_TEST(the_owner_finds_it_when_it_collects)
{
    void *first = pm_alloc(SIZE), *second = pm_alloc(SIZE);
    struct pm_pool *pool = unit_pool_of(first);
    unit_in_thread(free_one, first);
    ck_assert_uint_eq(pm_pool_used(pool), 2);
    ck_assert_uint_eq(unit_remote_count(pool), 1);
    ck_assert_uint_eq(unit_live(), 1);
    pm_heap_check(pm_tls_heap);
    unit_in_thread(free_one, second);
    ck_assert_uint_eq(unit_remote_count(pool), 2);
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(unit_live(), 0);
    pm_heap_check(pm_tls_heap);
}
END_TEST

/* Until then nobody looks for any. */
START_TEST(it_is_seen_that_pools_with_an_owner_receive_blocks)
{
    pm_free(pm_alloc(SIZE), "free");
    ck_assert(!pm_remote_is_seen());
    struct pm_pool *floating = unit_used_pool(&owner, 3, 2), *owned = unit_used_pool(&owner, 3, 2);
    pm_pool_unset_current(floating);
    ck_assert(pm_floating_release(floating, false, false));
    unit_free_from(&other, floating, 0);
    pm_remote_flush(&other);
    ck_assert(!pm_remote_is_seen());
    unit_free_from(&other, owned, 0);
    pm_remote_flush(&other);
    ck_assert(pm_remote_is_seen());
}
END_TEST

static void *free_with_a_heap(void *block)
{
    struct pm_pool *pool = unit_pool_of(block);
    pm_free(pm_alloc(1), "free");
    pm_free(block, "free");
    UNIT_CHECK(unit_remote_count(pool) == 0);
    return NULL;
}

START_TEST(the_end_of_a_thread_sends_all)
{
    void *block = pm_alloc(SIZE), *kept = pm_alloc(SIZE);
    unit_in_thread(free_with_a_heap, block);
    ck_assert_uint_eq(unit_remote_count(unit_pool_of(kept)), 1);
    ck_assert_uint_eq(unit_live(), 1);
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void *free_without_a_heap(void *block)
{
    struct pm_pool *pool = unit_pool_of(block);
    UNIT_CHECK(!pm_thread_has_heap(pm_tls_heap));
    pm_free(block, "free");
    UNIT_CHECK(pm_thread_has_heap(pm_tls_heap));
    UNIT_CHECK(unit_remote_count(pool) == 0);
    return NULL;
}

START_TEST(a_thread_that_only_frees_gets_a_heap_for_its_batches)
{
    void *block = pm_alloc(SIZE);
    unit_in_thread(free_without_a_heap, block);
    ck_assert_uint_eq(unit_remote_count(unit_pool_of(block)), 1);
}
END_TEST

/* Nobody would ever send it. */
START_TEST(from_an_ended_thread_blocks_go_at_once)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 3);
    unit_free_from(&pm_heap_ended, pool, 0);
    ck_assert_uint_eq(unit_remote_count(pool), 1);
    pm_pool_check(pool);
}
END_TEST

static void *free_row(void *row)
{
    void **mine = row;
    for (size_t i = 0; i < BLOCKS; i++)
        pm_free(mine[i], "free");
    return NULL;
}

static void *free_row_in_batches(void *row)
{
    void *own = pm_alloc(SIZE);
    free_row(row);
    pm_heap_check(pm_tls_heap);
    pm_free(own, "free");
    return NULL;
}

/* Neighbours are freed by different threads, while the owner goes on. */
START_TEST(many_threads_free_into_the_same_pools)
{
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < BLOCKS; i++) {
            for (size_t t = 0; t < THREADS; t++)
                blocks[t][i] = pm_alloc(SIZE);
        }
        for (size_t t = 0; t < THREADS; t++)
            ck_assert_int_eq(pthread_create(&threads[t], NULL,
                                            _i == 0 ? free_row : free_row_in_batches, blocks[t]),
                             0);
        for (size_t i = 0; i < BLOCKS; i++)
            pm_free(pm_alloc(SIZE), "free");
        for (size_t t = 0; t < THREADS; t++)
            ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
        pm_heap_check(pm_tls_heap);
    }
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(unit_live(), 0);
    struct pm_census census;
    pm_census_take(&census);
    ck_assert_uint_eq(census.pools, 0);
}
END_TEST

/* A block of a pool that has been full for so long that it floats. */
static void *block_that_floats(void)
{
    void *block = pm_alloc(SIZE);
    while (!pm_pool_was_owned_by(unit_pool_of(block), pm_tls_heap))
        ck_assert_ptr_nonnull(pm_alloc(SIZE));
    ck_assert_int_eq(unit_pool_of(block)->state, PM_POOL_FLOATING);
    return block;
}

/* Its last owner gets it back with the first free of its own. */
START_TEST(a_free_into_ones_own_floating_pool_adopts_it)
{
    void *block = block_that_floats();
    struct pm_pool *pool = unit_pool_of(block);
    pm_free(block, "free");
    ck_assert(pm_pool_is_owned_by(pool, pm_tls_heap));
    ck_assert_int_eq(pool->state, PM_POOL_FULL);
    ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool) - 1);
    pm_heap_check(pm_tls_heap);
}
END_TEST

START_TEST(a_free_into_anothers_floating_pool_leaves_it)
{
    void *block = block_that_floats();
    struct pm_pool *pool = unit_pool_of(block);
    struct pm_heap *last = pm_tls_heap;
    if (_i == 0)
        unit_in_thread(free_one, block);
    else
        unit_free_from(&other, pool, 0);
    pm_remote_flush(&other);
    ck_assert(pm_pool_was_owned_by(pool, last));
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_EMPTY);
    ck_assert_uint_eq(pool->used, pm_pool_blocks(pool) - 1);
    ck_assert(!pm_pool_was_owned_by(pool, &other));
}
END_TEST

static void free_again(void *block)
{
    pm_free(block, "free");
}

static void free_raced(void *block)
{
    pm_remote_free(pm_tls_heap, unit_pool_of(block), pm_pool_block_at(unit_pool_of(block), block),
                   "free");
}

static void is_told(void *block)
{
    char line[100];
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", block);
    unit_child_aborts(free_again, block, line);
    unit_child_aborts(free_raced, block, line); /* past the first look at the link */
}

START_TEST(a_second_free_is_told)
{
    void *block = pm_alloc(SIZE);
    pm_alloc(SIZE);
    unit_in_thread(free_one, block);
    is_told(block);
}
END_TEST

START_TEST(a_second_free_of_a_block_under_way_is_told)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 3);
    char *first = pm_pool_address(pool, unit_nth(pool, 0));
    pm_alloc(SIZE);
    for (uint32_t i = 0; i < 2; i++)
        pm_free(first + i * pool->size, "free");
    ck_assert_uint_eq(unit_remote_count(pool), 0);
    for (uint32_t i = 0; i < 2; i++) /* the last of the batch, and one linked to another */
        is_told(first + i * pool->size);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_owner_finds_it_when_it_collects);
    tcase_add_test(tests, it_is_seen_that_pools_with_an_owner_receive_blocks);
    tcase_add_test(tests, the_end_of_a_thread_sends_all);
    tcase_add_test(tests, a_thread_that_only_frees_gets_a_heap_for_its_batches);
    tcase_add_test(tests, from_an_ended_thread_blocks_go_at_once);
    tcase_add_loop_test(tests, many_threads_free_into_the_same_pools, 0, 2);
    tcase_add_test(tests, a_free_into_ones_own_floating_pool_adopts_it);
    tcase_add_loop_test(tests, a_free_into_anothers_floating_pool_leaves_it, 0, 2);
    tcase_add_test(tests, a_second_free_is_told);
    tcase_add_test(tests, a_second_free_of_a_block_under_way_is_told);
}

int main(void)
{
    return unit_run("remote", add);
}
