/*
 * test_mapping.c - arenas made of mappings: their size, their alignment, what
 * a refusal leaves behind, and that all of it goes back.
 */
#include "unit.h"

#include "arena/mapping.h"
#include "arena/meta.h"

static void setup(void)
{
    unit_os_install();
}

/* Bytes mapped that are not metadata. */
static size_t outstanding(void)
{
    return atomic_load(&unit_os.bytes) - pm_meta_mapped();
}

START_TEST(arenas_grow_with_what_is_mapped)
{
    static const struct {
        size_t bytes, mapped, expected;
    } cases[] = {
        {PM_SLICE, 0, 4 * PM_MIB},
        {PM_SLICE, 16 * PM_MIB, 4 * PM_MIB},
        {PM_SLICE, 40 * PM_MIB, 10 * PM_MIB},
        {PM_SLICE, 4096 * PM_MIB, 256 * PM_MIB},
        {PM_MIB, 0, 16 * PM_MIB}, /* room for more of the kind */
        {PM_MIB, 100 * PM_MIB, 26 * PM_MIB},
        {20 * PM_MIB + PM_SLICE, 80 * PM_MIB, 256 * PM_MIB},
    };
    for (size_t i = 0; i < UNIT_COUNT_OF(cases); i++) {
        struct pm_arena *arena = pm_mapping_new(PM_SPAN_LARGE, cases[i].bytes, cases[i].mapped);
        ck_assert_ptr_nonnull(arena);
        ck_assert_uint_eq(arena->slices << PM_SLICE_SHIFT, cases[i].expected);
        ck_assert_uint_eq(arena->base % PM_SLICE, 0);
        ck_assert_uint_eq(outstanding(), cases[i].expected);
        ck_assert(!arena->dedicated && arena->taken_count == 0 && arena->dirty_count == 0);
        pm_mapping_delete(arena);
        ck_assert_uint_eq(outstanding(), 0);
    }
}
END_TEST

START_TEST(the_largest_arena_is_an_option)
{
    pm_mapping_set_arena_max(1); /* rounds up to a slice */
    struct pm_arena *arena = pm_mapping_new(PM_SPAN_LARGE, PM_SLICE, PM_GIB);
    ck_assert_uint_eq(arena->slices, 1);
    pm_mapping_delete(arena);
    arena = pm_mapping_new(PM_SPAN_LARGE, 5 * PM_SLICE, PM_GIB);
    ck_assert_uint_eq(arena->slices, 5);
    pm_mapping_delete(arena);
    pm_mapping_set_arena_max(PTRDIFF_MAX);
    arena = pm_mapping_new(PM_SPAN_LARGE, PM_SLICE, 4096 * PM_MIB);
    ck_assert_uint_eq(arena->slices << PM_SLICE_SHIFT, 1024 * PM_MIB);
    pm_mapping_delete(arena);
}
END_TEST

START_TEST(a_smaller_arena_is_better_than_none)
{
    ck_assert_ptr_nonnull(pm_meta_alloc(64));
    unit_os.map_limit = PM_MIB;
    struct pm_arena *arena = pm_mapping_new(PM_SPAN_LARGE, 3 * PM_SLICE, 400 * PM_MIB);
    ck_assert_ptr_nonnull(arena);
    ck_assert_uint_ge(arena->slices, 3);
    ck_assert_uint_lt(arena->slices << PM_SLICE_SHIFT, PM_MIB);
    pm_mapping_delete(arena);
    ck_assert_ptr_null(pm_mapping_new(PM_SPAN_LARGE, 2 * PM_MIB, 0));
    ck_assert_ptr_null(pm_mapping_new_dedicated(40 * PM_MIB, PM_SLICE));
    ck_assert_uint_eq(outstanding(), 0);
}
END_TEST

START_TEST(dedicated_arenas_are_aligned_and_exact)
{
    size_t page = pm_os_page_size();
    for (size_t align = PM_SLICE; align <= 64 * PM_MIB; align *= 4) {
        struct pm_arena *arena = pm_mapping_new_dedicated(33 * PM_MIB + page, align);
        ck_assert_ptr_nonnull(arena);
        ck_assert_uint_eq(arena->base % align, 0);
        ck_assert_uint_eq(arena->map_start, arena->base);
        ck_assert_uint_eq(arena->map_size, 33 * PM_MIB + page);
        ck_assert_uint_eq(outstanding(), arena->map_size);
        ck_assert(arena->dedicated);
        *(char *)(arena->base + arena->map_size - 1) = 1;
        pm_mapping_delete(arena);
        ck_assert_uint_eq(outstanding(), 0);
    }
    ck_assert_ptr_null(pm_mapping_new_dedicated((size_t)1 << 47, PM_SLICE));
    ck_assert_ptr_null(pm_mapping_new_dedicated(33 * PM_MIB, (size_t)1 << 62));
}
END_TEST

START_TEST(what_cannot_be_trimmed_stays_known)
{
    unit_os_fail(UNIT_BIT(UNIT_UNMAP), 1, true);
    struct pm_arena *arena = pm_mapping_new_dedicated(33 * PM_MIB, 64 * PM_MIB);
    ck_assert_ptr_nonnull(arena);
    ck_assert_uint_eq(arena->base % (64 * PM_MIB), 0);
    ck_assert_uint_le(arena->map_start, arena->base);
    ck_assert_uint_ge(arena->map_start + arena->map_size, arena->base + 33 * PM_MIB);
    memset((void *)arena->base, 1, 33 * PM_MIB);
}
END_TEST

