/*
 * test_purge.c - when pages go back: at once, never, or after a while; and that
 * nobody gets a page that is being purged.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"

static struct pm_span keep, span;
static bool was_clean; /* what was taken last */

static void take(struct pm_span *one, size_t slices)
{
    ck_assert(pm_spans_take(one, PM_SPAN_LARGE, slices, PM_SLICE));
    was_clean = one->clean == PM_SPAN_CLEAN;
    pm_arena_use(one, PM_SPAN_CLEAN);
}

static void setup(void)
{
    unit_os_install();
    take(&keep, 1);
    take(&span, 4);
    memset((void *)span.start, 0xff, 4 * PM_SLICE);
}

START_TEST(decay_zero_purges_at_every_free)
{
    pm_purge_set_decay(0);
    pm_spans_give(&span);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 1);
    ck_assert_uint_eq(pm_purge_total(), 4 * PM_SLICE);
    take(&span, 4);
    pm_spans_cut(&span, 1);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert_uint_eq(pm_purge_total(), 7 * PM_SLICE);
}
END_TEST

START_TEST(decay_below_zero_never_purges)
{
    pm_purge_set_decay(-1);
    pm_spans_give(&span);
    unit_sleep_ms(20);
    pm_purge_tick(pm_os_clock_ms());
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 0);
    ck_assert_uint_eq(pm_arena_totals().dirty, 4 * PM_SLICE);
    ck_assert_uint_eq(pm_purge_all(), 4 * PM_SLICE); /* but on demand */
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(a_quiet_time_purges_all)
{
    pm_purge_set_decay(40);
    pm_spans_give(&span);
    unit_sleep_ms(200);
    ck_assert_uint_eq(pm_arena_totals().dirty, 4 * PM_SLICE); /* nothing happens by itself */
    pm_purge_tick(pm_os_clock_ms());
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert_uint_eq(pm_purge_total(), 4 * PM_SLICE);
}
END_TEST

START_TEST(fresh_pages_stay_for_the_decay)
{
    pm_purge_set_decay(60000);
    pm_spans_give(&span);
    for (int i = 0; i < 100; i++)
        pm_purge_tick(pm_os_clock_ms());
    take(&span, 4);
    ck_assert(!was_clean);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 0);
}
END_TEST

/* The program never rests, yet what it does not use again goes back. */
START_TEST(old_pages_go_while_others_are_busy)
{
    struct pm_span fence, busy;
    take(&fence, 1);
    take(&busy, 5); /* does not fit where `span` was */
    pm_purge_set_decay(100);
    pm_spans_give(&span);
    for (int i = 0; i < 300 && pm_purge_total() == 0; i++) {
        pm_spans_give(&busy);
        take(&busy, 5);
        unit_sleep_ms(10);
    }
    ck_assert_uint_ge(pm_purge_total(), 4 * PM_SLICE);
}
END_TEST

START_TEST(nothing_is_purged_while_suspended)
{
    pm_purge_suspend(true);
    pm_purge_set_decay(0);
    pm_spans_give(&span);
    pm_purge_set_decay(1);
    unit_sleep_ms(20);
    pm_purge_tick(pm_os_clock_ms());
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 0);
    pm_purge_suspend(false);
    pm_purge_tick(pm_os_clock_ms());
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(a_refused_purge_leaves_it_dirty)
{
    pm_purge_set_decay(0);
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    pm_spans_give(&span);
    ck_assert_uint_eq(pm_purge_all(), 0);
    ck_assert_uint_eq(pm_arena_totals().dirty, 4 * PM_SLICE);
    ck_assert_uint_eq(pm_purge_total(), 0);
    unit_os_heal();
    ck_assert_uint_eq(pm_purge_all(), 4 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(where_the_last_pages_are_refused_others_go)
{
    struct pm_span low, fence, high, end;
    pm_purge_set_decay(60000);
    take(&low, 64);
    take(&fence, 1);
    take(&high, 64);
    take(&end, 1);
    pm_spans_give(&low);
    pm_spans_give(&high);
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, false);
    size_t purged;
    ck_assert(pm_purge_some(10 * PM_SLICE, &purged));
    ck_assert_uint_eq(purged, pm_purge_total());
    ck_assert_uint_ge(pm_purge_total(), 10 * PM_SLICE);
}
END_TEST

enum { HOLES = 100 };

static size_t calls, most; /* purges, and the runs of the longest */

static size_t purge_and_count(const struct pm_os_run *runs, size_t count)
{
    calls++;
    most = count > most ? count : most;
    return unit_os_purge(runs, count);
}

START_TEST(short_runs_go_together)
{
    struct pm_span holes[HOLES], fences[HOLES];
    pm_purge_set_decay(60000);
    for (size_t i = 0; i < HOLES; i++) {
        take(&holes[i], 1);
        take(&fences[i], 1);
    }
    for (size_t i = 0; i < HOLES; i++) {
        memset((void *)holes[i].start, 0xff, PM_SLICE);
        pm_spans_give(&holes[i]);
    }
    size_t dirty = pm_arena_totals().dirty;
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 7, false);
    pm_os_memory.purge = purge_and_count;
    ck_assert_uint_eq(pm_purge_all(), dirty - PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, PM_SLICE); /* the seventh */
    ck_assert_uint_lt(calls, HOLES / 8);
    ck_assert_uint_ge(most, HOLES / 8);
    ck_assert_uint_eq(pm_purge_all(), PM_SLICE);
    for (size_t i = 0; i < HOLES; i++) {
        take(&holes[i], 1);
        ck_assert(unit_is_zero((void *)holes[i].start, PM_SLICE));
    }
}
END_TEST

