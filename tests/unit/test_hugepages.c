/*
 * test_hugepages.c - which arenas are advised to use huge pages, who may use those, and when
 * that ends.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/hugepages.h"
#include "arena/mapping.h"
#include "arena/purge.h"
#include "arena/spans.h"

enum { BIG = 4 };

static struct pm_span big[BIG], pool_span, large_span;

static void setup(void)
{
    unit_os_install();
}

static struct pm_arena *take(struct pm_span *span, enum pm_span_kind kind, size_t bytes)
{
    ck_assert(pm_spans_take(span, kind, pm_spans_slices(bytes), PM_SLICE));
    pm_arena_use(span, PM_SPAN_CLEAN);
    return span->arena;
}

/* The process uses PM_HUGEPAGES_FROM, in arenas that are full. */
static void make_large(void)
{
    pm_mapping_set_arena_max(PM_HUGEPAGES_FROM / BIG);
    for (int i = 0; i < BIG; i++)
        take(&big[i], PM_SPAN_LARGE, PM_HUGEPAGES_FROM / BIG);
    atomic_store(&unit_os.small, 0);
}

static size_t bytes_of(const struct pm_arena *arena)
{
    return arena->slices << PM_SLICE_SHIFT;
}

START_TEST(a_small_process_has_none)
{
    struct pm_arena *arena = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.huge, 0);
    ck_assert_uint_eq(unit_os.small, bytes_of(arena));
    ck_assert(pm_spans_take_dedicated(&large_span, PM_DEDICATED_MIN, PM_SLICE, true));
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_SYSTEM);
    ck_assert_uint_eq(unit_os.small, bytes_of(arena));
}
END_TEST

START_TEST(pools_of_a_large_one_have_arenas_with_huge_pages)
{
    make_large();
    struct pm_arena *arena = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_ADVISED);
    ck_assert_uint_eq(arena->base % PM_OS_HUGE_PAGE, 0);
    ck_assert_uint_eq(unit_os.huge, bytes_of(arena));
}
END_TEST

/* The arena for pools that a large process takes whose others use so many of their pages. */
static struct pm_arena *after_pools(uint64_t pages)
{
    static struct pm_span pools[256], rest;
    struct pm_arena *first = NULL;
    for (size_t i = 0; i < UNIT_COUNT_OF(pools) / 2; i++) {
        ck_assert(pm_spans_take(&pools[i], PM_SPAN_POOL, pm_spans_slices(64), PM_SLICE));
        pm_arena_use(&pools[i], pages);
        pm_ownermap_set(pools[i].start, pools[i].slices, &pools[i]);
        first = pools[i].arena;
    }
    take(&rest, PM_SPAN_LARGE, (first->slices - first->taken_count) << PM_SLICE_SHIFT);
    ck_assert_ptr_eq(rest.arena, first);
    make_large();
    struct pm_arena *arena = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_ptr_ne(arena, first);
    return arena;
}

/* As where a thousand threads have a few blocks of each size: each would make 2 MiB resident. */
START_TEST(hardly_used_pools_have_none)
{
    ck_assert_int_eq(pm_arena_hugepages(after_pools(1)), PM_HUGEPAGES_NEVER);
}
END_TEST

START_TEST(pools_in_full_use_have_them)
{
    ck_assert_int_eq(pm_arena_hugepages(after_pools(PM_SPAN_CLEAN)), PM_HUGEPAGES_ADVISED);
}
END_TEST

/* Behind that may lie what the program has mapped. */
START_TEST(advice_ends_where_the_mapping_does)
{
    size_t bytes = PM_DEDICATED_MIN + pm_os_page_size(), larger = PM_HUGEPAGES_FROM + bytes;
    pm_hugepages_set(false);
    ck_assert(pm_spans_take_dedicated(&large_span, bytes, PM_SLICE, true));
    ck_assert_uint_eq(unit_os.small, bytes);
    pm_hugepages_set(true);
    ck_assert(pm_spans_remap(&large_span, larger));
    ck_assert_uint_eq(unit_os.huge, larger);
}
END_TEST

