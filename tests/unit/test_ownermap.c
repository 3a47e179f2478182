/*
 * test_ownermap.c - any bit pattern is looked up, nothing is found that was not
 * entered, and refused memory leaves the map as it was.
 */
#include "unit.h"

#include "arena/ownermap.h"

#define LEAF_BYTES (PM_OWNERMAP_LEAF << PM_SLICE_SHIFT)

static struct pm_span span;

static void *at(uintptr_t address)
{
    return (void *)address;
}

START_TEST(nothing_is_found_in_an_empty_map)
{
    static const uintptr_t patterns[] = {0,
                                         1,
                                         16,
                                         0xffff,
                                         0x10000,
                                         0x7fffffffffff,
                                         0x800000000000,
                                         0xffffffffffff,
                                         0x1000000000000,
                                         0x8000000000000000,
                                         0xffff800000000000,
                                         0xdeadbeefdeadbeef,
                                         UINTPTR_MAX - 15,
                                         UINTPTR_MAX};
    for (size_t i = 0; i < UNIT_COUNT_OF(patterns); i++)
        ck_assert_ptr_null(pm_ownermap_get(at(patterns[i])));
    for (unsigned bit = 0; bit < 64; bit++)
        ck_assert_ptr_null(pm_ownermap_get(at((uintptr_t)1 << bit)));
}
END_TEST

START_TEST(only_the_entered_slices_are_found)
{
    uintptr_t start = 5 * LEAF_BYTES - 3 * PM_SLICE; /* across two leaves */
    ck_assert(pm_ownermap_prepare(start, 6 * PM_SLICE));
    ck_assert_ptr_null(pm_ownermap_get(at(start)));
    pm_ownermap_set(start, 6, &span);
    for (uintptr_t offset = 0; offset < 6 * PM_SLICE; offset += 16)
        ck_assert_ptr_eq(pm_ownermap_get(at(start + offset)), &span);
    ck_assert_ptr_null(pm_ownermap_get(at(start - 1)));
    ck_assert_ptr_null(pm_ownermap_get(at(start + 6 * PM_SLICE)));
    ck_assert_ptr_null(pm_ownermap_get(at(start | (uintptr_t)1 << 48)));
    ck_assert_ptr_null(pm_ownermap_get(at(start | (uintptr_t)1 << 63)));
    uint64_t state = unit_seed();
    for (int i = 0; i < 200000; i++) {
        uintptr_t address = unit_random(&state) >> (i % 64);
        if (address - start >= 6 * PM_SLICE)
            ck_assert_ptr_null(pm_ownermap_get(at(address)));
    }
    pm_ownermap_set(start, 6, NULL);
    ck_assert_ptr_null(pm_ownermap_get(at(start)));
}
END_TEST

START_TEST(of_two_takers_one_gets_the_span)
{
    uintptr_t start = 7 * LEAF_BYTES;
    ck_assert(pm_ownermap_prepare(start, 1));
    pm_ownermap_set(start, 1, &span);
    ck_assert_ptr_eq(pm_ownermap_take(start), &span);
    ck_assert_ptr_null(pm_ownermap_take(start));
    ck_assert_ptr_null(pm_ownermap_get(at(start)));
}
END_TEST

START_TEST(the_whole_address_space_has_a_place)
{
    uintptr_t last = ((uintptr_t)1 << PM_ADDRESS_BITS) - PM_SLICE;
    ck_assert(pm_ownermap_prepare(last, PM_SLICE));
    pm_ownermap_set(last, 1, &span);
    ck_assert_ptr_eq(pm_ownermap_get(at(last + PM_SLICE - 1)), &span);
    ck_assert(!pm_ownermap_prepare(last, PM_SLICE + 1));
    ck_assert(!pm_ownermap_prepare((uintptr_t)1 << 60, 1));
    ck_assert(!pm_ownermap_prepare((uintptr_t)1 << PM_ADDRESS_BITS, 1));
}
END_TEST

START_TEST(without_memory_there_is_no_room)
{
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert(!pm_ownermap_prepare(3 * LEAF_BYTES, 1));
    ck_assert(!pm_ownermap_reserve());
    ck_assert_ptr_null(pm_ownermap_get(at(3 * LEAF_BYTES)));
    unit_os_heal();
    ck_assert(pm_ownermap_prepare(3 * LEAF_BYTES, 1));
}
END_TEST

START_TEST(a_reserved_leaf_serves_when_memory_is_out)
{
    ck_assert(pm_ownermap_reserve());
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert(pm_ownermap_reserve());
    ck_assert(pm_ownermap_prepare(3 * LEAF_BYTES, 1));
    ck_assert(!pm_ownermap_prepare(4 * LEAF_BYTES, 1));
    pm_ownermap_set(3 * LEAF_BYTES, 1, &span);
    ck_assert_ptr_eq(pm_ownermap_get(at(3 * LEAF_BYTES)), &span);
    ck_assert(!pm_ownermap_reserve());
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, nothing_is_found_in_an_empty_map);
    tcase_add_test(tests, only_the_entered_slices_are_found);
    tcase_add_test(tests, of_two_takers_one_gets_the_span);
    tcase_add_test(tests, the_whole_address_space_has_a_place);
    tcase_add_test(tests, without_memory_there_is_no_room);
    tcase_add_test(tests, a_reserved_leaf_serves_when_memory_is_out);
}

int main(void)
{
    return unit_run("ownermap", add);
}
