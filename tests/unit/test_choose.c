/*
 * test_choose.c - which free run a span is taken from, and where in it a long block begins.
 */
#include "spans.h"

#include "arena/choose.h"
#include "arena/purge.h"

static struct pm_span spans[7];

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(-1);
}

enum { LONG = 40 }; /* slices */

/* A free run of what spans of these lengths have left, side by side; returns its start.  Those with
 * a bit in `dirty` are. */
static uintptr_t leave(const size_t *lengths, size_t count, unsigned dirty)
{
    for (size_t i = 0; i < count; i++)
        unit_take_span(&spans[i], lengths[i]);
    unit_take_span(&spans[count], 1);
    for (size_t i = 0; i < count; i++) {
        if ((dirty >> i & 1) == 0)
            pm_spans_give(&spans[i]);
    }
    pm_purge_all();
    for (size_t i = 0; i < count; i++) {
        if ((dirty >> i & 1) != 0)
            pm_spans_give(&spans[i]);
    }
    return spans[0].start;
}

/* In slices: what is left, where of that a block of so many is to begin. */
static const struct {
    size_t lengths[6], count;
    unsigned dirty;
    size_t wanted, at;
} places[] = {
    {{LONG, LONG, LONG}, 3, 2, LONG, LONG},               /* what is resident */
    {{LONG, LONG, LONG}, 3, 4, LONG + 10, 2 * LONG - 10}, /* though it hardly fits */
    {{LONG, LONG, LONG}, 3, 2, 3 * LONG, 0},
    {{LONG, LONG, LONG}, 3, 0, LONG, 0},
    {{LONG, 1, LONG, LONG}, 4, 2, LONG, 0},             /* it is not worth a hole more */
    {{LONG, 8, LONG, LONG}, 4, 10, LONG, 2 * LONG + 8}, /* the place with most of it */
    {{1, 11, 1, 11, 1, LONG}, 6, 0x35, LONG, 24},
};

START_TEST(a_long_block_takes_resident_pages_before_clean_ones)
{
    uintptr_t start = leave(places[_i].lengths, places[_i].count, places[_i].dirty);
    struct pm_span again = {.slices = 0};
    ck_assert(pm_spans_take_resident(&again, places[_i].wanted, PM_SLICE));
    ck_assert_uint_eq(again.start, start + places[_i].at * PM_SLICE);
    pm_arena_check();
}
END_TEST

START_TEST(others_begin_where_the_run_does)
{
    static const size_t lengths[] = {LONG, LONG, LONG};
    uintptr_t start = leave(lengths, 3, 2);
    struct pm_span again = {.slices = 0};
    ck_assert(!pm_spans_take_resident_only(&again, LONG));
    ck_assert(pm_spans_take(&again, PM_SPAN_LARGE, LONG, PM_SLICE));
    ck_assert_uint_eq(again.start, start);
    ck_assert_uint_eq(again.clean, PM_SPAN_CLEAN);
}
END_TEST

enum { HOLES = 4, MOST = 32 };

/* Holes of these lengths between spans that stay, those with a bit in `dirty` resident; returns
 * where they begin. */
static void make_holes(const size_t *lengths, unsigned dirty, uintptr_t *starts)
{
    static struct pm_span holes[HOLES], between[HOLES];
    for (size_t i = 0; i < HOLES; i++) {
        unit_take_span(&holes[i], lengths[i]);
        unit_take_span(&between[i], 1);
        starts[i] = holes[i].start;
    }
    for (unsigned is_dirty = 0; is_dirty <= 1; is_dirty++) {
        for (size_t i = 0; i < HOLES; i++) {
            if ((dirty >> i & 1) == is_dirty)
                pm_spans_give(&holes[i]);
        }
        if (!is_dirty)
            pm_purge_all();
    }
}

/* Of the holes, which serves a span of so many slices. */
static const struct {
    size_t lengths[HOLES];
    unsigned dirty;
    size_t wanted, hole;
} choices[] = {
    {{10, 6, 8, 6}, 15, 5, 1}, /* the shortest, and the lowest of these */
    {{10, 6, 8, 6}, 5, 5, 2},  /* of what is resident */
    {{10, 6, 8, 6}, 1, 5, 0},  /* however long */
    {{10, 6, 8, 6}, 0, 7, 2},
    {{10, 6, 8, 12}, 7, 11, 3}, /* what is not, where nothing else will do */
};

START_TEST(the_shortest_resident_run_is_taken)
{
    uintptr_t starts[HOLES];
    make_holes(choices[_i].lengths, choices[_i].dirty, starts);
    struct pm_span again = {.slices = 0};
    ck_assert(pm_spans_take(&again, PM_SPAN_LARGE, choices[_i].wanted, PM_SLICE));
    ck_assert_uint_eq(again.start, starts[choices[_i].hole]);
    pm_arena_check();
}
END_TEST

