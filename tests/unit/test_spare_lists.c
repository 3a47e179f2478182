/*
 * test_spare_lists.c - lists of large blocks that are free, by length.
 */
#include "spans.h"

#include "arena/purge.h"
#include "heap/spare_lists.h"

static struct pm_spare_lists lists;

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(-1);
}

START_TEST(the_last_comes_first)
{
    struct pm_large *three = unit_spare(3), *other = unit_spare(3), *five = unit_spare(5);
    pm_spare_lists_push(&lists, three);
    pm_spare_lists_push(&lists, five);
    pm_spare_lists_push(&lists, other);
    pm_spare_lists_check(&lists);
    ck_assert_uint_eq(lists.slices, 3 + 3 + 5);
    ck_assert_uint_eq(lists.lengths, 1u << 3 | 1u << 5);
    ck_assert_uint_eq(pm_spare_lists_longest(&lists), 5);
    ck_assert_ptr_eq(pm_spare_lists_pop(&lists, 3), other);
    ck_assert_ptr_eq(pm_spare_lists_pop(&lists, 5), five);
    ck_assert_uint_eq(pm_spare_lists_longest(&lists), 3);
    ck_assert_ptr_eq(pm_spare_lists_pop(&lists, 3), three);
    ck_assert_uint_eq(lists.lengths, 0);
    ck_assert_uint_eq(lists.slices, 0);
    pm_spare_lists_check(&lists);
}
END_TEST

/* Among blocks of the lengths that are given as bits. */
static const struct {
    uint32_t lengths;
    size_t slices, found;
} searches[] = {
    {0, 4, 0},          {1u << 4, 4, 4},         {1u << 4 | 1u << 5, 4, 4},
    {1u << 5, 4, 5}, /* longer by a quarter */
    {1u << 6, 4, 0},    {1u << 3, 4, 0},         {1u << 4, 3, 0},
    {1u << 16, 16, 16}, {1u << 16, 13, 16},      {1u << 16, 12, 0},
    {1u << 16, 17, 0}, /* such are never kept */
    {1u << 16, 100, 0}, {1u << 16, SIZE_MAX, 0},
};

START_TEST(a_block_may_be_longer_by_a_quarter)
{
    ck_assert_uint_eq(pm_spare_lists_find(searches[_i].lengths, searches[_i].slices),
                      searches[_i].found);
}
END_TEST

START_TEST(they_are_given_back_together)
{
    struct pm_span *spans[PM_SPARE_GIVEN];
    size_t taken = pm_arena_totals().taken;
    for (size_t i = 0; i < PM_SPARE_GIVEN; i++)
        spans[i] = &unit_spare(1 + i)->span;
    pm_arena_check();
    void *last = (void *)spans[PM_SPARE_GIVEN - 1]->start;
    pm_spare_lists_give(spans, PM_SPARE_GIVEN);
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
    ck_assert_ptr_null(pm_ownermap_get(last));
    pm_arena_check();
}
END_TEST

static void count_wrong(void)
{
    lists.slices++;
}

static void forget_a_length(void)
{
    lists.lengths = 0;
}

static void move_a_block(void)
{
    lists.list[4] = lists.list[3];
    lists.lengths |= 1u << 4;
}

static void use_a_block(void)
{
    pm_large_set_usable(lists.list[3], 40000);
}

static void give_a_block_back(void)
{
    pm_large_leave(lists.list[3]);
}

static const struct damage {
    void (*inflict)(void);
    const char *seen_as;
} damages[] = {
    {count_wrong, "as many slices are spare as are counted"},
    {forget_a_length, "the lengths of spare blocks are known"},
    {move_a_block, "a spare block is as long as its list says"},
    {use_a_block, "a spare block is free"},
    {give_a_block_back, "a spare block is free"},
};

static void check(void *unused)
{
    (void)unused;
    pm_spare_lists_check(&lists);
}

static void pop(void *unused)
{
    (void)unused;
    pm_spare_lists_pop(&lists, 3);
}

START_TEST(the_checker_sees_damage)
{
    pm_spare_lists_push(&lists, unit_spare(3));
    damages[_i].inflict();
    unit_child_aborts_with(check, NULL, damages[_i].seen_as);
}
END_TEST

/* Two threads have freed it at the same moment, and it is on two lists. */
START_TEST(what_is_not_spare_is_not_taken)
{
    pm_spare_lists_push(&lists, unit_spare(3));
    use_a_block();
    unit_child_aborts_with(pop, NULL, "a spare block is free, and as long as its list says");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_last_comes_first);
    tcase_add_loop_test(tests, a_block_may_be_longer_by_a_quarter, 0, UNIT_COUNT_OF(searches));
    tcase_add_test(tests, they_are_given_back_together);
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, UNIT_COUNT_OF(damages));
    tcase_add_test(tests, what_is_not_spare_is_not_taken);
}

int main(void)
{
    return unit_run("spare_lists", add);
}
