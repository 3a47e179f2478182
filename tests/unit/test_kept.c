/*
 * test_kept.c - a large block finds the pages that another has left, and what is kept neither
 * adds to the peak nor outlives its time.
 */
#include "unit.h"

#include "arena/kept.h"
#include "arena/purge.h"
#include "arena/spans.h"

#define MIN PM_DEDICATED_MIN

static struct pm_span spans[8];

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(60000);
}

static void take(size_t i, size_t bytes)
{
    ck_assert(pm_spans_take_dedicated(&spans[i], bytes, 16, false));
    *(char *)spans[i].start = (char)(i + 1);
}

static void take_zeroed(size_t i, size_t bytes)
{
    ck_assert(pm_spans_take_dedicated(&spans[i], bytes, 16, true));
    ck_assert_uint_eq(spans[i].clean, PM_SPAN_CLEAN);
    ck_assert_int_eq(*(char *)spans[i].start, 0);
}

static void give(size_t i)
{
    pm_spans_give(&spans[i]);
}

START_TEST(the_next_block_of_that_size_has_the_pages)
{
    take(0, MIN);
    uintptr_t start = spans[0].start;
    give(0);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    ck_assert_uint_eq(pm_arena_totals().dirty, MIN);
    ck_assert_uint_eq(pm_arena_totals().mapped, MIN);
    ck_assert(pm_spans_take_dedicated(&spans[1], MIN, 16, false));
    ck_assert_uint_eq(spans[1].start, start);
    ck_assert_uint_eq(spans[1].clean, 0);
    ck_assert_int_eq(*(char *)start, 1);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    ck_assert_uint_eq(pm_arena_totals().taken, MIN);
    pm_arena_check();
}
END_TEST

START_TEST(so_have_somewhat_shorter_ones)
{
    static const size_t sizes[] = {MIN + 8 * 65536, MIN + 3 * 65536, MIN + 4 * 65536, MIN / 2};
    take(0, sizes[0]);
    give(0);
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        ck_assert(pm_spans_take_dedicated(&spans[1], sizes[i], 16, false));
        ck_assert_uint_eq(pm_arena_span_bytes(&spans[1]), sizes[i]);
        ck_assert_int_eq(*(char *)spans[1].start, i < 2);
        give(1);
    }
}
END_TEST

START_TEST(where_the_system_refuses_to_cut_they_are_fresh)
{
    take(0, MIN + 65536);
    give(0);
    unit_os_fail(UNIT_BIT(UNIT_RESIZE), 1, false);
    ck_assert(pm_spans_take_dedicated(&spans[0], MIN, 16, false));
    ck_assert_int_eq(*(char *)spans[0].start, 0);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
}
END_TEST

START_TEST(the_nearest_size_is_taken)
{
    static const size_t sizes[] = {3 * MIN, MIN, 2 * MIN};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++)
        take(i, sizes[i]);
    take(3, 6 * MIN);
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++)
        give(i);
    ck_assert_uint_eq(pm_kept_bytes(), 6 * MIN);
    ck_assert(pm_spans_take_dedicated(&spans[4], 2 * MIN - 65536, 16, false));
    ck_assert_int_eq(*(char *)spans[4].start, 3);
    ck_assert(pm_spans_take_dedicated(&spans[5], 3 * MIN + 65536, 16, false));
    ck_assert_int_eq(*(char *)spans[5].start, 0);
    ck_assert(pm_spans_take_dedicated(&spans[6], MIN, 65536, false));
    ck_assert_uint_eq(spans[6].clean, PM_SPAN_CLEAN); /* such an alignment it may not have */
}
END_TEST

START_TEST(zeros_are_fresh)
{
    take(0, MIN);
    take(1, MIN);
    give(0);
    take_zeroed(2, MIN);
    ck_assert_uint_eq(pm_kept_bytes(), 0); /* the peak would have been higher */
}
END_TEST

/* As the page faults of looking at it say. */
static void take_zeroed_and_fill(size_t i, bool filled)
{
    take_zeroed(i, MIN);
    unit_os.faults_each = filled ? 0 : 1;
    give(i);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
}

/* How many blocks that are to be zero have the pages of the one before. */
static size_t zeroed_in_a_row(void)
{
    for (size_t count = 0;; count++) {
        ck_assert_uint_lt(count, 1000);
        ck_assert(pm_spans_take_dedicated(&spans[0], MIN, 16, true));
        give(0);
        if (spans[0].clean == PM_SPAN_CLEAN)
            return count;
    }
}