/* Spans built and dropped again and again, while one stays behind which a shorter run is clean. */
START_TEST(a_cycle_stays_where_it_was)
{
    static struct pm_span all[MOST], last;
    for (size_t i = 0; i < MOST; i++)
        unit_take_span(&all[i], 6);
    unit_take_span(&last, 6);
    size_t behind = last.arena->slices - pm_arena_slice_after(&last);
    ck_assert(behind >= 6 && behind < MOST * 6);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MOST; i++)
            pm_spans_give(&all[i]);
        for (size_t i = 0; i < MOST; i++)
            unit_take_span(&all[i], 6);
        ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    }
}
END_TEST

/* One with so many free slices at its start, and one behind them that is taken. */
static void make_arena(size_t slices)
{
    static struct pm_span first, stays;
    unit_take_span(&first, slices);
    unit_take_span(&stays, 1);
    pm_spans_give(&first);
    pm_purge_all();
}

/* A hole of so many slices, so far behind another which is clean or not; and which of them serves
 * a span of so many. */
static const struct {
    size_t first, between, behind, wanted;
    bool clean, is_first;
} distances[] = {
    {10, 900, 5, 5, false, false},
    {10, 1100, 5, 5, false, false},
    {20, 900, 18, 17, false, false},
    {20, 1100, 18, 17, false, true}, /* a long one, and far behind */
    {20, 1100, 18, 17, true, false}, /* but those before are not resident */
    {20, 1100, 18, 5, false, true},  /* the same if it need not be long */
    {10, 900, 50, 5, false, true},
};

START_TEST(a_long_run_far_behind_is_left_unless_it_is_resident_and_others_are_not)
{
    make_arena(1200);
    unit_take_span(&spans[0], distances[_i].first);
    unit_take_span(&spans[1], distances[_i].between);
    unit_take_span(&spans[2], distances[_i].behind);
    unit_take_span(&spans[3], 1);
    uintptr_t first = spans[0].start, behind = spans[2].start;
    ck_assert_uint_eq(behind - first, (distances[_i].first + distances[_i].between) * PM_SLICE);
    pm_spans_give(&spans[0]);
    if (distances[_i].clean)
        pm_purge_all();
    pm_spans_give(&spans[2]);
    unit_take_span(&spans[4], distances[_i].wanted);
    ck_assert_uint_eq(spans[4].start, distances[_i].is_first ? first : behind);
    pm_arena_check();
}
END_TEST

/* Where runs of a long span's length have been sought in vain they are not sought again. */
START_TEST(an_arena_without_long_runs_is_known)
{
    static struct pm_span all[MOST], rest;
    enum { LENGTH = PM_RUNS_LENGTHS + 4 };
    make_arena(LENGTH * MOST);
    for (size_t i = 0; i < MOST; i++)
        unit_take_span(&all[i], LENGTH);
    struct pm_arena *arena = all[0].arena;
    unit_take_span(&rest, arena->slices - arena->taken_count);
    pm_spans_give(&all[1]);
    ck_assert(pm_choose_may_find(arena, LENGTH + 1));
    unit_take_span(&spans[0], LENGTH + 1);
    ck_assert_ptr_ne(spans[0].arena, arena);
    ck_assert(!pm_choose_may_find(arena, LENGTH + 1));
    ck_assert(pm_choose_may_find(arena, LENGTH));
    pm_spans_give(&all[2]);
    ck_assert(pm_choose_may_find(arena, 2 * LENGTH));
    pm_arena_check();
}
END_TEST

/* A slice between two runs. */
START_TEST(slices_come_back_beside_a_long_run)
{
    enum { FAR = 1500 };
    static struct pm_span before, one, behind;
    make_arena(2 * FAR);
    unit_take_span(&before, FAR);
    unit_take_span(&one, 1);
    unit_take_span(&behind, FAR - 1);
    struct pm_span *orders[][3] = {{&before, &one, &behind}, {&behind, &one, &before}};
    for (size_t i = 0; i < 3; i++) {
        pm_spans_give(orders[_i][i]);
        pm_arena_check();
    }
    unit_take_span(&before, 2 * FAR);
    ck_assert_uint_eq(before.arena->taken_count, 2 * FAR + 1);
    pm_arena_check();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, a_long_block_takes_resident_pages_before_clean_ones, 0,
                        UNIT_COUNT_OF(places));
    tcase_add_test(tests, others_begin_where_the_run_does);
    tcase_add_loop_test(tests, the_shortest_resident_run_is_taken, 0, UNIT_COUNT_OF(choices));
    tcase_add_test(tests, a_cycle_stays_where_it_was);
    tcase_add_loop_test(tests,
                        a_long_run_far_behind_is_left_unless_it_is_resident_and_others_are_not, 0,
                        UNIT_COUNT_OF(distances));
    tcase_add_test(tests, an_arena_without_long_runs_is_known);
    tcase_add_loop_test(tests, slices_come_back_beside_a_long_run, 0, 2);
}

int main(void)
{
    return unit_run("choose", add);
}
