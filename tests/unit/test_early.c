/*
 * test_early.c - which free pages go before their time, and that this comes to an end.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/early.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "os/os.h"

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(60000);
}

static void take(struct pm_span *one, size_t slices)
{
    ck_assert(pm_spans_take(one, PM_SPAN_LARGE, slices, PM_SLICE));
}

static void take_used(struct pm_span *one, size_t slices)
{
    take(one, slices);
    pm_arena_use(one, PM_SPAN_CLEAN);
}

/* A third as much as is in use lies free, before the last span. */
static struct pm_span leave_a_hole(void)
{
    struct pm_span first, base, hole, last;
    take_used(&first, 200); /* what the first arena has */
    take_used(&base, 800);
    take_used(&hole, 500);
    take_used(&last, 300);
    pm_spans_give(&hole);
    return last;
}

/* The hole is in the way of what is taken last. */
static void grow_past_a_hole(void)
{
    struct pm_span longer;
    leave_a_hole();
    take_used(&longer, 501);
}

START_TEST(growth_pays_for_what_lies_in_its_way)
{
    struct pm_span longer;
    grow_past_a_hole();
    ck_assert_uint_ge(pm_purge_total(), 300 * PM_SLICE);
    ck_assert_uint_le(pm_arena_totals().dirty, pm_arena_peak_used() / 32 + 256 * PM_KIB);
    ck_assert_uint_ge(pm_arena_totals().dirty,
                      pm_arena_peak_used() / 80); /* no more went than had to */
    take(&longer, 100);                           /* the lowest pages are kept */
    ck_assert(longer.clean == 0);
}
END_TEST

static bool grow_by_dedicated(struct pm_span *last)
{
    struct pm_span own;
    (void)last;
    return pm_spans_take_dedicated(&own, 501 * PM_SLICE, PM_SLICE, true);
}

static bool grow_by_extending(struct pm_span *last)
{
    return pm_spans_extend(last, 801);
}

static bool grow_by_remapping(struct pm_span *last)
{
    return pm_spans_remap(last, 801 * PM_SLICE);
}

static bool (*const growths[])(struct pm_span *) = {grow_by_dedicated, grow_by_extending,
                                                    grow_by_remapping};

START_TEST(so_does_growth_of_any_kind)
{
    struct pm_span last = leave_a_hole();
    if (!growths[_i](&last))
        ck_assert(growths[_i] == grow_by_remapping); /* a system that cannot */
    else
        ck_assert_uint_ge(pm_purge_total(), 300 * PM_SLICE);
}
END_TEST

START_TEST(a_program_that_does_not_grow_keeps_its_pages)
{
    struct pm_span again;
    grow_past_a_hole();
    uint64_t before = pm_purge_total();
    for (int i = 0; i < 10; i++) {
        take_used(&again, 400);
        pm_spans_give(&again);
    }
    ck_assert_uint_eq(pm_purge_total(), before);
}
END_TEST

START_TEST(growth_pays_once)
{
    pm_lock(&pm_purge_lock); /* so that what is booked as purged comes back every time */
    grow_past_a_hole();
    pm_unlock(&pm_purge_lock);
    size_t excess, booked = 0;
    pm_lock(&pm_arena_lock);
    while ((excess = pm_early_excess_locked(PM_EARLY_GROWTH)) != 0)
        booked += excess;
    pm_unlock(&pm_arena_lock);
    ck_assert_uint_gt(booked, 0);
    ck_assert_uint_le(booked, pm_arena_peak_used() / 4 + 8 * PM_MIB);
}
END_TEST

enum { POOLS = 1600, PEAK = POOLS * PM_SLICE, ALLOWED = POOLS / 32 + 16 }; /* and 256 KiB */

static struct pm_span pools[POOLS];

static void take_pool(int i)
{
    take_used(&pools[i], 1);
    pools[i].kind = PM_SPAN_POOL;
}

static void build(void)
{
    for (int i = 0; i < POOLS; i++)
        take_pool(i);
}

START_TEST(pools_that_go_leave_a_thirty_second_of_the_peak)
{
    build();
    for (int i = 0; i < ALLOWED; i++)
        pm_spans_give(&pools[i]);
    ck_assert_uint_eq(pm_purge_total(), 0);
    pm_spans_give(&pools[ALLOWED]);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 1); /* not one for each pool */
}
END_TEST

static void drop(void)
{
    for (int i = 0; i < POOLS; i++)
        pm_spans_give(&pools[i]);
}

