/*
 * test_bitmap.c - every range of a three-word bitmap against one byte per bit.
 */
#include "unit.h"

#include "arena/bitmap.h"

enum { BITS = 192 };

static uint64_t map[PM_BITMAP_WORDS(BITS)];
static bool model[BITS];

static void randomize(uint64_t *state)
{
    for (size_t i = 0; i < BITS; i++) {
        model[i] = unit_random(state) >> 63;
        map[i / 64] &= ~((uint64_t)1 << (i % 64));
        map[i / 64] |= (uint64_t)model[i] << (i % 64);
    }
}

static bool agrees(void)
{
    for (size_t i = 0; i < BITS; i++) {
        if (pm_bitmap_test(map, i) != model[i])
            return false;
    }
    return true;
}

START_TEST(set_and_clear_change_their_range_only)
{
    uint64_t state = unit_seed();
    for (size_t first = 0; first < BITS; first++) {
        for (size_t count = 0; first + count <= BITS; count++) {
            bool value = (first + count) % 2;
            randomize(&state);
            (value ? pm_bitmap_set : pm_bitmap_clear)(map, first, count);
            memset(model + first, value, count);
            ck_assert_msg(agrees(), "%zu bits from %zu", count, first);
        }
    }
}
END_TEST

START_TEST(count_counts_its_range)
{
    uint64_t state = unit_seed();
    randomize(&state);
    for (size_t first = 0; first < BITS; first++) {
        size_t expected = 0;
        for (size_t count = 0; first + count <= BITS; count++) {
            UNIT_EQUAL(pm_bitmap_count(map, first, count), expected);
            expected += first + count < BITS && model[first + count];
        }
    }
}
END_TEST

START_TEST(read_and_add_move_words)
{
    uint64_t state = unit_seed();
    for (size_t first = 0; first < BITS; first++) {
        for (size_t count = 1; count <= 64 && first + count <= BITS; count++) {
            randomize(&state);
            uint64_t bits = pm_bitmap_read(map, first, count);
            uint64_t more = unit_random(&state) >> (64 - count);
            for (size_t i = 0; i < 64; i++)
                UNIT_EQUAL(bits >> i & 1, i < count && model[first + i]);
            for (size_t i = 0; i < count; i++)
                model[first + i] |= more >> i & 1;
            pm_bitmap_add(map, first, more);
            ck_assert_msg(agrees(), "%zu bits from %zu", count, first);
        }
    }
}
END_TEST

static size_t model_next(size_t first, size_t end, bool set)
{
    while (first < end && model[first] != set)
        first++;
    return first < end ? first : end;
}

START_TEST(next_finds_the_first_of_its_kind)
{
    uint64_t state = unit_seed();
    for (int round = 0; round < 3; round++) {
        randomize(&state);
        if (round != 0) /* long runs */
            memset(model, round == 1, BITS), memset(map, round == 1 ? 0xff : 0, sizeof map);
        for (size_t first = 0; first <= BITS; first++) {
            for (size_t end = first; end <= BITS; end++) {
                UNIT_EQUAL(pm_bitmap_next(map, first, end, true), model_next(first, end, true));
                UNIT_EQUAL(pm_bitmap_next(map, first, end, false), model_next(first, end, false));
            }
        }
    }
}
END_TEST

START_TEST(behind_is_where_the_last_one_ends)
{
    uint64_t state = unit_seed();
    randomize(&state);
    for (size_t from = 0; from < BITS; from += 7) { /* ever longer without a bit at the end */
        for (size_t first = 0; first <= BITS; first += 5) {
            for (size_t end = first; end <= BITS; end++) {
                size_t last = end;
                while (last > first && !model[last - 1])
                    last--;
                UNIT_EQUAL(pm_bitmap_behind(map, first, end), last);
            }
        }
        memset(model + BITS - from, 0, from);
        if (from != 0)
            pm_bitmap_clear(map, BITS - from, from);
    }
}
END_TEST

START_TEST(remove_takes_bits_out)
{
    uint64_t state = unit_seed();
    for (size_t first = 0; first < BITS; first++) {
        for (size_t count = 1; count <= 64 && first + count <= BITS; count++) {
            randomize(&state);
            uint64_t bits = unit_random(&state) >> (64 - count);
            for (size_t i = 0; i < count; i++)
                model[first + i] &= !(bits >> i & 1);
            pm_bitmap_remove(map, first, bits);
            ck_assert_msg(agrees(), "%zu bits from %zu", count, first);
        }
    }
}
END_TEST

START_TEST(run_begins_finds_runs_in_the_set)
{
    uint64_t state = unit_seed();
    for (unsigned round = 0; round < 640; round++) {
        unsigned least = 1 + round % 64;
        randomize(&state);
        size_t from = unit_random(&state) % 64, count = unit_random(&state) % 64;
        memset(model + from, 1, count);
        pm_bitmap_set(map, from, count);
        uint64_t begins = pm_bitmap_run_begins(map[0], least);
        for (size_t at = 0; at < 64; at++) {
            size_t end = model_next(at, 64, false);
            UNIT_EQUAL(begins >> at & 1, end - at >= least);
        }
    }
}
END_TEST

START_TEST(tail_holds_what_is_asked_for)
{
    uint64_t state = unit_seed();
    randomize(&state);
    for (size_t end = 0; end <= BITS; end++) {
        size_t all = pm_bitmap_count(map, 0, end);
        for (size_t count = 0; count <= all + 1; count++) {
            size_t first = pm_bitmap_tail(map, end, count);
            ck_assert_uint_eq(first % 64, 0);
            if (count > all)
                ck_assert_uint_eq(first, 0);
            else if (first < end)
                ck_assert_uint_ge(pm_bitmap_count(map, first, end - first), count);
            if (first + 64 < end) /* and a word less does not do */
                ck_assert_uint_lt(pm_bitmap_count(map, first + 64, end - first - 64), count);
        }
    }
}
END_TEST

START_TEST(words_hold_the_bits)
{
    ck_assert_uint_eq(PM_BITMAP_WORDS(0), 0);
    ck_assert_uint_eq(PM_BITMAP_WORDS(1), 1);
    ck_assert_uint_eq(PM_BITMAP_WORDS(64), 1);
    ck_assert_uint_eq(PM_BITMAP_WORDS(65), 2);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, set_and_clear_change_their_range_only);
    tcase_add_test(tests, read_and_add_move_words);
    tcase_add_test(tests, count_counts_its_range);
    tcase_add_test(tests, next_finds_the_first_of_its_kind);
    tcase_add_test(tests, behind_is_where_the_last_one_ends);
    tcase_add_test(tests, remove_takes_bits_out);
    tcase_add_test(tests, run_begins_finds_runs_in_the_set);
    tcase_add_test(tests, tail_holds_what_is_asked_for);
    tcase_add_test(tests, words_hold_the_bits);
}

int main(void)
{
    return unit_run("bitmap", add);
}
