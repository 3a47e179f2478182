/*
 * test_tlb.c - the table that finds a heap's own pools.
 */
#include "pools.h"

enum { SLOTS = (int)PM_TLB_SLOTS };

UNIT_HEAP(heap);
static struct pm_pool pool, other;

static void *slice(size_t number)
{
    return (void *)(number << PM_SLICE_SHIFT);
}

/* A pool of so many slices from that one on is found in each of them. */
static void enter_in_all(struct pm_pool *in, size_t first, uint32_t slices)
{
    in->span.start = (uintptr_t)slice(first);
    in->span.slices = slices;
    for (uint32_t i = 0; i < slices; i++)
        pm_tlb_enter(&heap, in, slice(first + i));
}

static size_t count(void)
{
    size_t at = 0, found = 0;
    while (pm_tlb_next(&heap, &at) != NULL)
        found++;
    return found;
}

START_TEST(a_pool_is_found_in_its_slices_only)
{
    enter_in_all(&pool, SLOTS - 1, 2); /* of which one is in the first slot */
    ck_assert_ptr_eq(pm_tlb_get(heap.tlb, slice(SLOTS - 1)), &pool);
    ck_assert_ptr_eq(pm_tlb_get(heap.tlb, slice(SLOTS)), &pool);
    ck_assert_ptr_eq(pm_tlb_get(heap.tlb, (char *)slice(SLOTS + 1) - 1), &pool);
    ck_assert_ptr_null(pm_tlb_get(heap.tlb, slice(SLOTS + 1)));
    ck_assert_ptr_null(pm_tlb_get(heap.tlb, slice(SLOTS - 2)));
    ck_assert_uint_eq(count(), 2);
}
END_TEST

START_TEST(a_pool_is_forgotten_where_it_is_found)
{
    enter_in_all(&pool, SLOTS - 1, 3);
    enter_in_all(&other, 3 * SLOTS, 1); /* takes the place of one */
    pm_tlb_forget(&heap, &pool);
    ck_assert_uint_eq(count(), 1);
    ck_assert_ptr_eq(pm_tlb_get(heap.tlb, slice(0)), &other);
    pm_tlb_forget(&heap, &other);
    unit_check_no_entries(&heap);
}
END_TEST

/* Wherever they are: what looks at them leaves out what was never touched. */
START_TEST(all_entries_are_counted_and_cleared)
{
    for (size_t slot = 0, entries = 1; slot < SLOTS; slot += 509, entries++) {
        pm_tlb_enter(&heap, &pool, slice(slot));
        ck_assert_uint_eq(count(), entries);
    }
    pm_tlb_clear(&heap);
    unit_check_no_entries(&heap);
    ck_assert_uint_eq(heap.tlb_touched, 0);
}
END_TEST

/* A page of the table serves 8 MiB; the others are not to become resident. */
START_TEST(a_small_heap_touches_little)
{
    for (size_t i = 0; i < 512; i++)
        pm_tlb_enter(&heap, &pool, slice(512 + i));
    ck_assert_uint_eq(heap.tlb_touched, 2);
}
END_TEST

/* What is freed at random into a heap of so many is found. */
START_TEST(a_large_heap_finds_its_pools)
{
    enum { BLOCKS = 20000, SIZE = 4000 };
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        ck_assert_ptr_nonnull(blocks[i] = pm_alloc(SIZE));
    for (size_t i = 0; i < BLOCKS; i += 2)
        pm_free(blocks[i], "free");
    for (size_t i = 1; i < BLOCKS; i += 2) /* each pool has had a block freed */
        ck_assert_ptr_eq(pm_tlb_get(pm_tls_tlb, blocks[i]), unit_pool_of(blocks[i]));
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_pool_is_found_in_its_slices_only);
    tcase_add_test(tests, a_pool_is_forgotten_where_it_is_found);
    tcase_add_test(tests, all_entries_are_counted_and_cleared);
    tcase_add_test(tests, a_small_heap_touches_little);
    tcase_add_test(tests, a_large_heap_finds_its_pools);
}

int main(void)
{
    return unit_run("tlb", add);
}