/* What numpy has said of an array of its own. */
START_TEST(advice_goes_with_the_block)
{
    struct pm_arena *arena = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_NEVER);
    take(&large_span, PM_SPAN_LARGE, PM_MIB);
    size_t small = unit_os.small;
    pm_spans_give(&large_span);
    ck_assert_uint_eq(unit_os.small, small);
    take(&large_span, PM_SPAN_LARGE, 2 * PM_OS_HUGE_PAGE);
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_SYSTEM);
    pm_hugepages_end(large_span.arena);
    small = unit_os.small;
    pm_spans_give(&large_span);
    ck_assert_uint_eq(unit_os.small, small + 2 * PM_OS_HUGE_PAGE);
}
END_TEST

START_TEST(each_is_looked_at_once)
{
    struct pm_span more[3];
    make_large();
    take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_uint_eq(unit_os.touched, 1);
    take(&more[0], PM_SPAN_POOL, PM_OS_HUGE_PAGE - 2 * PM_SLICE);
    ck_assert_uint_eq(unit_os.touched, 1);
    take(&more[1], PM_SPAN_POOL, 2 * PM_SLICE); /* on the last slice and the next one's first */
    ck_assert_uint_eq(unit_os.touched, 2);
    take(&more[2], PM_SPAN_POOL, PM_SLICE);
    ck_assert_uint_eq(unit_os.touched, 2);
    pm_spans_give(&pool_span);
    take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_uint_eq(unit_os.touched, 2);
    ck_assert_int_eq(pm_arena_hugepages(pool_span.arena), PM_HUGEPAGES_ADVISED);
}
END_TEST

START_TEST(when_a_later_one_comes_slowly_there_are_no_more)
{
    struct pm_span second, third;
    make_large();
    struct pm_arena *slow = take(&pool_span, PM_SPAN_POOL, PM_OS_HUGE_PAGE);
    ck_assert_int_eq(pm_arena_hugepages(slow), PM_HUGEPAGES_ADVISED);
    memset((void *)pool_span.start, 1, PM_SLICE);
    unit_os.touch_us = 3000;
    ck_assert_ptr_eq(take(&second, PM_SPAN_POOL, PM_SLICE), slow);
    ck_assert_int_eq(pm_arena_hugepages(slow), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.small, bytes_of(slow));
    ck_assert_int_eq(*(char *)pool_span.start, 1);
    ck_assert_ptr_eq(take(&third, PM_SPAN_POOL, PM_OS_HUGE_PAGE), slow);
    ck_assert_uint_eq(unit_os.touched, 2);
}
END_TEST

/* The one that came slowly is there, whole, though the books know of the slices in use only. */
START_TEST(what_the_last_one_has_free_goes_with_the_first_purge)
{
    struct pm_span second;
    make_large();
    struct pm_arena *slow = take(&pool_span, PM_SPAN_POOL, PM_OS_HUGE_PAGE);
    unit_os.touch_us = 3000;
    take(&second, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(slow), PM_HUGEPAGES_NEVER);
    char *behind = (char *)second.start + PM_SLICE;
    for (int i = 0; i < 2; i++) {
        ck_assert(pm_hugepages_may_be(slow) == (i == 0));
        memset(behind, 1, PM_SLICE); /* as if the system had done so */
        pm_hugepages_end(slow);
        ck_assert(unit_is_zero(behind, PM_SLICE) == (i == 0));
    }
}
END_TEST

START_TEST(a_large_block_does_without_where_they_come_slowly)
{
    ck_assert(pm_spans_take_dedicated(&large_span, PM_DEDICATED_MIN, PM_SLICE, true));
    unit_os.touch_us = 3000;
    ck_assert(pm_spans_remap(&large_span, PM_HUGEPAGES_FROM + 4 * PM_OS_HUGE_PAGE));
    ck_assert_uint_eq(unit_os.touched, 1);
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_NEVER);
    size_t huge = unit_os.huge;
    ck_assert(pm_spans_remap(&large_span, 2 * PM_HUGEPAGES_FROM));
    ck_assert_uint_eq(unit_os.touched, 1);
    ck_assert_uint_eq(unit_os.huge, huge);
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_NEVER);
}
END_TEST