START_TEST(zeros_that_are_filled_have_what_is_kept)
{
    take_zeroed_and_fill(0, true);
    ck_assert(pm_spans_take_dedicated(&spans[0], MIN, 16, true));
    ck_assert_uint_eq(spans[0].clean, 0); /* whose bytes are to be cleared */
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    pm_arena_check();
    give(0);
    size_t row = zeroed_in_a_row();
    ck_assert_uint_ge(row, 4);
    ck_assert_uint_eq(zeroed_in_a_row(), row + 1); /* one is looked at, and is filled again */
    unit_os.faults_each = 1;
    ck_assert_uint_eq(zeroed_in_a_row(), row + 1);
    ck_assert_uint_eq(zeroed_in_a_row(), 0); /* it was not */
}
END_TEST

/* Nor are they where the system does not say, nor does a block that was not to be zero count. */
START_TEST(zeros_that_are_not_filled_are_fresh)
{
    take_zeroed_and_fill(0, false);
    ck_assert_uint_eq(zeroed_in_a_row(), 0);
    unit_os.faults = unit_os.faults_each = 0;
    ck_assert_uint_eq(zeroed_in_a_row(), 0);
    ck_assert_uint_eq(zeroed_in_a_row(), 0);
    pm_kept_release();
    unit_os.faults = 1;
    take(1, MIN);
    give(1);
    ck_assert_uint_eq(zeroed_in_a_row(), 0);
}
END_TEST

START_TEST(a_process_that_drops_what_it_had_keeps_little)
{
    for (size_t i = 0; i < 8; i++)
        take(i, MIN);
    for (size_t i = 0; i < 4; i++) {
        give(i);
        ck_assert_uint_eq(pm_kept_bytes(), (i + 1) * MIN);
    }
    for (size_t i = 4; i < 8; i++)
        give(i);
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
    pm_kept_tick(false);
    take(0, 2 * MIN + 65536);
    give(0); /* too much for a process that has nothing else */
    ck_assert_uint_le(pm_kept_bytes(), 2 * MIN);
}
END_TEST

/* All at a time, and then nothing. */
static void take_and_give(size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        take(i, MIN);
    for (size_t i = 0; i < blocks; i++)
        give(i);
}

START_TEST(unless_it_takes_that_again_at_once)
{
    take_and_give(6);
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
    take_and_give(5);
    ck_assert_uint_eq(pm_kept_bytes(), 5 * MIN);
    pm_kept_tick(false);
    take_and_give(3);
    ck_assert_uint_eq(pm_kept_bytes(), 5 * MIN);
    pm_kept_tick(false); /* two were not wanted: no more than three are kept from now on */
    take_and_give(5);
    ck_assert_uint_eq(pm_kept_bytes(), 3 * MIN);
    pm_arena_check();
}
END_TEST

START_TEST(later_is_not_again)
{
    take_and_give(6);
    pm_kept_tick(false);
    take_and_give(6);
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
    take_and_give(6);
    ck_assert_uint_eq(pm_kept_bytes(), 6 * MIN);
    pm_kept_tick(false);
    pm_kept_tick(false);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    take_and_give(6);
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
}
END_TEST

START_TEST(growth_takes_its_place)
{
    take(0, MIN);
    take(1, MIN);
    give(0);
    for (size_t i = 2; pm_kept_bytes() != 0; i++) {
        ck_assert_uint_lt(i, 8);
        ck_assert_uint_le(pm_arena_used() + pm_kept_bytes(), 2 * MIN);
        ck_assert(pm_spans_take(&spans[i], PM_SPAN_LARGE, MIN / 2 >> PM_SLICE_SHIFT, PM_SLICE));
        pm_arena_use(&spans[i], PM_SPAN_CLEAN);
    }
}
END_TEST

START_TEST(a_block_takes_its_place)
{
    take(0, MIN);
    take(1, MIN);
    give(0);
    take(2, MIN / 2);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    take(2, MIN);
    give(1);
    give(2);
    take(1, MIN);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    take(2, MIN);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
}
END_TEST

