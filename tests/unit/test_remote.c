/*
 * test_remote.c - blocks freed by threads that do not own their pool: each is
 * counted once, comes back to use, and a second free is told.
 */
#include "unit.h"

#include "arena/ownermap.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/remote.h"

enum { THREADS = 4, BLOCKS = 4000, SIZE = 100, ROUNDS = 20 };

static void *blocks[THREADS][BLOCKS];

static struct pm_pool *pool_of(void *block)
{
    return pm_pool_of_span(pm_ownermap_get(block));
}

static size_t live(void)
{
    struct pm_census census;
    pm_census_take(&census);
    return census.live_blocks;
}

static void *free_one(void *block)
{
    pm_free(block, "free");
    return NULL;
}

START_TEST(the_owner_finds_it_when_it_collects)
{
    void *first = pm_alloc(SIZE), *second = pm_alloc(SIZE);
    struct pm_pool *pool = pool_of(first);
    uint32_t used = pool->used;
    unit_in_thread(free_one, first);
    ck_assert_uint_eq(pool->used, used);
    ck_assert_uint_eq(PM_REMOTE_COUNT(atomic_load(&pool->remote)), 1);
    ck_assert_uint_eq(live(), 1);
    pm_heap_check(pm_tls_heap);
    unit_in_thread(free_one, second);
    ck_assert_uint_eq(PM_REMOTE_COUNT(atomic_load(&pool->remote)), 2);
    pm_heap_collect(pm_tls_heap);
    ck_assert_uint_eq(live(), 0);
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void *free_row(void *row)
{
    void **mine = row;
    for (size_t i = 0; i < BLOCKS; i++)
        pm_free(mine[i], "free");
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
            ck_assert_int_eq(pthread_create(&threads[t], NULL, free_row, blocks[t]), 0);
        for (size_t i = 0; i < BLOCKS; i++)
            pm_free(pm_alloc(SIZE), "free");
        for (size_t t = 0; t < THREADS; t++)
            ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
        pm_heap_check(pm_tls_heap);
    }
    pm_heap_collect(pm_tls_heap);
    ck_assert_uint_eq(live(), 0);
    struct pm_census census;
    pm_census_take(&census);
    ck_assert_uint_eq(census.pools, 0);
}
END_TEST

/* A full pool floats; its last owner gets it back with the first free of its own. */
START_TEST(a_free_into_ones_own_floating_pool_adopts_it)
{
    void *block = pm_alloc(SIZE);
    struct pm_pool *pool = pool_of(block);
    while (atomic_load(&pool->owner) != NULL)
        ck_assert_ptr_nonnull(pm_alloc(SIZE));
    pm_free(block, "free");
    ck_assert_ptr_eq(atomic_load(&pool->owner), pm_tls_heap);
    ck_assert_int_eq(pool->state, PM_POOL_PARTIAL);
    pm_heap_check(pm_tls_heap);
}
END_TEST

START_TEST(a_free_into_anothers_floating_pool_leaves_it)
{
    void *block = pm_alloc(SIZE);
    struct pm_pool *pool = pool_of(block);
    while (atomic_load(&pool->owner) != NULL)
        ck_assert_ptr_nonnull(pm_alloc(SIZE));
    unit_in_thread(free_one, block);
    ck_assert_ptr_null(atomic_load(&pool->owner));
    ck_assert_uint_eq(atomic_load(&pool->remote), 0);
    ck_assert_uint_eq(pool->used, pool->limit - 2);
}
END_TEST

static void free_again(void *block)
{
    pm_free(block, "free");
}

static void free_raced(void *block)
{
    pm_remote_free(pm_tls_heap, pool_of(block), pm_pool_block_at(pool_of(block), block), "free");
}

START_TEST(a_second_free_is_told)
{
    char line[100];
    void *block = pm_alloc(SIZE);
    pm_alloc(SIZE);
    unit_in_thread(free_one, block);
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", block);
    unit_child_aborts(free_again, block, line);
    unit_child_aborts(free_raced, block, line); /* past the first look at the link */
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, the_owner_finds_it_when_it_collects);
    tcase_add_test(tests, many_threads_free_into_the_same_pools);
    tcase_add_test(tests, a_free_into_ones_own_floating_pool_adopts_it);
    tcase_add_test(tests, a_free_into_anothers_floating_pool_leaves_it);
    tcase_add_test(tests, a_second_free_is_told);
}

int main(void)
{
    return unit_run("remote", add);
}
