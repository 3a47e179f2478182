/*
 * test_sizeclass.c - sizes and classes, exhaustively.
 */
#include "unit.h"

#include "pool/sizeclass.h"

START_TEST(classes_rise_to_the_largest)
{
    ck_assert_uint_eq(pm_class_size(0), PM_GRANULE);
    for (unsigned class = 1; class < PM_CLASS_OBJECTS; class ++)
        ck_assert_uint_gt(pm_class_size(class), pm_class_size(class - 1));
    ck_assert_uint_eq(pm_class_size(PM_CLASS_OBJECTS - 1), PM_POOL_SIZE_MAX);
    for (unsigned class = 0; class < PM_CLASS_OBJECTS; class ++) {
        ck_assert_uint_eq(pm_class_size(class) % PM_GRANULE, 0);
        ck_assert_uint_eq(pm_class_of(pm_class_size(class)), class);
    }
}
END_TEST

START_TEST(every_size_has_the_smallest_class_that_holds_it)
{
    for (size_t size = 0; size <= PM_POOL_SIZE_MAX; size++) {
        unsigned class = pm_class_of(size);
        ck_assert_uint_lt(class, PM_CLASS_OBJECTS);
        ck_assert_uint_ge(pm_class_size(class), size);
        ck_assert(class == 0 || pm_class_size(class - 1) < size);
    }
    ck_assert_uint_eq(pm_class_of(0), 0);
}
END_TEST

START_TEST(the_multiples_of_a_granule_in_a_class_are_counted)
{
    uint32_t counted[PM_CLASS_OBJECTS] = {0};
    for (size_t size = PM_GRANULE; size <= PM_POOL_SIZE_MAX; size += PM_GRANULE)
        counted[pm_class_of(size)]++;
    for (unsigned class = 0; class < PM_CLASS_OBJECTS; class ++)
        ck_assert_uint_eq(pm_class_granules(class), counted[class]);
}
END_TEST

/* Up to 128 bytes less than a granule; above at most an eighth of the request. */
START_TEST(waste_is_bounded)
{
    for (size_t size = 1; size <= PM_POOL_SIZE_MAX; size++) {
        size_t waste = pm_class_size(pm_class_of(size)) - size;
        if (size <= 128)
            ck_assert_uint_lt(waste, PM_GRANULE);
        else
            ck_assert_uint_le(waste * 8, size);
    }
}
END_TEST

START_TEST(objects_have_a_class_for_each_word)
{
    unsigned last = PM_CLASS_OBJECTS;
    for (size_t size = 0; size <= PM_OBJECT_MAX; size++) {
        unsigned class = pm_class_of_object(size);
        size_t words = (size + 7) / 8;
        ck_assert_uint_eq(class, PM_CLASS_OBJECTS + (words < 2 ? 0 : words - 2));
        ck_assert_uint_eq(pm_class_size(class), pm_class_size(pm_class_of(size)));
        last = class;
    }
    ck_assert_uint_eq(last, PM_CLASS_COUNT - 1);
}
END_TEST

static unsigned smallest_aligned(size_t size, size_t align)
{
    unsigned class = 0;
    while (class < PM_CLASS_OBJECTS &&
           (pm_class_size(class) < size || pm_class_size(class) % align != 0))
        class ++;
    return class;
}

START_TEST(aligned_classes_are_the_smallest_too)
{
    for (size_t align = 1; align <= PM_POOL_SIZE_MAX; align *= 2) {
        for (size_t size = 0; size <= PM_POOL_SIZE_MAX; size++)
            UNIT_EQUAL(pm_class_of_aligned(size, align), smallest_aligned(size, align));
    }
}
END_TEST

START_TEST(what_no_pool_can_align_has_no_class)
{
    ck_assert_uint_eq(pm_class_of_aligned(1, 2 * PM_POOL_SIZE_MAX), PM_CLASS_OBJECTS);
    ck_assert_uint_eq(pm_class_of_aligned(1, (size_t)1 << 63), PM_CLASS_OBJECTS);
    ck_assert_uint_eq(pm_class_of_aligned(PM_POOL_SIZE_MAX + 1, 16), PM_CLASS_OBJECTS);
    ck_assert_uint_eq(pm_class_of_aligned(SIZE_MAX, 1), PM_CLASS_OBJECTS);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, classes_rise_to_the_largest);
    tcase_add_test(tests, every_size_has_the_smallest_class_that_holds_it);
    tcase_add_test(tests, the_multiples_of_a_granule_in_a_class_are_counted);
    tcase_add_test(tests, waste_is_bounded);
    tcase_add_test(tests, objects_have_a_class_for_each_word);
    tcase_add_test(tests, aligned_classes_are_the_smallest_too);
    tcase_add_test(tests, what_no_pool_can_align_has_no_class);
}

int main(void)
{
    return unit_run("sizeclass", add);
}