/* There would be room for both, but who knows what else has grown. */
START_TEST(it_goes_when_others_grow)
{
    for (size_t i = 0; i < 4; i++)
        take(i, MIN);
    take(4, MIN);
    give(4);
    ck_assert_uint_eq(pm_kept_release(), MIN);
    give(0);
    give(1);
    for (size_t i = 4; i < 8; i++) {
        ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
        ck_assert(pm_spans_take(&spans[i], PM_SPAN_LARGE, MIN / 8 >> PM_SLICE_SHIFT, PM_SLICE));
        take(0, 65536); /* which is not worth to be kept, and no new beginning */
        give(0);
    }
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
    ck_assert(pm_spans_take(&spans[0], PM_SPAN_LARGE, MIN / 8 >> PM_SLICE_SHIFT, PM_SLICE));
    ck_assert_uint_eq(pm_kept_bytes(), 0);
}
END_TEST

/* The program takes and frees the same there, over and over: not each time all that is kept goes.
 */
START_TEST(but_not_when_they_come_to_where_they_were)
{
    for (size_t i = 0; i < 5; i++)
        take(i, MIN);
    give(4);
    ck_assert_uint_eq(pm_kept_release(), MIN);
    give(0);
    for (int turn = 0; turn < 3; turn++) {
        ck_assert_uint_eq(pm_kept_bytes(), MIN);
        ck_assert(pm_spans_take(&spans[4], PM_SPAN_LARGE, MIN / 2 >> PM_SLICE_SHIFT, PM_SLICE));
        pm_arena_use(&spans[4], PM_SPAN_CLEAN);
        take(5, 65536); /* whatever else: now is looked at what is used */
        ck_assert_uint_eq(pm_kept_bytes(), turn == 0 ? 0 : MIN);
        give(5);
        give(4);
        take(0, MIN);
        give(0);
    }
}
END_TEST

/* What is in its way is cut, not given back: it has use for the rest soon. */
START_TEST(what_a_block_that_grew_has_left_makes_room_in_part)
{
    enum { LEFT = 20 * PM_MIB, GROWN = 6 * PM_MIB };
    take(0, LEFT);
    give(0);
    ck_assert_uint_eq(pm_kept_bytes(), LEFT);
    take(1, GROWN);
    ck_assert_uint_eq(pm_kept_bytes(), LEFT - GROWN);
    ck_assert(pm_spans_take_roomy(&spans[2], GROWN));
    ck_assert_int_eq(*(char *)spans[2].start, 1);
    ck_assert_uint_eq(pm_arena_span_bytes(&spans[2]), LEFT - GROWN);
    give(2);
    unit_os_fail(UNIT_BIT(UNIT_RESIZE), 1, false);
    take(3, PM_MIB);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    pm_arena_check();
}
END_TEST

START_TEST(a_block_that_grows_has_room)
{
    static const size_t sizes[] = {8 * PM_MIB, 4 * PM_MIB, 7 * PM_MIB, 20 * PM_MIB};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++)
        take(i, sizes[i]);
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++)
        give(i);
    size_t kept = pm_kept_bytes();
    ck_assert_uint_eq(kept, 39 * PM_MIB);
    ck_assert_msg(!pm_spans_take_roomy(&spans[4], PM_MIB - 65536), "four times as much, at most");
    ck_assert_msg(!pm_spans_take_roomy(&spans[4], 14 * PM_MIB), "worth to be copied to");
    ck_assert(pm_spans_take_roomy(&spans[4], 2 * PM_MIB));
    ck_assert_int_eq(*(char *)spans[4].start, 1); /* the longest of three */
    ck_assert_uint_eq(pm_arena_span_bytes(&spans[4]), 8 * PM_MIB);
    ck_assert_uint_eq(spans[4].clean, 0);
    ck_assert_uint_eq(pm_kept_bytes(), kept - 8 * PM_MIB);
    ck_assert(pm_spans_take_roomy(&spans[5], 13 * PM_MIB));
    ck_assert_int_eq(*(char *)spans[5].start, 4);
    pm_arena_check();
}
END_TEST

/* Blocks of which the program touches little: to keep one that it has filled may be a new peak. */
START_TEST(what_was_never_resident_does_not_count)
{
    take(0, 2 * MIN);
    take(1, MIN);
    take(2, MIN);
    unit_os.peak = _i == 0 ? 2 * MIN : 0; /* which the system may not say */
    give(1);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    take(1, MIN);
    unit_os.peak = 4 * MIN;
    give(1);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    unit_os.peak = 0; /* it was as much, whatever the system says now */
    give(2);
    ck_assert_uint_eq(pm_kept_bytes(), 2 * MIN);
    pm_arena_check();
}
END_TEST