START_TEST(less_than_a_page_is_a_page)
{
    pm_purge_set_decay(60000);
    pm_spans_give(&span);
    size_t purged;
    ck_assert(pm_purge_some(1, &purged));
    ck_assert_uint_gt(purged, 0);
    ck_assert_uint_gt(pm_purge_total(), 0);
}
END_TEST

START_TEST(one_thread_purges_at_a_time)
{
    pm_purge_set_decay(60000);
    pm_spans_give(&span);
    pm_lock(&pm_purge_lock);
    size_t purged;
    ck_assert(!pm_purge_some(PM_SLICE, &purged));
    ck_assert_uint_eq(purged, 0);
    pm_unlock(&pm_purge_lock);
    ck_assert(pm_purge_some(PM_SLICE, &purged));
    ck_assert_uint_ge(purged, PM_SLICE);
}
END_TEST

static uintptr_t purging; /* start of the first range purged */
static struct pm_span meanwhile;

static void *purge_and_take(void *unused)
{
    size_t purged;
    pm_purge_some(PM_GIB, &purged);
    UNIT_CHECK(pm_spans_take(&meanwhile, PM_SPAN_LARGE, 4, PM_SLICE));
    memset((void *)meanwhile.start, 0x55, 4 * PM_SLICE);
    return unused;
}

/* While the first purge is on its way, another thread purges, and takes what is clean. */
static size_t purge_slowly(const struct pm_os_run *runs, size_t count)
{
    if (purging == 0) {
        purging = (uintptr_t)runs[0].start;
        unit_in_thread(purge_and_take, NULL);
    } else {
        UNIT_CHECK((uintptr_t)runs[0].start != purging);
    }
    return unit_os.real.purge(runs, count);
}

START_TEST(two_threads_never_purge_the_same_pages)
{
    pm_purge_set_decay(100000);
    pm_spans_give(&span);
    pm_os_memory.purge = purge_slowly;
    pm_purge_all();
    ck_assert_uint_ne(meanwhile.start, purging);
    ck_assert_int_eq(*(char *)meanwhile.start, 0x55);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

enum { THREADS = 4, ROUNDS = 400 };

static void *churn(void *argument)
{
    unsigned tag = *(unsigned *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct pm_span own;
        size_t slices = 1 + (size_t)i % 5;
        UNIT_CHECK(pm_spans_take(&own, PM_SPAN_LARGE, slices, PM_SLICE));
        UNIT_CHECK(own.clean != PM_SPAN_CLEAN || unit_is_zero((void *)own.start, PM_SLICE));
        pm_arena_use(&own, PM_SPAN_CLEAN);
        unit_fill((void *)own.start, slices << PM_SLICE_SHIFT, tag);
        sched_yield();
        UNIT_CHECK(unit_intact((void *)own.start, slices << PM_SLICE_SHIFT, tag));
        pm_spans_give(&own);
    }
    return NULL;
}

START_TEST(threads_that_purge_leave_one_another_alone)
{
    pthread_t threads[THREADS];
    unsigned tags[THREADS];
    pm_purge_set_decay(0);
    for (unsigned i = 0; i < THREADS; i++) {
        tags[i] = i + 1;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, &tags[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    struct pm_arena_totals totals = pm_arena_totals();
    ck_assert_uint_eq(totals.taken, 5 * PM_SLICE);
    ck_assert_uint_eq(totals.dirty, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, decay_zero_purges_at_every_free);
    tcase_add_test(tests, decay_below_zero_never_purges);
    tcase_add_test(tests, a_quiet_time_purges_all);
    tcase_add_test(tests, fresh_pages_stay_for_the_decay);
    tcase_add_test(tests, old_pages_go_while_others_are_busy);
    tcase_add_test(tests, nothing_is_purged_while_suspended);
    tcase_add_test(tests, a_refused_purge_leaves_it_dirty);
    tcase_add_test(tests, where_the_last_pages_are_refused_others_go);
    tcase_add_test(tests, short_runs_go_together);
    tcase_add_test(tests, less_than_a_page_is_a_page);
    tcase_add_test(tests, one_thread_purges_at_a_time);
    tcase_add_test(tests, two_threads_never_purge_the_same_pages);
    tcase_add_test(tests, threads_that_purge_leave_one_another_alone);
}

int main(void)
{
    return unit_run("purge", add);
}
