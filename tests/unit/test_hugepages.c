/*
 * test_hugepages.c - which arenas are advised to use huge pages, and that sparse ones give
 * them up.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/hugepages.h"
#include "arena/mapping.h"
#include "arena/purge.h"
#include "arena/spans.h"

static struct pm_span first, rest;

static void setup(void)
{
    unit_os_install();
    pm_hugepages_set(true);
}

static void take(struct pm_span *span, size_t bytes)
{
    ck_assert(pm_spans_take(span, pm_spans_slices(bytes), PM_SLICE));
    span->kind = PM_SPAN_LARGE;
    pm_arena_use(span, PM_SPAN_CLEAN);
}

/* An arena of 16 MiB, of which nine are taken and the others were. */
static struct pm_arena *dense_arena(void)
{
    take(&first, PM_MIB);
    take(&rest, 15 * PM_MIB);
    pm_spans_cut(&rest, pm_spans_slices(8 * PM_MIB));
    ck_assert_uint_eq(first.arena->slices << PM_SLICE_SHIFT, 16 * PM_MIB);
    ck_assert_uint_ne(first.arena->dirty_count, 0);
    return first.arena;
}

static void let_time_pass(void)
{
    uint64_t now = pm_os_clock_ms();
    for (int second = 1; second < 10; second++)
        pm_purge_tick(now + 1000 * (uint64_t)second);
}

START_TEST(nothing_is_advised_unless_asked_for)
{
    pm_hugepages_set(false);
    ck_assert_uint_eq(pm_hugepages_align(64 * PM_MIB), PM_SLICE);
    take(&first, PM_MIB);
    ck_assert(!first.arena->huge);
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

START_TEST(a_large_arena_begins_on_a_huge_page)
{
    take(&first, PM_MIB);
    ck_assert(first.arena->huge);
    ck_assert_uint_eq(first.arena->base % PM_OS_HUGE_PAGE, 0);
    ck_assert_uint_eq(unit_os.huge, first.arena->slices << PM_SLICE_SHIFT);
}
END_TEST

START_TEST(small_arenas_and_single_blocks_have_none)
{
    take(&first, PM_SLICE);
    ck_assert(!first.arena->huge);
    ck_assert(pm_spans_take_dedicated(&rest, PM_DEDICATED_MIN, PM_SLICE));
    ck_assert(!rest.arena->huge);
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

START_TEST(a_dense_arena_is_purged_on_demand_only)
{
    struct pm_arena *arena = dense_arena();
    pm_purge_some(SIZE_MAX);
    let_time_pass();
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 0);
    ck_assert(arena->huge);
    ck_assert_uint_ne(pm_purge_all(), 0);
    ck_assert(!arena->huge);
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

START_TEST(a_sparse_arena_is_purged_as_any_other)
{
    struct pm_arena *arena = dense_arena();
    pm_spans_give(&first);
    pm_spans_give(&rest);
    let_time_pass();
    ck_assert_uint_ne(unit_os_calls(UNIT_PURGE), 0);
    ck_assert_uint_eq(arena->dirty_count, 0);
    ck_assert(!arena->huge);
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

/* The system would put a huge page where a small one has just gone. */
START_TEST(pages_inside_pools_end_it_too)
{
    static struct pm_heap heap = UNIT_HEAP;
    pm_heap_clear(&heap);
    take(&first, PM_MIB);
    struct pm_pool *pool = pm_pool_create(0, PM_POOL_REGULAR, &heap);
    ck_assert_ptr_eq(pool->span.arena, first.arena);
    while (unit_take(pool) != NULL)
        continue;
    ck_assert_uint_eq(pm_pool_purge(pool), 0);
    ck_assert(first.arena->huge);
    for (uint32_t i = 1; i < pm_pool_blocks(pool); i++)
        pm_pool_push(pool, unit_nth(pool, i));
    ck_assert_uint_ne(pm_pool_purge(pool), 0);
    ck_assert(!first.arena->huge);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, nothing_is_advised_unless_asked_for);
    tcase_add_test(tests, a_large_arena_begins_on_a_huge_page);
    tcase_add_test(tests, small_arenas_and_single_blocks_have_none);
    tcase_add_test(tests, a_dense_arena_is_purged_on_demand_only);
    tcase_add_test(tests, a_sparse_arena_is_purged_as_any_other);
    tcase_add_test(tests, pages_inside_pools_end_it_too);
}

int main(void)
{
    return unit_run("hugepages", add);
}
