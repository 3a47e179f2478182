/*
 * test_alloc.c - allocating, freeing and resizing at the level below libc's
 * names: contents, alignment, errno, and any size.
 */
#include "pools.h"

#include <sys/mman.h>

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "heap/alloc.h"
#include "heap/census.h"

enum { MARK = 77 };

START_TEST(every_small_size)
{
    for (size_t size = 0; size <= 2 * PM_POOL_SIZE_MAX; size += size < 2100 ? 1 : 61) {
        void *block = pm_alloc(size), *next = pm_alloc(size);
        size_t usable = pm_usable_size(block, "malloc_usable_size");
        ck_assert_ptr_ne(block, next);
        ck_assert_uint_eq((uintptr_t)block % PM_GRANULE, 0);
        ck_assert_uint_ge(usable, size);
        unit_fill(block, usable, 1);
        unit_fill(next, usable, 2);
        ck_assert(unit_intact(block, usable, 1));
        pm_free(block, "free");
        ck_assert(unit_intact(next, usable, 2));
        pm_free(next, "free");
    }
    pm_heap_check(pm_tls_heap);
}
END_TEST

/* What has aged inside pools goes back in a program that only uses large blocks by now, too. */
START_TEST(frees_of_large_blocks_look_at_the_clock)
{
    void *small = pm_alloc(100), *large[4]; /* one of so many does */
    for (size_t i = 0; i < UNIT_COUNT_OF(large); i++)
        large[i] = pm_alloc(100000);
    pm_tls_heap->look_ms = 1;
    pm_tls_heap->tick_ms = 0;
    for (size_t i = 0; i < UNIT_COUNT_OF(large); i++)
        pm_free(large[i], "free");
    ck_assert_uint_gt(pm_tls_heap->look_ms, 1);
    ck_assert_uint_eq(pm_tls_heap->tick_ms, pm_tls_heap->look_ms);
    pm_free(small, "free");
}
END_TEST

START_TEST(errno_is_kept_by_what_succeeds)
{
    errno = MARK;
    for (size_t size = 1; size < 100 * PM_MIB; size *= 3) {
        void *block = pm_realloc(pm_alloc_zeroed(size), 2 * size, "realloc");
        void *aligned = pm_alloc_aligned(size, 4096);
        pm_free(block, "free");
        pm_free(aligned, "free");
        ck_assert_int_eq(errno, MARK);
    }
    pm_free(NULL, "free");
    ck_assert_int_eq(errno, MARK);
}
END_TEST

static unsigned class_at(const void *block)
{
    return pm_pool_of_span(pm_ownermap_get(block))->class;
}

START_TEST(objects_of_each_size_keep_to_themselves)
{
    for (size_t size = 0; size <= PM_OBJECT_MAX; size++) {
        unsigned class = pm_class_of_object(size);
        void *object = pm_alloc_object(size);
        ck_assert_uint_eq((uintptr_t)object % PM_GRANULE, 0);
        ck_assert_uint_ge(pm_usable_size(object, "malloc_usable_size"), size);
        ck_assert_uint_eq(class_at(object), class);
        unit_fill(object, size, 1);
        object = pm_realloc_object(object, 0, "PyObject_Realloc");
        ck_assert_uint_lt(pm_usable_size(object, "malloc_usable_size"), size + PM_GRANULE + 1);
        ck_assert_uint_ge(class_at(object), PM_CLASS_OBJECTS);
        object = pm_realloc_object(object, size, "PyObject_Realloc");
        ck_assert_uint_ge(class_at(object), PM_CLASS_OBJECTS);
        void *zeroed = pm_alloc_zeroed_objects(1, size);
        ck_assert_uint_eq(class_at(zeroed), class);
        pm_free(zeroed, "PyObject_Free");
        pm_free(object, "PyObject_Free");
    }
    pm_heap_check(pm_tls_heap);
}
END_TEST

START_TEST(larger_objects_are_blocks_like_others)
{
    void *object = pm_realloc_object(NULL, PM_OBJECT_MAX, "PyObject_Realloc");
    ck_assert_uint_ge(class_at(object), PM_CLASS_OBJECTS);
    unit_fill(object, PM_OBJECT_MAX, 1);
    object = pm_realloc_object(object, PM_OBJECT_MAX + 1, "PyObject_Realloc");
    ck_assert_uint_eq(class_at(object), pm_class_of(PM_OBJECT_MAX + 1));
    ck_assert(unit_holds(object, PM_OBJECT_MAX, PM_OBJECT_MAX, 1));
    object = pm_realloc_object(object, 64, "PyObject_Realloc");
    ck_assert_uint_ge(class_at(object), PM_CLASS_OBJECTS);
    ck_assert(unit_holds(object, PM_OBJECT_MAX, 64, 1));
    pm_free(object, "PyObject_Free");
    object = pm_alloc_zeroed_objects(PM_OBJECT_MAX, 2);
    ck_assert_uint_eq(class_at(object), pm_class_of(2 * PM_OBJECT_MAX));
    pm_free(object, "PyObject_Free");
}
END_TEST

