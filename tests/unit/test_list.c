/*
 * test_list.c - pools stand in a list in the order in which they came, whoever goes between.
 */
#include "unit.h"

#include "pool/list.h"

enum { POOLS = 5 };

static struct pm_pool pools[POOLS];
static struct pm_pool_list list;

static void setup(void)
{
    pm_list_clear(&list);
}

/* In both directions; `order` ends with -1. */
static void check_order(const int *order)
{
    struct pm_pool *pool = pm_list_first(&list);
    const int *at = order;
    for (; *at >= 0; at++, pool = pm_list_next(&list, pool))
        ck_assert_ptr_eq(pool, &pools[*at]);
    ck_assert_ptr_null(pool);
    ck_assert_ptr_eq(pm_list_last(&list), at == order ? NULL : &pools[at[-1]]);
    for (pool = pm_list_last(&list); pool != NULL; pool = pm_list_before(&list, pool))
        ck_assert_ptr_eq(pool, &pools[*--at]);
    ck_assert_ptr_eq(at, order);
    ck_assert_int_eq(pm_list_is_empty(&list), *order < 0);
}

START_TEST(nothing_is_in_a_clear_list)
{
    check_order((const int[]){-1});
}
END_TEST

START_TEST(pools_stand_as_they_came)
{
    for (int i = 0; i < POOLS; i++)
        pm_list_append(&list, &pools[i]);
    check_order((const int[]){0, 1, 2, 3, 4, -1});
}
END_TEST

START_TEST(prepended_ones_stand_before)
{
    pm_list_append(&list, &pools[0]);
    pm_list_prepend(&list, &pools[1]);
    pm_list_prepend(&list, &pools[2]);
    pm_list_append(&list, &pools[3]);
    check_order((const int[]){2, 1, 0, 3, -1});
}
END_TEST

START_TEST(any_may_leave)
{
    for (int i = 0; i < POOLS; i++)
        pm_list_append(&list, &pools[i]);
    pm_list_take_out(&pools[2]);
    check_order((const int[]){0, 1, 3, 4, -1});
    pm_list_take_out(&pools[0]);
    check_order((const int[]){1, 3, 4, -1});
    pm_list_take_out(&pools[4]);
    check_order((const int[]){1, 3, -1});
    pm_list_append(&list, &pools[0]);
    check_order((const int[]){1, 3, 0, -1});
    pm_list_take_out(&pools[3]);
    pm_list_take_out(&pools[1]);
    pm_list_take_out(&pools[0]);
    check_order((const int[]){-1});
}
END_TEST

START_TEST(any_may_become_the_first)
{
    for (int i = 0; i < POOLS; i++)
        pm_list_append(&list, &pools[i]);
    pm_list_begin_with(&list, &pools[0]);
    check_order((const int[]){0, 1, 2, 3, 4, -1});
    pm_list_begin_with(&list, &pools[3]);
    check_order((const int[]){3, 4, 0, 1, 2, -1});
    pm_list_begin_with(&list, &pools[2]);
    check_order((const int[]){2, 3, 4, 0, 1, -1});
}
END_TEST

START_TEST(others_may_come_after_all)
{
    struct pm_pool_list more;
    pm_list_clear(&more);
    pm_list_join(&list, &more);
    check_order((const int[]){-1});
    pm_list_append(&more, &pools[0]);
    pm_list_append(&more, &pools[1]);
    pm_list_join(&list, &more);
    check_order((const int[]){0, 1, -1});
    pm_list_clear(&more);
    pm_list_append(&more, &pools[2]);
    pm_list_join(&list, &more);
    check_order((const int[]){0, 1, 2, -1});
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, nothing_is_in_a_clear_list);
    tcase_add_test(tests, pools_stand_as_they_came);
    tcase_add_test(tests, any_may_become_the_first);
    tcase_add_test(tests, others_may_come_after_all);
    tcase_add_test(tests, prepended_ones_stand_before);
    tcase_add_test(tests, any_may_leave);
}

int main(void)
{
    return unit_run("list", add);
}