static struct pm_arena *filled(size_t bytes)
{
    struct pm_arena *arena = pm_mapping_new_dedicated(bytes, PM_SLICE);
    unit_fill((void *)arena->base, bytes, 3);
    return arena;
}

START_TEST(resize_keeps_contents)
{
    struct pm_arena *arena = filled(33 * PM_MIB);
    ck_assert(pm_mapping_resize(arena, 70 * PM_MIB));
    ck_assert_uint_eq(arena->map_size, 70 * PM_MIB);
    ck_assert_uint_eq(arena->slices, 70 * PM_MIB / PM_SLICE);
    ck_assert(unit_intact((void *)arena->base, 33 * PM_MIB, 3));
    ck_assert(pm_mapping_resize(arena, 4096));
    ck_assert_uint_eq(arena->slices, 1);
    ck_assert(unit_holds((void *)arena->base, 33 * PM_MIB, 4096, 3));
    ck_assert_uint_eq(outstanding(), 4096);
    pm_mapping_delete(arena);
    ck_assert_uint_eq(outstanding(), 0);
}
END_TEST

/* As when the kernel is out of mappings: the slack before the base could not be unmapped. */
START_TEST(resize_keeps_contents_behind_slack)
{
    unit_os_fail(UNIT_BIT(UNIT_UNMAP), 1, true);
    struct pm_arena *arena = pm_mapping_new_dedicated(33 * PM_MIB, 64 * PM_MIB);
    unit_fill((void *)arena->base, 33 * PM_MIB, 3);
    pm_mapping_resize(arena, 200 * PM_MIB);
    ck_assert(unit_intact((void *)arena->base, 33 * PM_MIB, 3));
}
END_TEST

START_TEST(a_refused_resize_changes_nothing)
{
    struct pm_arena *arena = filled(33 * PM_MIB);
    uintptr_t base = arena->base;
    unit_os_fail(UNIT_BIT(UNIT_RESIZE), 1, true);
    ck_assert(!pm_mapping_resize(arena, 70 * PM_MIB));
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true); /* no leaf in reserve either */
    pm_mapping_resize(arena, 33 * PM_MIB);
    ck_assert_uint_eq(arena->map_size, 33 * PM_MIB);
    ck_assert_uint_eq(arena->base, base);
    ck_assert(unit_intact((void *)base, 33 * PM_MIB, 3));
}
END_TEST

/* The first `bytes` of an arena as a span. */
static struct pm_span span_of(struct pm_arena *arena, size_t bytes)
{
    return (struct pm_span){.start = arena->base,
                            .arena = arena,
                            .slices = (uint32_t)(bytes >> PM_SLICE_SHIFT),
                            .kind = PM_SPAN_LARGE};
}

START_TEST(pages_move_into_an_arena_of_their_own)
{
    struct pm_arena *from = filled(2 * PM_MIB);
    struct pm_span span = span_of(from, PM_MIB);
    struct pm_arena *arena = pm_mapping_new_from(&span, 40 * PM_MIB);
    if (arena == NULL)
        return; /* a system that cannot */
    ck_assert(arena->dedicated);
    ck_assert_uint_eq(arena->map_size, 40 * PM_MIB);
    ck_assert(unit_holds((void *)arena->base, 2 * PM_MIB, PM_MIB, 3));
    ck_assert(unit_is_zero((void *)from->base, PM_MIB));
    pm_mapping_delete(arena);
    pm_mapping_delete(from);
    ck_assert_uint_eq(outstanding(), 0);
}
END_TEST

START_TEST(pages_that_cannot_move_stay)
{
    static const unsigned refused[] = {UNIT_BIT(UNIT_MOVE), UNIT_BIT(UNIT_RESIZE),
                                       UNIT_BIT(UNIT_RESIZE) | UNIT_BIT(UNIT_MOVE_BACK)};
    struct pm_arena *from = filled(2 * PM_MIB);
    struct pm_span span = span_of(from, PM_MIB);
    for (size_t i = 0; i < UNIT_COUNT_OF(refused); i++) {
        unit_os_fail(refused[i], 1, true);
        ck_assert_ptr_null(pm_mapping_new_from(&span, 40 * PM_MIB));
        ck_assert(unit_intact((void *)from->base, 2 * PM_MIB, 3));
    }
    pm_mapping_delete(from);
    ck_assert_uint_eq(outstanding(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, arenas_grow_with_what_is_mapped);
    tcase_add_test(tests, the_largest_arena_is_an_option);
    tcase_add_test(tests, a_smaller_arena_is_better_than_none);
    tcase_add_test(tests, dedicated_arenas_are_aligned_and_exact);
    tcase_add_test(tests, what_cannot_be_trimmed_stays_known);
    tcase_add_test(tests, resize_keeps_contents);
    tcase_add_test(tests, resize_keeps_contents_behind_slack);
    tcase_add_test(tests, a_refused_resize_changes_nothing);
    tcase_add_test(tests, pages_move_into_an_arena_of_their_own);
    tcase_add_test(tests, pages_that_cannot_move_stay);
}

int main(void)
{
    return unit_run("mapping", add);
}