START_TEST(zeroed_objects_are_zero_when_reused)
{
    char *object = pm_alloc_object(100);
    unit_fill(object, 100, 3);
    pm_free(object, "PyObject_Free");
    char *again = pm_alloc_zeroed_objects(10, 10);
    ck_assert_ptr_eq(again, object);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(again[i], 0);
    pm_free(again, "PyObject_Free");
}
END_TEST

static void refused(void *block)
{
    ck_assert_ptr_null(block);
    ck_assert_int_eq(errno, ENOMEM);
    errno = 0;
}

START_TEST(impossible_sizes_are_refused)
{
    static const size_t sizes[] = {SIZE_MAX,    SIZE_MAX - 4095,     (size_t)PTRDIFF_MAX + 1,
                                   PTRDIFF_MAX, PTRDIFF_MAX - 65536, (size_t)1 << 47};
    void *small = pm_alloc(100), *large = pm_alloc(100000);
    unit_fill(small, 100, 1);
    unit_fill(large, 100000, 2);
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        refused(pm_alloc(sizes[i]));
        refused(pm_alloc_zeroed(sizes[i]));
        refused(pm_alloc_aligned(sizes[i], 64));
        refused(pm_realloc(small, sizes[i], "realloc"));
        refused(pm_realloc(large, sizes[i], "realloc"));
        refused(pm_realloc(NULL, sizes[i], "realloc"));
    }
    refused(pm_alloc_aligned(1, (size_t)1 << 63));
    refused(pm_alloc_aligned(1, (size_t)1 << 60));
    ck_assert(unit_intact(small, 100, 1));
    ck_assert(unit_intact(large, 100000, 2));
}
END_TEST

START_TEST(zeroed_blocks_are_zero_when_reused)
{
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 60 * PM_MIB; size *= 2) {
            char *block = pm_alloc_zeroed(size);
            ck_assert(unit_is_zero(block, size));
            memset(block, 0xff, pm_usable_size(block, "malloc_usable_size"));
            pm_free(block, "free");
        }
    }
}
END_TEST

START_TEST(fresh_zeroed_pages_are_not_touched)
{
    size_t size = 24 * PM_MIB, page = pm_os_page_size(), resident = 0;
    char *block = pm_alloc_zeroed(size);
    static unsigned char present[24 * 256];
    ck_assert_int_eq(mincore(block, size, present), 0);
    for (size_t i = 0; i < size / page; i++)
        resident += present[i] & 1;
    ck_assert_uint_le(resident, 1);
}
END_TEST

START_TEST(aligned_blocks)
{
    for (size_t align = 1; align <= 16 * PM_MIB; align *= 2) {
        for (size_t size = 0; size < 3 * PM_MIB; size = size * 3 + 1) {
            void *block = pm_alloc_aligned(size, align), *next = pm_alloc_aligned(size, align);
            ck_assert_ptr_ne(block, next);
            ck_assert_uint_eq((uintptr_t)block % align, 0);
            ck_assert_uint_ge(pm_usable_size(block, "malloc_usable_size"), size);
            unit_fill(block, size, 1);
            unit_fill(next, size, 2);
            ck_assert(unit_intact(block, size, 1));
            pm_free(block, "free");
            pm_free(next, "free");
        }
    }
}
END_TEST

START_TEST(realloc_keeps_the_common_part)
{
    static const size_t sizes[] = {0,     1,          100,        1000,        30000,      40000,
                                   70000, PM_MIB + 1, 5 * PM_MIB, 33 * PM_MIB, 70 * PM_MIB};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        for (size_t j = 0; j < UNIT_COUNT_OF(sizes); j++) {
            void *block = pm_alloc(sizes[i]);
            unit_fill(block, sizes[i], 5);
            block = pm_realloc(block, sizes[j], "realloc");
            ck_assert_ptr_nonnull(block);
            size_t common = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
            ck_assert(unit_holds(block, sizes[i], common, 5));
            ck_assert_uint_ge(pm_usable_size(block, "malloc_usable_size"), sizes[j]);
            unit_fill(block, sizes[j], 6);
            pm_free(block, "free");
        }
    }
    pm_heap_check(pm_tls_heap);
}
END_TEST