/* A block that grows, and arenas of any kind, have what was kept before they are refused. */
START_TEST(it_goes_before_memory_is_refused)
{
    struct pm_span pool;
    take(0, MIN);
    take(1, MIN);
    give(0);
    unit_os_fail(UNIT_BIT(UNIT_RESIZE), 1, false);
    ck_assert(pm_spans_remap(&spans[1], 2 * MIN));
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    take(0, 2 * MIN);
    give(0);
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, false);
    ck_assert(pm_spans_take(&pool, PM_SPAN_LARGE, PM_MIB * 64 >> PM_SLICE_SHIFT, PM_SLICE));
    ck_assert_uint_eq(pm_kept_bytes(), 0);
}
END_TEST

static void *map(void *context, size_t size)
{
    (void)context;
    return pm_os_memory.map(size);
}

static void unmap(void *context, void *start, size_t size)
{
    (void)context;
    pm_os_memory.unmap(start, size);
}

START_TEST(a_replaced_provider_is_asked_all_the_same)
{
    const struct pm_provider own = {NULL, map, unmap};
    take(0, MIN);
    take(1, MIN);
    give(0);
    pm_provider_set(&own);
    take(0, MIN);
    ck_assert(!pm_provider_is_system(&spans[0].arena->provider));
    give(0);
    ck_assert_uint_eq(pm_arena_totals().taken, MIN);
    ck_assert_uint_eq(pm_kept_bytes() % MIN, 0);
}
END_TEST

START_TEST(it_goes_with_time)
{
    uint64_t now = pm_os_clock_ms();
    take(0, MIN);
    give(0);
    pm_purge_tick(now += 1);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    pm_purge_tick(now += 60000 - 2); /* not due */
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    take(0, MIN);
    give(0); /* a new time */
    pm_kept_tick(false);
    ck_assert_uint_eq(pm_kept_bytes(), MIN);
    pm_kept_tick(false);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    take(0, MIN);
    give(0);
    pm_purge_tick(now + 130000); /* after a quiet time at once */
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    ck_assert_uint_eq(pm_arena_totals().mapped, 0);
}
END_TEST

START_TEST(it_goes_when_asked_for)
{
    take(0, MIN);
    give(0);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert_uint_eq(pm_purge_all(), MIN);
    ck_assert_uint_eq(pm_purge_total(), MIN);
    ck_assert_uint_eq(pm_arena_totals().arenas, 0);
    take(0, MIN);
    give(0);
    ck_assert_uint_eq(pm_purge_empty_arenas(0), MIN);
    pm_purge_set_decay(0);
    take(0, MIN);
    give(0);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
    ck_assert_uint_eq(pm_arena_totals().mapped, 0);
}
END_TEST

/* A block that has been moved to an arena of its own so as to grow is soon forgotten. */
START_TEST(small_arenas_are_not_kept)
{
    ck_assert(pm_spans_take_dedicated(&spans[0], PM_MIB - 65536, PM_SLICE, false));
    give(0);
    ck_assert_uint_eq(pm_kept_bytes(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_next_block_of_that_size_has_the_pages);
    tcase_add_test(tests, so_have_somewhat_shorter_ones);
    tcase_add_test(tests, where_the_system_refuses_to_cut_they_are_fresh);
    tcase_add_test(tests, the_nearest_size_is_taken);
    tcase_add_test(tests, zeros_are_fresh);
    tcase_add_test(tests, zeros_that_are_filled_have_what_is_kept);
    tcase_add_test(tests, zeros_that_are_not_filled_are_fresh);
    tcase_add_test(tests, a_process_that_drops_what_it_had_keeps_little);
    tcase_add_test(tests, unless_it_takes_that_again_at_once);
    tcase_add_test(tests, later_is_not_again);
    tcase_add_test(tests, growth_takes_its_place);
    tcase_add_test(tests, a_block_takes_its_place);
    tcase_add_test(tests, it_goes_when_others_grow);
    tcase_add_test(tests, but_not_when_they_come_to_where_they_were);
    tcase_add_test(tests, what_a_block_that_grew_has_left_makes_room_in_part);
    tcase_add_test(tests, a_block_that_grows_has_room);
    tcase_add_loop_test(tests, what_was_never_resident_does_not_count, 0, 2);
    tcase_add_test(tests, it_goes_before_memory_is_refused);
    tcase_add_test(tests, a_replaced_provider_is_asked_all_the_same);
    tcase_add_test(tests, it_goes_with_time);
    tcase_add_test(tests, it_goes_when_asked_for);
    tcase_add_test(tests, small_arenas_are_not_kept);
}

int main(void)
{
    return unit_run("kept", add);
}
