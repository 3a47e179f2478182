/*
 * test_heap_tables.c - the tables of a heap without pools: each size leads to its class, and
 * nothing to a pool.
 */
#include "pools.h"

enum { CLASS = 20 };

UNIT_HEAP(heap);

static void setup(void)
{
    pm_heap_clear(&heap);
}

static void check_serves_nothing(const struct pm_heap *empty)
{
    for (size_t entry = 0; entry < PM_DIRECT_COUNT; entry++)
        ck_assert_ptr_eq(empty->direct[entry], &pm_pool_none);
    unit_check_no_entries(empty);
}

/* Neither does that of a thread before its first call, which no code of ours has filled in. */
START_TEST(a_heap_without_pools_serves_nothing)
{
    check_serves_nothing(&heap);
    check_serves_nothing(&pm_heap_none);
    pm_heap_check(&heap);
}
END_TEST

static void check_names(size_t entry, unsigned class)
{
    const struct pm_bin *bin = &heap.bin[class];
    ck_assert_msg(entry >= bin->direct_first && entry <= bin->direct_last,
                  "entry %zu is not of class %u", entry, class);
}

START_TEST(each_size_leads_to_its_class)
{
    for (size_t size = 0; size <= PM_DIRECT_MAX; size++)
        check_names((size + PM_GRANULE - 1) / PM_GRANULE, pm_class_of(size));
    for (size_t size = PM_DIRECT_MAX + 1; size <= PM_POOL_SIZE_MAX; size++)
        check_names(PM_DIRECT_MEDIUM - PM_CLASS_MEDIUM + pm_class_of(size), pm_class_of(size));
    for (size_t size = 0; size <= PM_OBJECT_MAX; size++)
        check_names(PM_DIRECT_OBJECTS + (size + PM_OBJECT_STEP - 1) / PM_OBJECT_STEP,
                    pm_class_of_object(size));
}
END_TEST

START_TEST(each_entry_is_of_one_class)
{
    uint8_t owners[PM_DIRECT_COUNT] = {0};
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        ck_assert_uint_lt(heap.bin[class].direct_last, PM_DIRECT_COUNT);
        for (size_t i = heap.bin[class].direct_first; i <= heap.bin[class].direct_last; i++)
            owners[i]++;
    }
    for (size_t entry = 0; entry < PM_DIRECT_COUNT; entry++)
        ck_assert_msg(owners[entry] == 1, "entry %zu is of %u classes", entry, owners[entry]);
}
END_TEST

/* An entry would say of a pool that it is the heap's own. */
START_TEST(nothing_is_in_the_tlb_of_a_heap_that_was_left_or_cleared)
{
    struct pm_pool *pool[2] = {unit_partial_pool(&heap, CLASS), unit_partial_pool(&heap, CLASS)};
    for (size_t i = 0; i < 2; i++)
        pm_tlb_enter(&heap, pool[i], (void *)pool[i]->span.start);
    pm_heap_refill(&heap, CLASS);
    pm_heap_abandon(&heap);
    pm_heap_check(&heap);
    pm_tlb_enter(&heap, pool[0], (void *)pool[0]->span.start);
    pm_heap_clear(&heap);
    pm_heap_check(&heap);
    unit_check_no_entries(&heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_heap_without_pools_serves_nothing);
    tcase_add_test(tests, each_size_leads_to_its_class);
    tcase_add_test(tests, each_entry_is_of_one_class);
    tcase_add_test(tests, nothing_is_in_the_tlb_of_a_heap_that_was_left_or_cleared);
}

int main(void)
{
    return unit_run("heap_tables", add);
}