START_TEST(where_they_come_slowly_there_are_none)
{
    struct pm_span second;
    make_large();
    unit_os.touch_us = 3000;
    struct pm_arena *slow = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(slow), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.small, bytes_of(slow));
    ck_assert_int_eq(*(char *)slow->base, 0);
    unit_os.touch_us = 300;
    take(&large_span, PM_SPAN_POOL, bytes_of(slow) - PM_SLICE);
    struct pm_arena *next = take(&second, PM_SPAN_POOL, PM_SLICE);
    ck_assert_ptr_ne(next, slow);
    ck_assert_int_eq(pm_arena_hugepages(next), PM_HUGEPAGES_ADVISED);
}
END_TEST

START_TEST(large_blocks_are_kept_out)
{
    make_large();
    struct pm_arena *huge = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    struct pm_arena *arena = take(&large_span, PM_SPAN_LARGE, PM_SLICE);
    ck_assert_ptr_ne(arena, huge);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_SYSTEM);
    ck_assert_uint_eq(unit_os.huge, bytes_of(huge));
    ck_assert_uint_eq(unit_os.small, 0);
}
END_TEST

START_TEST(large_blocks_are_let_in_when_memory_is_short)
{
    make_large();
    struct pm_arena *huge = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert_ptr_eq(take(&large_span, PM_SPAN_LARGE, PM_MIB), huge);
    ck_assert_int_eq(pm_arena_hugepages(huge), PM_HUGEPAGES_NEVER);
    ck_assert_uint_ge(unit_os.small, bytes_of(huge));
    unit_os_heal();
}
END_TEST

/* One slice of a huge page is used: the others may be resident as well, and go with its end. */
START_TEST(what_nobody_has_used_goes_too)
{
    make_large();
    struct pm_arena *huge = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    memset((void *)(huge->base + PM_SLICE), 1, PM_SLICE); /* as if the system had done so */
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    pm_hugepages_end(huge);
    unit_os_heal();
    ck_assert_uint_ne(*(char *)(huge->base + PM_SLICE), 0); /* it refuses: no harm done */
    pm_spans_give(&pool_span);
    pm_purge_all();

    huge = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    memset((void *)(huge->base + PM_SLICE), 1, PM_SLICE);
    memset((void *)huge->base, 1, PM_SLICE);
    pm_hugepages_end(huge);
    ck_assert(unit_is_zero((char *)huge->base + PM_SLICE, PM_SLICE));
    ck_assert_uint_eq(*(char *)huge->base, 1);
}
END_TEST

START_TEST(an_arena_that_is_purged_has_none_any_more)
{
    make_large();
    struct pm_arena *huge = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    take(&large_span, PM_SPAN_POOL, PM_SLICE);
    pm_spans_give(&large_span);
    ck_assert_int_eq(pm_arena_hugepages(huge), PM_HUGEPAGES_ADVISED);
    ck_assert_uint_eq(pm_purge_all(), PM_SLICE);
    ck_assert_uint_eq(pm_purge_total(), PM_SLICE);
    ck_assert_uint_eq(huge->dirty_count, 0);
    pm_arena_check();
    ck_assert_int_eq(pm_arena_hugepages(huge), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.small, bytes_of(huge));
    ck_assert_ptr_eq(take(&large_span, PM_SPAN_LARGE, PM_SLICE), huge);
}
END_TEST

START_TEST(a_large_block_that_grows_has_them)
{
    ck_assert(pm_spans_take_dedicated(&large_span, PM_DEDICATED_MIN, PM_SLICE, true));
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_SYSTEM);
    ck_assert(pm_spans_remap(&large_span, PM_HUGEPAGES_FROM + PM_MIB));
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_ADVISED);
    ck_assert_uint_eq(unit_os.huge, PM_HUGEPAGES_FROM + PM_MIB);
    ck_assert(pm_spans_remap(&large_span, 2 * PM_HUGEPAGES_FROM));
    ck_assert_uint_eq(unit_os.huge, PM_HUGEPAGES_FROM + PM_MIB); /* has been said */

    ck_assert(pm_spans_take_dedicated(&big[0], 2 * PM_DEDICATED_MIN, PM_SLICE, true));
    ck_assert(pm_spans_remap(&big[0], PM_DEDICATED_MIN));
    ck_assert_int_eq(pm_arena_hugepages(big[0].arena), PM_HUGEPAGES_SYSTEM);
}
END_TEST