/* A quarter of the block is the most that may lie idle, but for the size class. */
START_TEST(a_block_that_shrinks_gives_back)
{
    for (size_t size = 256; size <= PM_POOL_SIZE_MAX; size += 48) {
        void *block = pm_realloc(pm_alloc(size), size / 8 * 5, "realloc");
        ck_assert_uint_eq(pm_usable_size(block, "malloc_usable_size"),
                          pm_class_size(pm_class_of(size / 8 * 5)));
        void *slightly = pm_realloc(block, size / 8 * 5 - 16, "realloc");
        ck_assert_ptr_eq(slightly, block);
        pm_free(block, "free");
    }
}
END_TEST

START_TEST(a_small_block_shrinks_to_another_class_or_by_a_quarter)
{
    for (size_t before = 16; before <= 1024; before += 16) {
        size_t now = pm_class_size(pm_class_of(before));
        for (size_t size = 0; size <= now; size++) {
            void *block = pm_alloc(before), *after = pm_realloc(block, size, "realloc");
            bool same_class = pm_class_of(size) == pm_class_of(before);
            ck_assert_int_eq(after == block, same_class || size > now - now / 4);
            pm_free(after, "free");
        }
    }
}
END_TEST

/* As CPython's lists grow. */
START_TEST(what_grows_by_little_has_room_to_grow)
{
    size_t size = 2000, steps = 0, moves = 0;
    char *block = pm_alloc(size);
    for (; size < PM_POOL_SIZE_MAX; size += size / 8, steps++) {
        unit_fill(block, size, 1);
        char *grown = pm_realloc(block, size + size / 8, "realloc");
        ck_assert(unit_holds(grown, size, size, 1));
        moves += grown != block;
        block = grown;
        size_t usable = pm_usable_size(block, "test");
        ck_assert_uint_lt(usable, (size + size / 8) / 3 * 4 + 4);
        ck_assert_msg(pm_realloc(block, size + size / 8, "realloc") == block, "it stays");
    }
    ck_assert_uint_le(moves, steps / 3 * 2);
    pm_free(block, "free");
}
END_TEST

START_TEST(what_has_grown_by_little_stays)
{
    for (size_t size = PM_DIRECT_MAX + 1; size <= PM_POOL_SIZE_MAX; size += 13) {
        char *grown = pm_realloc(pm_alloc(size / 9 * 8), size, "realloc");
        ck_assert_ptr_eq(pm_realloc(grown, size, "realloc"), grown);
        pm_free(grown, "free");
    }
}
END_TEST

START_TEST(what_grows_by_much_has_what_it_asks_for)
{
    char *block = pm_alloc(1000);
    for (size_t size = 2000; size < PM_POOL_SIZE_MAX; size += size / 4 + 100) {
        block = pm_realloc(block, size, "realloc");
        ck_assert_uint_eq(pm_usable_size(block, "test"), pm_class_size(pm_class_of(size)));
    }
    pm_free(block, "free");
}
END_TEST

START_TEST(where_there_is_no_room_to_grow_what_is_needed_will_do)
{
    void *keep = pm_alloc(2250); /* and the pool that has more of them */
    char *block = pm_alloc(2000);
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    while (pm_alloc(2250 + 2250 / 4) != NULL) {
    }
    errno = EBUSY;
    char *grown = pm_realloc(block, 2250, "realloc");
    ck_assert_ptr_nonnull(grown);
    ck_assert_int_eq(errno, EBUSY);
    ck_assert_uint_eq(pm_usable_size(grown, "test"), 2304);
    unit_os_heal();
    pm_free(keep, "free");
}
END_TEST

START_TEST(realloc_keeps_the_alignment_it_is_given)
{
    static const size_t sizes[] = {1, 100, 5000, 40000, PM_MIB, 300000, 9 * PM_MIB, 200, 0};
    for (size_t align = 16; align <= 4 * PM_MIB; align *= 4) {
        void *block = NULL;
        size_t before = 0;
        for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
            block = pm_realloc_aligned(block, sizes[i], align, "pymem_aligned_realloc");
            ck_assert_ptr_nonnull(block);
            ck_assert_uint_eq((uintptr_t)block % align, 0);
            ck_assert(unit_holds(block, before, before < sizes[i] ? before : sizes[i], 7));
            unit_fill(block, sizes[i], 7);
            before = sizes[i];
        }
        pm_free_sized(block, before, "pymem_free_sized");
    }
    pm_heap_check(pm_tls_heap);
}
END_TEST

