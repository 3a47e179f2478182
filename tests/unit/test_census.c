/*
 * test_census.c - the figures are those of the blocks that are live.
 */
#include "pools.h"

#include "arena/arena.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/thread.h"

static struct pm_census expected, found;

static void *alloc(size_t size)
{
    void *block = pm_alloc(size);
    size_t usable = pm_usable_size(block, "malloc_usable_size");
    expected.live_blocks++;
    expected.allocated += usable;
    expected.large_blocks += size > PM_POOL_SIZE_MAX;
    expected.large += size > PM_POOL_SIZE_MAX ? usable : 0;
    return block;
}

static void agrees(void)
{
    pm_census_take(&found);
    ck_assert_uint_eq(found.live_blocks, expected.live_blocks);
    ck_assert_uint_eq(found.allocated, expected.allocated);
    ck_assert_uint_eq(found.large_blocks, expected.large_blocks);
    ck_assert_uint_eq(found.large, expected.large);
}

static void *free_all(void *blocks)
{
    for (void **block = blocks; *block != NULL; block++)
        pm_free(*block, "free");
    return NULL;
}

START_TEST(an_empty_heap_has_nothing)
{
    agrees();
    ck_assert_uint_eq(found.pools, 0);
}
END_TEST

START_TEST(every_live_block_counts)
{
    void *blocks[301] = {NULL};
    for (size_t i = 0; i < 300; i++) {
        blocks[i] = alloc(i * i * 3);
        if (i % 20 == 0)
            agrees();
    }
    alloc(PM_DEDICATED_MIN + 1);
    agrees();
    ck_assert_uint_le(found.allocated, pm_arena_totals().taken);
    unit_in_thread(free_all, blocks); /* remote frees count at once */
    pm_census_take(&found);
    ck_assert_uint_eq(found.live_blocks, 1);
    ck_assert_uint_eq(found.allocated, PM_DEDICATED_MIN + 4096);
    unit_collect(pm_tls_heap);
    pm_census_take(&found);
    ck_assert_uint_eq(found.pools, 0);
}
END_TEST

enum { CENSUSES_SLOW = 2000 };

static atomic_bool stop;

static void *resize(void *unused)
{
    void *block = NULL;
    for (size_t i = 1; !atomic_load(&stop); i++) {
        block = pm_realloc(block, i % 40 * 100000 + 1, "realloc");
        UNIT_CHECK(block != NULL);
        pm_free(pm_alloc(i % 3000), "free");
    }
    pm_free(block, "free");
    return unused;
}

START_TEST(others_may_work_meanwhile)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, resize, NULL), 0);
    for (int i = 0; i < 300; i++) {
        pm_census_take(&found);
        ck_assert_uint_le(found.large_blocks, 4);
        ck_assert_uint_le(found.large_blocks, found.live_blocks);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    agrees();
}
END_TEST

/* Looks at what is found, each time, while another thread works until `stop`. */
static void count_meanwhile(void *(*work)(void *), int censuses, void (*look)(void))
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, work, NULL), 0);
    for (int i = 0; i < censuses; i++) {
        pm_census_take(&found);
        look();
    }
    atomic_store(&stop, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* A block that grows is copied to a hole before it, as that is resident, and freed there. */
static void *grow_into_holes(void *unused)
{
    while (!atomic_load(&stop)) {
        char *hole = pm_alloc(3 * PM_MIB), *before = pm_alloc(40000);
        char *block = pm_alloc(PM_MIB), *behind = pm_alloc(40000);
        memset(hole, 1, 3 * PM_MIB);
        pm_free(hole, "free");
        block = pm_realloc(block, 2 * PM_MIB, "realloc");
        pm_free(block, "free");
        pm_free(before, "free");
        pm_free(behind, "free");
    }
    return unused;
}

/* Found twice, or the walk does not end: when the owner map leads to where a block is no more. */
static void four_at_most(void)
{
    ck_assert_uint_le(found.large_blocks, 4);
}

START_TEST(no_block_counts_twice_while_it_is_copied)
{
    count_meanwhile(grow_into_holes, CENSUSES_SLOW, four_at_most);
}
END_TEST

enum { CHURNED = 400, CENSUSES = 30000 };

/* Its pools become current and cease to be all the time. */
static void *churn(void *unused)
{
    static void *blocks[CHURNED];
    uint64_t state = 1;
    while (!atomic_load(&stop)) {
        void **block = &blocks[unit_random(&state) % CHURNED];
        pm_free(*block, "free");
        *block = unit_random(&state) % 2 == 0 ? NULL : pm_alloc(512);
    }
    for (size_t i = 0; i < CHURNED; i++)
        pm_free(blocks[i], "free");
    return unused;
}

static void no_more_than_churned(void)
{
    ck_assert_uint_le(found.live_blocks, 2 * CHURNED);
}

START_TEST(others_pools_are_not_walked_by_their_lists)
{
    count_meanwhile(churn, CENSUSES, no_more_than_churned);
    agrees();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, an_empty_heap_has_nothing);
    tcase_add_test(tests, every_live_block_counts);
    tcase_add_test(tests, others_may_work_meanwhile);
    tcase_add_test(tests, no_block_counts_twice_while_it_is_copied);
    tcase_add_test(tests, others_pools_are_not_walked_by_their_lists);
}

int main(void)
{
    return unit_run("census", add);
}
