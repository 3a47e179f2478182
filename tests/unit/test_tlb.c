/*
 * test_tlb.c - the table that finds a heap's own pools: it grows with the heap, and makes way for a
 * small one.
 */
#include "pools.h"

#include "arena/meta.h"

enum { FIRST = (int)PM_TLB_FIRST, POOLS = 2 * FIRST, LARGER = 4 * FIRST };

static struct pm_pool *first_slots[FIRST];
static struct pm_tlb tlb = {.first = first_slots};
static struct pm_pool pools[POOLS]; /* the nth in slice n */

static void setup(void)
{
    pm_tlb_lose(&tlb);
    for (size_t i = 0; i < POOLS; i++) {
        pools[i].span.start = i << PM_SLICE_SHIFT;
        pools[i].span.slices = 1;
    }
}

static const void *address_of(size_t pool)
{
    return (void *)pools[pool].span.start;
}

static bool is_found(size_t pool)
{
    return *pm_tlb_slot(&tlb.now, address_of(pool)) == &pools[pool];
}

/* Each is sought, and entered where it is not found. */
static void enter_all(size_t times)
{
    for (size_t i = 0; i < times * POOLS; i++) {
        if (!is_found(i % POOLS))
            pm_tlb_enter(&tlb, &pools[i % POOLS], address_of(i % POOLS));
    }
}

START_TEST(grows_until_all_pools_are_found)
{
    enter_all(1);
    ck_assert_uint_eq(tlb.now.mask, LARGER - 1);
    unit_check_no_entries(&(struct pm_tlb_slots){first_slots, FIRST - 1});
    enter_all(4);
    ck_assert_uint_eq(tlb.now.mask, LARGER - 1);
    for (size_t i = 0; i < POOLS; i++)
        ck_assert(is_found(i));
}
END_TEST

/* There would be no end to it. */
START_TEST(does_not_grow_where_two_pools_share_a_slot)
{
    for (size_t i = 0; i < 4 * FIRST; i++) {
        size_t pool = i % 2 * FIRST;
        pm_tlb_enter(&tlb, &pools[pool], address_of(pool));
        ck_assert(is_found(pool));
    }
    ck_assert_ptr_eq(tlb.now.slot, first_slots);
}
END_TEST

START_TEST(stays_as_it_is_where_there_is_no_memory)
{
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    while (pm_meta_alloc(LARGER * sizeof(void *)) != NULL)
        continue;
    enter_all(1);
    ck_assert_ptr_eq(tlb.now.slot, first_slots);
    ck_assert(is_found(POOLS - 1));
    unit_os_heal();
    enter_all(1);
    ck_assert_uint_eq(tlb.now.mask, LARGER - 1);
}
END_TEST

static size_t bytes(void)
{
    return (tlb.now.mask + 1) * sizeof *tlb.now.slot;
}

START_TEST(a_larger_one_is_given_back)
{
    enter_all(1);
    struct pm_pool **larger = tlb.now.slot;
    size_t size = bytes();
    pm_tlb_reset(&tlb);
    ck_assert_uint_eq(tlb.now.mask, FIRST - 1);
    unit_check_no_entries(&tlb.now);
    ck_assert_ptr_eq(pm_meta_alloc(size), larger);
}
END_TEST

/* Half of it may be there in the child of a fork. */
START_TEST(a_larger_one_is_lost)
{
    enter_all(1);
    struct pm_pool **larger = tlb.now.slot;
    size_t size = bytes();
    pm_tlb_lose(&tlb);
    ck_assert_uint_eq(tlb.now.mask, FIRST - 1);
    unit_check_no_entries(&tlb.now);
    ck_assert_ptr_ne(pm_meta_alloc(size), larger);
}
END_TEST

START_TEST(makes_way_for_a_small_one_when_few_are_left)
{
    enter_all(2);
    for (size_t i = LARGER / 32; i < POOLS; i++)
        pm_tlb_forget(&tlb, &pools[i]);
    pm_tlb_shrink(&tlb);
    ck_assert_uint_eq(tlb.now.mask, LARGER - 1);
    pm_tlb_forget(&tlb, &pools[0]);
    pm_tlb_shrink(&tlb);
    ck_assert_ptr_eq(tlb.now.slot, first_slots);
    unit_check_no_entries(&tlb.now);
    pm_tlb_shrink(&tlb); /* it is as small as they come */
    ck_assert_ptr_eq(tlb.now.slot, first_slots);
}
END_TEST

START_TEST(a_pool_is_forgotten_where_it_is_found)
{
    struct pm_pool *pool = &pools[FIRST - 1];
    pool->span.slices = 3;
    for (size_t slice = FIRST - 1; slice < FIRST + 2; slice++)
        pm_tlb_enter(&tlb, pool, address_of(slice));
    pm_tlb_enter(&tlb, &pools[FIRST], address_of(FIRST));
    pm_tlb_forget(&tlb, pool);
    ck_assert(is_found(FIRST));
    pm_tlb_forget(&tlb, &pools[FIRST]);
    unit_check_no_entries(&tlb.now);
}
END_TEST

/* Of the heap itself: what is freed at random is found after a while. */
START_TEST(a_heap_finds_its_pools)
{
    enum { BLOCKS = 5000, SIZE = 4000 };
    static void *blocks[BLOCKS];
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < BLOCKS; i++)
            ck_assert_ptr_nonnull(blocks[i] = pm_alloc(SIZE));
        for (size_t i = 0; i < BLOCKS; i++)
            pm_free(blocks[i * 3 % BLOCKS], "free"); /* each once */
        pm_heap_check(pm_tls.heap);
    }
    ck_assert_uint_gt(pm_tls.tlb.mask, FIRST);
    pm_heap_abandon(pm_tls.heap);
    ck_assert_uint_eq(pm_tls.tlb.mask, FIRST - 1);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, grows_until_all_pools_are_found);
    tcase_add_test(tests, does_not_grow_where_two_pools_share_a_slot);
    tcase_add_test(tests, stays_as_it_is_where_there_is_no_memory);
    tcase_add_test(tests, a_larger_one_is_given_back);
    tcase_add_test(tests, a_larger_one_is_lost);
    tcase_add_test(tests, makes_way_for_a_small_one_when_few_are_left);
    tcase_add_test(tests, a_pool_is_forgotten_where_it_is_found);
    tcase_add_test(tests, a_heap_finds_its_pools);
}

int main(void)
{
    return unit_run("tlb", add);
}