enum { SLOTS = 300 };

static struct {
    void *start;
    size_t size;
} slots[SLOTS];

static void random_step(uint64_t *state, unsigned i)
{
    size_t size = unit_random(state) >> (48 + unit_random(state) % 14);
    if (unit_random(state) % 500 == 0)
        size = unit_random(state) % (5 * PM_MIB);
    ck_assert(unit_intact(slots[i].start, slots[i].size, i));
    switch (unit_random(state) % 4) {
    case 0:
        pm_free(slots[i].start, "free");
        slots[i].start = NULL;
        size = 0;
        break;
    case 1:
        pm_free(slots[i].start, "free");
        slots[i].start = pm_alloc_zeroed(size);
        ck_assert(unit_is_zero(slots[i].start, size));
        break;
    case 2:
        pm_free(slots[i].start, "free");
        slots[i].start = pm_alloc_aligned(size, (size_t)16 << unit_random(state) % 10);
        break;
    default: {
        size_t common = slots[i].size < size ? slots[i].size : size;
        slots[i].start = pm_realloc(slots[i].start, size, "realloc");
        ck_assert(unit_holds(slots[i].start, slots[i].size, common, i));
    }
    }
    ck_assert(size == 0 || slots[i].start != NULL);
    slots[i].size = size;
    if (slots[i].start != NULL)
        unit_fill(slots[i].start, size, i);
}

START_TEST(any_series_keeps_contents)
{
    uint64_t state = unit_seed();
    for (int round = 0; round < 60000; round++)
        random_step(&state, (unsigned)(unit_random(&state) % SLOTS));
    pm_heap_check(pm_tls_heap);
    for (size_t i = 0; i < SLOTS; i++)
        pm_free(slots[i].start, "free");
    unit_collect(pm_tls_heap);
    struct pm_census census;
    pm_census_take(&census);
    ck_assert_uint_eq(census.live_blocks + census.pools, 0);
}
END_TEST

static void *ask_as_another(void *block)
{
    ck_assert_uint_ge(pm_usable_size(block, "malloc_usable_size"), 100);
    pm_free(pm_alloc(1), "free"); /* now with a heap */
    ck_assert_uint_ge(pm_usable_size(block, "malloc_usable_size"), 100);
    ck_assert_ptr_null(pm_tlb_get(pm_tls_tlb, block));
    return block;
}

START_TEST(who_asks_for_a_size_is_known_to_free)
{
    void *block = pm_alloc(100);
    struct pm_span *span = pm_ownermap_get(block);
    ck_assert_ptr_null(pm_tlb_get(pm_tls_tlb, block));
    ck_assert_uint_ge(pm_usable_size(block, "malloc_usable_size"), 100);
    ck_assert_ptr_eq(pm_tlb_get(pm_tls_tlb, block), pm_pool_of_span(span));
    unit_in_thread(ask_as_another, block);
    pm_free(block, "free");
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, every_small_size);
    tcase_add_test(tests, who_asks_for_a_size_is_known_to_free);
    tcase_add_test(tests, objects_of_each_size_keep_to_themselves);
    tcase_add_test(tests, larger_objects_are_blocks_like_others);
    tcase_add_test(tests, zeroed_objects_are_zero_when_reused);
    tcase_add_test(tests, frees_of_large_blocks_look_at_the_clock);
    tcase_add_test(tests, errno_is_kept_by_what_succeeds);
    tcase_add_test(tests, impossible_sizes_are_refused);
    tcase_add_test(tests, zeroed_blocks_are_zero_when_reused);
    tcase_add_test(tests, fresh_zeroed_pages_are_not_touched);
    tcase_add_test(tests, aligned_blocks);
    tcase_add_test(tests, realloc_keeps_the_common_part);
    tcase_add_test(tests, a_block_that_shrinks_gives_back);
    tcase_add_test(tests, a_small_block_shrinks_to_another_class_or_by_a_quarter);
    tcase_add_test(tests, what_grows_by_little_has_room_to_grow);
    tcase_add_test(tests, what_has_grown_by_little_stays);
    tcase_add_test(tests, what_grows_by_much_has_what_it_asks_for);
    tcase_add_test(tests, where_there_is_no_room_to_grow_what_is_needed_will_do);
    tcase_add_test(tests, realloc_keeps_the_alignment_it_is_given);
    tcase_add_test(tests, any_series_keeps_contents);
}

int main(void)
{
    return unit_run("alloc", add);
}
