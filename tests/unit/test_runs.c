/*
 * test_runs.c - the free runs of an arena are known by length, wherever spans come and go.
 */
#include "spans.h"

#include "arena/bitmap.h"
#include "arena/purge.h"

enum { SPANS = 40, STEPS_MADE = 4000 };

static struct pm_span spans[SPANS];

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(-1);
}

/* The pages of a span go elsewhere, and leave clean slices behind; not so under valgrind, which
 * knows no such call. */
static void leave_clean(struct pm_span *one)
{
    pm_spans_remap(one, pm_span_bytes(one));
    pm_ownermap_set(one->start, 1, one);
}

/* What is at random: a span comes, goes, grows, shrinks or moves, or all that is free is purged. */
static void step(struct pm_span *one, uint64_t *state)
{
    size_t slices = 1 + unit_random(state) % (unit_random(state) % 8 == 0 ? 70 : 20);
    switch (one->slices == 0 ? 0 : unit_random(state) % 7) {
    case 0:
        if (one->slices == 0)
            unit_take_span(one, slices);
        break;
    case 1:
        pm_spans_extend(one, one->slices + slices);
        break;
    case 2:
        pm_spans_cut(one, 1 + one->slices / 2);
        break;
    case 3:
        leave_clean(one);
        break;
    default:
        pm_spans_give(one);
        one->slices = 0;
    }
    if (unit_random(state) % 64 == 0)
        pm_purge_all();
}

START_TEST(they_are_known_after_each_step)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < STEPS_MADE; i++) {
        step(&spans[unit_random(&state) % SPANS], &state);
        pm_arena_check();
    }
}
END_TEST

/* The model: looks at all slices. */
static size_t next_begin(const struct pm_arena *arena, size_t from, size_t length, bool is_dirty)
{
    size_t slices = arena->slices;
    for (size_t at = from; at < slices; at++) {
        bool begins =
            !pm_bitmap_test(arena->taken, at) && (at == 0 || pm_bitmap_test(arena->taken, at - 1));
        size_t run = pm_bitmap_next(arena->taken, at, slices, true) - at;
        size_t known = run < PM_RUNS_LENGTHS ? run : PM_RUNS_LENGTHS;
        if (begins && known == length &&
            pm_bitmap_test(arena->dirty, pm_arena_pages(at)) == is_dirty)
            return at;
    }
    return PM_RUNS_NONE;
}

static void compare(const struct pm_arena *arena)
{
    for (unsigned set = 0; set < PM_RUNS_SETS; set++) {
        bool is_dirty = set < PM_RUNS_CLEAN;
        size_t length = set % PM_RUNS_LENGTHS + 1, at = 0;
        UNIT_EQUAL(arena->runs.sets >> set & 1, next_begin(arena, 0, length, is_dirty) != SIZE_MAX);
        do {
            size_t wanted = next_begin(arena, at, length, is_dirty);
            at = pm_runs_next(arena, set, at);
            UNIT_EQUAL(at, wanted);
        } while (at++ != PM_RUNS_NONE);
    }
}

/* In an arena of more than 64 groups, where those that are not empty do not fit in a word. */
START_TEST(a_set_is_walked_along_by_address)
{
    static struct pm_span many[1200], first;
    uint64_t state = unit_seed();
    unit_take_span(&first, 5000);
    struct pm_arena *arena = first.arena;
    pm_spans_give(&first);
    for (size_t i = 0; i < UNIT_COUNT_OF(many); i++)
        unit_take_span(&many[i], 1 + i % 19);
    ck_assert_uint_gt(pm_arena_slice_of(&many[700]), (size_t)64 * 64);
    for (size_t i = 0; i < 600; i++) {
        struct pm_span *one = &many[unit_random(&state) % UNIT_COUNT_OF(many)];
        if (one->slices != 0)
            pm_spans_give(one);
        one->slices = 0;
        if (i == 300)
            pm_purge_all();
    }
    compare(arena);
    for (size_t i = 0; i < 100; i++) { /* the lowest come one by one */
        size_t lowest = pm_bitmap_next(arena->taken, 0, arena->slices, false);
        UNIT_EQUAL(pm_runs_lowest(arena), lowest);
        unit_take_span(&spans[0], 1);
        UNIT_EQUAL(pm_arena_slice_of(&spans[0]), lowest);
    }
    pm_runs_check(arena);
}
END_TEST

START_TEST(sets_of_a_length)
{
    ck_assert_uint_eq(pm_runs_least(1), UINT32_MAX);
    ck_assert_uint_eq(pm_runs_least(3), 0xfffcfffc);
    ck_assert_uint_eq(pm_runs_least(PM_RUNS_LENGTHS), 0x80008000);
    ck_assert_uint_eq(pm_runs_least(PM_RUNS_LENGTHS + 100), 0x80008000);
}
END_TEST

static void length_is_wrong(struct pm_arena *arena)
{
    arena->runs.length[pm_arena_slice_after(&spans[0])]++;
}

static void set_is_empty(struct pm_arena *arena)
{
    arena->runs.sets = 0;
}

static void group_is_empty(struct pm_arena *arena)
{
    memset(arena->runs.groups, 0, PM_RUNS_SETS * sizeof *arena->runs.groups);
}

static void begins_nowhere(struct pm_arena *arena)
{
    memset(arena->runs.begins, 0, PM_RUNS_SETS * sizeof *arena->runs.begins);
}

static void begins_twice(struct pm_arena *arena)
{
    uint64_t *begins = arena->runs.begins;
    size_t set = PM_RUNS_DIRTY + 5 - 1, other = PM_RUNS_DIRTY + 7 - 1;
    ck_assert_uint_ne(begins[set], 0);
    begins[set] |= begins[other];
}

static const struct damage {
    void (*inflict)(struct pm_arena *arena);
    const char *seen_as;
} damages[] = {
    {length_is_wrong, "a free run's first and last slice say how long it is"},
    {set_is_empty, "the sets that are not empty are known"},
    {group_is_empty, "the groups where runs of a set begin are known"},
    {begins_nowhere, "a free run begins in the set of its length"},
    {begins_twice, "a free run is in one set"},
};

static void check(void *unused)
{
    (void)unused;
    pm_arena_check();
}

START_TEST(the_checker_sees_damage)
{
    static const size_t lengths[] = {1, 5, 1, 7, 1};
    for (size_t i = 0; i < UNIT_COUNT_OF(lengths); i++)
        unit_take_span(&spans[i], lengths[i]);
    pm_spans_give(&spans[1]);
    pm_spans_give(&spans[3]);
    pm_arena_check();
    damages[_i].inflict(spans[0].arena);
    unit_child_aborts_with(check, NULL, damages[_i].seen_as);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, they_are_known_after_each_step);
    tcase_add_test(tests, a_set_is_walked_along_by_address);
    tcase_add_test(tests, sets_of_a_length);
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, UNIT_COUNT_OF(damages));
}

int main(void)
{
    return unit_run("runs", add);
}