/* Half as much as is in use is a third of what was. */
START_TEST(a_small_process_has_it_go_in_longer_runs)
{
    enum { FEW = POOLS / 4, FIRST = FEW / 32 + 17, SECOND = FIRST + (FEW - FIRST) / 3 + 1 };
    for (int i = 0; i < FEW; i++)
        take_pool(i);
    for (int i = 0; i < FEW; i++) {
        pm_spans_give(&pools[i]);
        unsigned long calls = i + 1 < FIRST ? 0 : i + 1 < SECOND ? 1 : 2;
        if (i < SECOND)
            ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), calls);
    }
}
END_TEST

START_TEST(a_program_that_drops_its_pools_again_keeps_their_pages)
{
    uint64_t before = 0;
    for (int i = 0; i < 10; i++) {
        build();
        drop();
        if (i == 0)
            before = pm_purge_total();
    }
    ck_assert_uint_gt(before, PEAK / 4);
    ck_assert_uint_le(before, PEAK / 4 + 8 * PM_MIB);
    ck_assert_uint_eq(pm_purge_total(), before);
}
END_TEST

/* An eighth of what there is goes and comes back over and over, as in a loop. */
static void drop_and_rebuild_a_part(void)
{
    for (int i = 0; i < POOLS / 8; i++)
        pm_spans_give(&pools[i]);
    for (int i = 0; i < POOLS / 8; i++)
        take_pool(i);
}

START_TEST(what_comes_back_soon_goes_no_more)
{
    enum { ROUNDS = 4, EACH = 2 * (ALLOWED + 1) }; /* of an eighth, two thirds go */
    build();
    uint64_t begun = pm_os_clock_ms();
    for (int i = 0; i < ROUNDS; i++)
        drop_and_rebuild_a_part();
    size_t gone = pm_purge_total() / PM_SLICE, paid = 64 + pm_os_clock_ms() - begun + 1;
    ck_assert_uint_ge(gone, EACH);
    ck_assert_uint_le(gone, paid + 2 * EACH); /* the last time, and what came back before */
    drop();                                   /* most of it: that may be the end */
    ck_assert_uint_gt(pm_purge_total() / PM_SLICE, gone);
}
END_TEST

START_TEST(large_blocks_that_go_are_kept_for_the_next)
{
    struct pm_span block, fence;
    take_used(&block, POOLS);
    take_used(&fence, 1);
    pm_spans_give(&block);
    ck_assert_uint_eq(pm_purge_total(), 0);
}
END_TEST

START_TEST(what_nobody_could_purge_is_not_paid_for)
{
    build();
    pm_lock(&pm_purge_lock); /* as a thread at it would */
    for (int i = 0; i < POOLS / 2; i++)
        pm_spans_give(&pools[i]);
    pm_unlock(&pm_purge_lock);
    ck_assert_uint_eq(pm_purge_total(), 0);
    pm_spans_give(&pools[POOLS / 2]);
    ck_assert_uint_ge(pm_purge_total(), PEAK / 4);
}
END_TEST

/* As with mlockall(): each time that growth has something in its way it would be tried again. */
START_TEST(what_the_system_refuses_is_asked_for_seldom)
{
    struct pm_span one;
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    grow_past_a_hole();
    unsigned long calls = unit_os_calls(UNIT_PURGE);
    ck_assert_uint_gt(calls, 0);
    for (int i = 0; i < 1000; i++)
        take_used(&one, 1);
    ck_assert_uint_le(unit_os_calls(UNIT_PURGE) - calls, 10 * calls);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, growth_pays_for_what_lies_in_its_way);
    tcase_add_loop_test(tests, so_does_growth_of_any_kind, 0, UNIT_COUNT_OF(growths));
    tcase_add_test(tests, a_program_that_does_not_grow_keeps_its_pages);
    tcase_add_test(tests, growth_pays_once);
    tcase_add_test(tests, pools_that_go_leave_a_thirty_second_of_the_peak);
    tcase_add_test(tests, a_small_process_has_it_go_in_longer_runs);
    tcase_add_test(tests, a_program_that_drops_its_pools_again_keeps_their_pages);
    tcase_add_test(tests, what_the_system_refuses_is_asked_for_seldom);
    tcase_add_test(tests, what_comes_back_soon_goes_no_more);
    tcase_add_test(tests, large_blocks_that_go_are_kept_for_the_next);
    tcase_add_test(tests, what_nobody_could_purge_is_not_paid_for);
}

int main(void)
{
    return unit_run("early", add);
}