START_TEST(a_block_that_leaves_its_arena_keeps_what_was_said_there)
{
    take(&pool_span, PM_SPAN_POOL, PM_SLICE); /* there are to be none */
    take(&large_span, PM_SPAN_LARGE, PM_MIB);
    if (!pm_spans_remap(&large_span, 2 * PM_MIB))
        return; /* a system without MREMAP_DONTUNMAP, or valgrind */
    ck_assert(large_span.arena->dedicated);
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

/* What large blocks leave is the system's to decide about. */
START_TEST(free_slices_among_large_blocks_end_nothing)
{
    struct pm_span other;
    struct pm_arena *arena = take(&large_span, PM_SPAN_LARGE, PM_SLICE);
    take(&other, PM_SPAN_LARGE, PM_SLICE);
    pm_spans_give(&other);
    ck_assert_uint_eq(pm_purge_all(), PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_SYSTEM);
    ck_assert_uint_eq(unit_os.huge + unit_os.small, 0);
}
END_TEST

START_TEST(pages_inside_pools_end_it_too)
{
    UNIT_HEAP(heap);
    pm_heap_clear(&heap);
    make_large();
    struct pm_pool *pool = pm_pool_create(0, UNIT_ROOMY, &heap);
    ck_assert_int_eq(pm_arena_hugepages(pool->span.arena), PM_HUGEPAGES_ADVISED);
    while (unit_take(pool) != NULL)
        continue;
    ck_assert_uint_eq(unit_purge(pool), 0);
    ck_assert_int_eq(pm_arena_hugepages(pool->span.arena), PM_HUGEPAGES_ADVISED);
    for (uint32_t i = 1; i < pm_pool_blocks(pool); i++)
        pm_pool_push(pool, unit_nth(pool, i));
    ck_assert_uint_ne(unit_purge(pool), 0);
    ck_assert_int_eq(pm_arena_hugepages(pool->span.arena), PM_HUGEPAGES_NEVER);
}
END_TEST

START_TEST(the_option_is_heard)
{
    pm_hugepages_set(false);
    make_large();
    struct pm_arena *arena = take(&pool_span, PM_SPAN_POOL, PM_SLICE);
    ck_assert_int_eq(pm_arena_hugepages(arena), PM_HUGEPAGES_NEVER);
    ck_assert(pm_spans_take_dedicated(&large_span, PM_DEDICATED_MIN, PM_SLICE, true));
    ck_assert_int_eq(pm_arena_hugepages(large_span.arena), PM_HUGEPAGES_NEVER);
    ck_assert_uint_eq(unit_os.huge, 0);
    ck_assert_uint_eq(unit_os.small, bytes_of(arena) + PM_DEDICATED_MIN);
    ck_assert(pm_spans_remap(&large_span, 2 * PM_DEDICATED_MIN));
    ck_assert_uint_eq(unit_os.huge, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_small_process_has_none);
    tcase_add_test(tests, pools_of_a_large_one_have_arenas_with_huge_pages);
    tcase_add_test(tests, hardly_used_pools_have_none);
    tcase_add_test(tests, pools_in_full_use_have_them);
    tcase_add_test(tests, advice_ends_where_the_mapping_does);
    tcase_add_test(tests, advice_goes_with_the_block);
    tcase_add_test(tests, each_is_looked_at_once);
    tcase_add_test(tests, when_a_later_one_comes_slowly_there_are_no_more);
    tcase_add_test(tests, what_the_last_one_has_free_goes_with_the_first_purge);
    tcase_add_test(tests, a_large_block_does_without_where_they_come_slowly);
    tcase_add_test(tests, where_they_come_slowly_there_are_none);
    tcase_add_test(tests, large_blocks_are_kept_out);
    tcase_add_test(tests, large_blocks_are_let_in_when_memory_is_short);
    tcase_add_test(tests, what_nobody_has_used_goes_too);
    tcase_add_test(tests, an_arena_that_is_purged_has_none_any_more);
    tcase_add_test(tests, a_large_block_that_grows_has_them);
    tcase_add_test(tests, a_block_that_leaves_its_arena_keeps_what_was_said_there);
    tcase_add_test(tests, free_slices_among_large_blocks_end_nothing);
    tcase_add_test(tests, pages_inside_pools_end_it_too);
    tcase_add_test(tests, the_option_is_heard);
}

int main(void)
{
    return unit_run("hugepages", add);
}
