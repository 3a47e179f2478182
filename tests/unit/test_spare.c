/*
 * test_spare.c - large blocks that a heap keeps for its next ones: which, how many, and when they
 * go.
 */
#include "pools.h"

#include <signal.h>

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/misuse.h"
#include "heap/spare.h"

/* Slices in all that may be kept, as in spare.c. */
enum { KEPT = 8 };

static void setup(void)
{
    pm_purge_set_decay(-1);         /* no tick, whatever the time is */
    pm_free(pm_alloc(100), "free"); /* there is a heap */
}

static size_t spares(void)
{
    size_t count = 0;
    for (size_t i = 0; i < PM_SPARES; i++)
        count += pm_tls_heap->spare[i] != NULL;
    return count;
}

START_TEST(a_block_serves_the_next_of_its_length)
{
    char *block = unit_filled(40000), *other = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_uint_eq(spares(), 1);
    ck_assert(!pm_block_is_live(block));
    ck_assert_ptr_eq(pm_alloc(45000), block);
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_eq(pm_usable_size(block, "malloc_usable_size"), 45056);
    unit_fill(block, 45056, 2);
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc_zeroed(40000), block);
    ck_assert(unit_is_zero(block, 40000));
    ck_assert(unit_intact(other, 40000, 1));
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(those_that_do_not_fit_go_first)
{
    char *block = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc(60000), block); /* its slices and one more */
    ck_assert_uint_eq(spares(), 0);
}
END_TEST

START_TEST(they_go_before_a_pool_is_made)
{
    unit_filled(40000);
    pm_free(unit_filled(40000), "free");
    ck_assert_uint_eq(spares(), 1);
    size_t taken = pm_arena_totals().taken;
    pm_alloc(3000);
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_le(pm_arena_totals().taken, taken);
}
END_TEST

START_TEST(no_more_are_kept_than_a_few)
{
    char *blocks[10];
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        blocks[i] = unit_filled(40000 + i % 3 * PM_SLICE);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++) {
        pm_free(blocks[i], "free");
        size_t slices = 0;
        for (size_t j = 0; j < PM_SPARES; j++)
            slices += pm_tls_heap->spare[j] != NULL ? pm_tls_heap->spare[j]->span.slices : 0;
        ck_assert(slices > 0 && slices <= KEPT);
    }
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(others_are_given_back_at_once)
{
    pm_free(unit_filled(KEPT * PM_SLICE + 1), "free");
    ck_assert_uint_eq(spares(), 0);
    pm_free(unit_filled(PM_DEDICATED_MIN), "free");
    ck_assert_uint_eq(spares(), 0);
    pm_purge_set_decay(0); /* everything goes at once */
    pm_free(unit_filled(40000), "free");
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(they_go_with_all_that_is_idle)
{
    pm_free(unit_filled(40000), "free");
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(spares(), 0);
    struct pm_census census;
    pm_census_take(&census);
    ck_assert_uint_eq(census.large_blocks + census.pools, 0);
    ck_assert_uint_eq(pm_arena_totals().taken, 0);
}
END_TEST

static void *free_it(void *block)
{
    pm_free(block, "free"); /* gets a heap by that */
    UNIT_CHECK(spares() == 1);
    return NULL;
}

START_TEST(they_go_with_their_thread)
{
    size_t taken = pm_arena_totals().taken;
    unit_in_thread(free_it, unit_filled(40000));
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
}
END_TEST

START_TEST(a_second_free_is_told)
{
    char *block = unit_filled(40000);
    pm_free(block, "free");
    pm_free(block, "free");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_block_serves_the_next_of_its_length);
    tcase_add_test(tests, those_that_do_not_fit_go_first);
    tcase_add_test(tests, they_go_before_a_pool_is_made);
    tcase_add_test(tests, no_more_are_kept_than_a_few);
    tcase_add_test(tests, others_are_given_back_at_once);
    tcase_add_test(tests, they_go_with_all_that_is_idle);
    tcase_add_test(tests, they_go_with_their_thread);
    tcase_add_test_raise_signal(tests, a_second_free_is_told, SIGABRT);
}

int main(void)
{
    return unit_run("spare", add);
}
