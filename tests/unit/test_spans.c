/*
 * test_spans.c - spans: where they lie, what their slices hold, and that the
 * books agree after any series of calls.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/mapping.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"

enum { SPANS = 200 };

static struct pm_span spans[SPANS];
static bool was_clean[SPANS]; /* before it was used, as all of them are */

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(-1);
}

static struct pm_span *taken(size_t i, size_t slices, size_t align)
{
    ck_assert_uint_eq(spans[i].slices, slices);
    ck_assert_uint_eq(spans[i].start % align, 0);
    was_clean[i] = spans[i].clean == PM_SPAN_CLEAN;
    pm_arena_use(&spans[i], PM_SPAN_CLEAN);
    pm_ownermap_set(spans[i].start, 1, &spans[i]);
    return &spans[i];
}

static struct pm_span *take(size_t i, size_t slices, size_t align)
{
    spans[i] = (struct pm_span){0};
    ck_assert(pm_spans_take(&spans[i], PM_SPAN_LARGE, slices, align));
    return taken(i, slices, align);
}

static void *start_of(const struct pm_span *span)
{
    return (void *)span->start;
}

START_TEST(the_lowest_address_that_fits)
{
    uintptr_t base = take(0, 1, PM_SLICE)->start;
    ck_assert_uint_eq(take(1, 2, PM_SLICE)->start, base + PM_SLICE);
    ck_assert_uint_eq(take(2, 3, PM_SLICE)->start, base + 3 * PM_SLICE);
    pm_spans_give(&spans[1]);
    ck_assert_uint_eq(take(3, 3, PM_SLICE)->start, base + 6 * PM_SLICE);
    ck_assert_uint_eq(take(4, 1, PM_SLICE)->start, base + PM_SLICE);
    ck_assert_uint_eq(take(5, 1, PM_SLICE)->start, base + 2 * PM_SLICE);
    ck_assert_uint_eq(take(6, 1, PM_SLICE)->start, base + 9 * PM_SLICE);
}
END_TEST

START_TEST(clean_taken_dirty_clean)
{
    take(0, 1, PM_SLICE); /* keeps the arena */
    take(1, 2, PM_SLICE);
    ck_assert(was_clean[1]);
    ck_assert(unit_is_zero(start_of(&spans[1]), 2 * PM_SLICE));
    memset(start_of(&spans[1]), 0xff, 2 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().taken, 3 * PM_SLICE);
    pm_spans_give(&spans[1]);
    ck_assert_uint_eq(pm_arena_totals().taken, PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 2 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().peak_taken, 3 * PM_SLICE);
    ck_assert_ptr_null(pm_ownermap_get(start_of(&spans[1])));

    take(2, 1, PM_SLICE); /* reused while resident */
    ck_assert(!was_clean[2]);
    ck_assert_uint_eq(pm_arena_totals().dirty, PM_SLICE);
    take(3, 2, PM_SLICE); /* half dirty, half clean */
    ck_assert(!was_clean[3]);
    pm_spans_give(&spans[2]);
    pm_spans_give(&spans[3]);
    ck_assert_uint_eq(pm_purge_all(), 3 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    take(4, 3, PM_SLICE);
    ck_assert(was_clean[4]);
    ck_assert(unit_is_zero(start_of(&spans[4]), 3 * PM_SLICE));
}
END_TEST

START_TEST(spans_are_aligned)
{
    for (size_t i = 0, align = PM_SLICE; align <= 512 * PM_MIB; i++, align *= 2) {
        take(2 * i, 3, align);
        take(2 * i + 1, 1, PM_SLICE);
    }
    ck_assert(!pm_spans_take(&spans[SPANS - 1], PM_SPAN_LARGE, 1, (size_t)1 << 62));
}
END_TEST

START_TEST(where_too_little_is_dirty_nothing_is_taken)
{
    take(0, 60, PM_SLICE);
    struct pm_span *fence = take(1, 1, PM_SLICE), again = {.slices = 0};
    ck_assert(!pm_spans_take_resident_only(&again, 4)); /* what follows is clean */
    uintptr_t start = spans[0].start;
    pm_spans_give(&spans[0]);
    ck_assert(!pm_spans_take_resident_only(&again, 61));
    ck_assert(pm_spans_take_resident_only(&again, 40));
    ck_assert_uint_eq(again.start, start);
    ck_assert_int_eq(again.kind, PM_SPAN_LARGE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 20 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().taken, 41 * PM_SLICE);
    pm_arena_check();
    ck_assert_ptr_nonnull(pm_ownermap_get(start_of(fence)));
}
END_TEST

START_TEST(extend_takes_what_follows)
{
    take(0, 2, PM_SLICE);
    take(1, 2, PM_SLICE);
    ck_assert(!pm_spans_extend(&spans[0], 3));
    ck_assert_uint_eq(spans[0].slices, 2);
    pm_spans_give(&spans[1]);
    ck_assert(pm_spans_extend(&spans[0], 4));
    ck_assert_uint_eq(spans[0].slices, 4);
    ck_assert_uint_eq(pm_arena_totals().taken, 4 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert(!pm_spans_extend(&spans[0], spans[0].arena->slices + 1));
    ck_assert(pm_spans_extend(&spans[0], spans[0].arena->slices));
    ck_assert(!pm_spans_extend(&spans[0], spans[0].arena->slices + 1));
}
END_TEST

START_TEST(cut_frees_the_end)
{
    uintptr_t base = take(0, 10, PM_SLICE)->start;
    pm_spans_cut(&spans[0], 10);
    ck_assert_uint_eq(spans[0].slices, 10);
    pm_spans_cut(&spans[0], 4);
    ck_assert_uint_eq(spans[0].slices, 4);
    ck_assert_uint_eq(pm_arena_totals().taken, 4 * PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 6 * PM_SLICE);
    ck_assert_uint_eq(take(1, 6, PM_SLICE)->start, base + 4 * PM_SLICE);
    ck_assert(!was_clean[1]);
}
END_TEST

static bool remap(struct pm_span *span, size_t bytes)
{
    bool done = pm_spans_remap(span, bytes);
    pm_ownermap_set(span->start, 1, span);
    return done;
}

START_TEST(remap_keeps_the_contents)
{
    uintptr_t old = take(0, 32, PM_SLICE)->start;
    take(1, 1, PM_SLICE);
    unit_fill(start_of(&spans[0]), 32 * PM_SLICE, 9);
    if (!remap(&spans[0], 40 * PM_MIB))
        return; /* a system that cannot */
    ck_assert(spans[0].arena->dedicated);
    ck_assert_uint_eq(pm_arena_span_bytes(&spans[0]), 40 * PM_MIB);
    ck_assert(unit_intact(start_of(&spans[0]), 32 * PM_SLICE, 9));
    ck_assert_uint_eq(pm_arena_totals().taken, 40 * PM_MIB + PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    take(2, 32, PM_SLICE);
    ck_assert_uint_eq(spans[2].start, old);
    ck_assert(unit_is_zero(start_of(&spans[2]), 32 * PM_SLICE));

    ck_assert(remap(&spans[0], 90 * PM_MIB));
    ck_assert(unit_intact(start_of(&spans[0]), 32 * PM_SLICE, 9));
    ck_assert(remap(&spans[0], 32 * PM_SLICE));
    ck_assert(unit_intact(start_of(&spans[0]), 32 * PM_SLICE, 9));
    unit_os_fail(UNIT_BIT(UNIT_RESIZE), 1, true);
    ck_assert(!remap(&spans[0], 40 * PM_MIB));
    ck_assert(unit_intact(start_of(&spans[0]), 32 * PM_SLICE, 9));
    ck_assert_uint_eq(pm_arena_totals().taken, 65 * PM_SLICE);
}
END_TEST

/* The slices were dirty when they were taken; whether used or not, none stays so. */
START_TEST(slices_that_a_remap_leaves_are_zero_when_they_say_so)
{
    take(0, 17, PM_SLICE);
    take(1, 1, PM_SLICE);
    memset(start_of(&spans[0]), 0xff, 17 * PM_SLICE);
    pm_spans_give(&spans[0]);
    take(0, 17, PM_SLICE);
    ck_assert(!was_clean[0]);
    if (!remap(&spans[0], 40 * PM_MIB))
        return;
    take(2, 17, PM_SLICE);
    ck_assert(!was_clean[2] || unit_is_zero(start_of(&spans[2]), 17 * PM_SLICE));
}
END_TEST

START_TEST(what_cannot_be_remapped_stays)
{
    static const enum unit_call refused[] = {UNIT_MOVE, UNIT_RESIZE};
    for (size_t i = 0; i < UNIT_COUNT_OF(refused); i++) {
        take(i, 32, PM_SLICE);
        unit_fill(start_of(&spans[i]), 32 * PM_SLICE, 9);
        unit_os_fail(UNIT_BIT(refused[i]), 1, true);
        ck_assert(!remap(&spans[i], 40 * PM_MIB));
        ck_assert_uint_eq(spans[i].slices, 32);
        ck_assert(unit_intact(start_of(&spans[i]), 32 * PM_SLICE, 9));
        ck_assert_uint_eq(pm_arena_totals().taken, 32 * (i + 1) * PM_SLICE);
    }
}
END_TEST

START_TEST(dedicated_arenas_come_and_go)
{
    size_t bytes = PM_DEDICATED_MIN + pm_os_page_size();
    unit_os.peak = 0; /* nothing is kept */
    ck_assert(pm_spans_take_dedicated(&spans[0], bytes, PM_MIB, true));
    spans[0].kind = PM_SPAN_LARGE;
    ck_assert_uint_eq(spans[0].clean, PM_SPAN_CLEAN);
    ck_assert_uint_eq(spans[0].start % PM_MIB, 0);
    ck_assert_uint_eq(pm_arena_span_bytes(&spans[0]), bytes);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert_uint_eq(pm_arena_totals().mapped, bytes);
    ck_assert(!pm_spans_extend(&spans[0], spans[0].slices + 1));
    pm_spans_cut(&spans[0], 1);
    ck_assert_uint_eq(pm_arena_span_bytes(&spans[0]), bytes);
    pm_spans_give(&spans[0]);
    ck_assert_uint_eq(pm_arena_totals().arenas + pm_arena_totals().mapped +
                          pm_arena_totals().taken + pm_arena_totals().dirty,
                      0);
    ck_assert(!pm_spans_take_dedicated(&spans[0], (size_t)1 << 47, PM_SLICE, true));
}
END_TEST

/* allocated <= active <= mapped: <pymem/stats.h> */
START_TEST(no_more_is_taken_than_mapped)
{
    ck_assert(
        pm_spans_take_dedicated(&spans[0], PM_DEDICATED_MIN + pm_os_page_size(), PM_SLICE, true));
    ck_assert_uint_le(pm_arena_totals().taken, pm_arena_totals().mapped);
}
END_TEST

START_TEST(empty_arenas_are_given_back_but_for_some)
{
    size_t bytes = PM_MIB / 16;
    pm_mapping_set_arena_max(PM_MIB);
    for (size_t i = 0; i < 160; i++)
        take(i, bytes / PM_SLICE, PM_SLICE);
    ck_assert_uint_eq(pm_arena_totals().arenas, 10);
    ck_assert_uint_eq(pm_purge_empty_arenas(0), 0);
    for (size_t i = 1; i < 160; i++)
        pm_spans_give(&spans[i]);
    ck_assert_uint_eq(pm_purge_empty_arenas(4 * PM_MIB), 5 * PM_MIB);
    ck_assert_uint_eq(pm_arena_totals().arenas, 5);
    ck_assert_uint_eq(pm_purge_empty_arenas(0), 4 * PM_MIB);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert_uint_eq(pm_arena_totals().dirty, 15 * bytes);
    pm_spans_give(&spans[0]);
    ck_assert_uint_eq(pm_purge_empty_arenas(0), PM_MIB);
    ck_assert_uint_eq(pm_arena_totals().mapped + pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(refused_memory_changes_nothing)
{
    take(0, 1, PM_SLICE);
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert(!pm_spans_take(&spans[1], PM_SPAN_LARGE, spans[0].arena->slices, PM_SLICE));
    ck_assert(!pm_spans_take_dedicated(&spans[1], PM_DEDICATED_MIN, PM_SLICE, true));
    ck_assert_uint_eq(pm_arena_totals().taken, PM_SLICE);
    take(1, spans[0].arena->slices - 1, PM_SLICE);
    ck_assert(!pm_spans_take(&spans[2], PM_SPAN_LARGE, 1, PM_SLICE));
    unit_os_heal();
    take(2, 1, PM_SLICE);
}
END_TEST

START_TEST(dirty_runs_are_held_while_they_are_purged)
{
    struct pm_arena_run run;
    size_t four = pm_arena_pages(4);
    uintptr_t base = take(0, 1, PM_SLICE)->start;
    for (size_t i = 1; i < 8; i++)
        take(i, 1, PM_SLICE);
    for (size_t i = 1; i < 8; i += i == 2 ? 2 : 1) /* 1, 2 and 4 to 7 */
        pm_spans_give(&spans[i]);
    struct pm_arena *arena = spans[0].arena;
    pm_lock(&pm_arena_lock);
    ck_assert(!pm_arena_lock_run(arena, true, 0, &run));
    ck_assert(pm_arena_lock_run(arena, false, pm_arena_pages(3), &run));
    ck_assert_uint_eq(run.first, four);
    ck_assert_uint_eq(run.pages, four);
    pm_unlock(&pm_arena_lock);
    ck_assert_uint_eq(take(8, 4, PM_SLICE)->start, base + 8 * PM_SLICE);
    pm_lock(&pm_arena_lock);
    pm_arena_unlock_run(arena, &run, true);
    pm_unlock(&pm_arena_lock);
    ck_assert_uint_eq(take(9, 4, PM_SLICE)->start, base + 4 * PM_SLICE);
    ck_assert(was_clean[9]);
    ck_assert_uint_eq(pm_arena_totals().dirty, 2 * PM_SLICE);
}
END_TEST

/* A span of which only some pages were used, here every other one of eight. */
START_TEST(only_used_pages_become_dirty)
{
    size_t page = pm_os_page_size(), pages = 8, slices = pages * page >> PM_SLICE_SHIFT;
    uint64_t used = 0x55;
    struct pm_arena_run run;
    take(0, 1, PM_SLICE);
    size_t peak = pm_arena_peak_used();
    ck_assert(pm_spans_take(&spans[1], PM_SPAN_LARGE, slices, PM_SLICE));
    ck_assert_uint_eq(pm_arena_peak_used(), peak);
    pm_arena_use(&spans[1], used);
    ck_assert_uint_eq(pm_arena_peak_used(), peak + 4 * page);
    pm_arena_unuse(&spans[1], 1);
    pm_arena_use(&spans[1], 1);
    ck_assert_uint_eq(pm_arena_peak_used(), peak + 4 * page);
    pm_spans_give(&spans[1]);
    ck_assert_uint_eq(pm_arena_totals().dirty, 4 * page);
    pm_arena_check();
    ck_assert(pm_spans_take(&spans[1], PM_SPAN_LARGE, slices, PM_SLICE));
    ck_assert_uint_eq(spans[1].clean, ~used);
    pm_spans_give(&spans[1]);
    pm_lock(&pm_arena_lock);
    ck_assert(pm_arena_lock_run(spans[0].arena, false, 0, &run)); /* at one go, gaps and all */
    ck_assert_uint_eq(run.pages, 7);
    pm_arena_unlock_run(spans[0].arena, &run, false);
    pm_unlock(&pm_arena_lock);
    ck_assert_uint_eq(pm_purge_all(), 7 * page);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    pm_arena_check();
}
END_TEST

START_TEST(contains_knows_the_ends)
{
    take(0, 1, PM_SLICE);
    struct pm_arena *arena = spans[0].arena;
    ck_assert(pm_arena_contains((void *)arena->base));
    ck_assert(pm_arena_contains((void *)(arena->base + (arena->slices << PM_SLICE_SHIFT) - 1)));
    ck_assert(!pm_arena_contains((void *)(arena->base + (arena->slices << PM_SLICE_SHIFT))));
    ck_assert(!pm_arena_contains((void *)(arena->base - 1)));
    ck_assert(!pm_arena_contains(NULL));
    ck_assert(!pm_arena_contains((void *)UINTPTR_MAX));
}
END_TEST

static void mark(struct pm_span *span, size_t from, unsigned tag)
{
    for (size_t i = from; i < span->slices; i++)
        *(unsigned *)(span->start + (i << PM_SLICE_SHIFT)) = tag;
}

static void verify(const struct pm_span *span, unsigned tag)
{
    for (size_t i = 0; i < span->slices; i++)
        ck_assert_uint_eq(*(unsigned *)(span->start + (i << PM_SLICE_SHIFT)), tag);
}

static void take_any(unsigned i, size_t slices, size_t align, bool resident)
{
    if (!resident) {
        take(i, slices, align);
        return;
    }
    spans[i] = (struct pm_span){0};
    ck_assert(pm_spans_take_resident(&spans[i], slices, align));
    taken(i, slices, align);
}

static void random_step(uint64_t *state, unsigned i)
{
    struct pm_span *span = &spans[i];
    size_t slices = 1 + unit_random(state) % (unit_random(state) % 8 == 0 ? 100 : 6);
    if (span->slices == 0) {
        take_any(i, slices, PM_SLICE << unit_random(state) % 5, unit_random(state) % 2 == 0);
        for (size_t s = 0; was_clean[i] && s < span->slices; s++)
            ck_assert_uint_eq(*(unsigned *)(span->start + (s << PM_SLICE_SHIFT)), 0);
        mark(span, 0, i + 1);
        return;
    }
    verify(span, i + 1);
    size_t before = span->slices;
    switch (unit_random(state) % 4) {
    case 0:
        pm_spans_cut(span, slices);
        break;
    case 1:
        if (slices > before && pm_spans_extend(span, slices))
            mark(span, before, i + 1);
        break;
    default:
        pm_spans_give(span);
        span->slices = 0;
    }
}

START_TEST(any_series_keeps_the_books)
{
    uint64_t state = unit_seed();
    for (int round = 0; round < 30000; round++) {
        random_step(&state, (unsigned)(unit_random(&state) % SPANS));
        if (round % 1000 == 0)
            pm_purge_all();
    }
    size_t taken = 0;
    for (size_t i = 0; i < SPANS; i++) {
        taken += spans[i].slices;
        verify(&spans[i], (unsigned)i + 1);
    }
    ck_assert_uint_eq(pm_arena_totals().taken, taken << PM_SLICE_SHIFT);
    for (size_t i = 0; i < SPANS; i++) {
        if (spans[i].slices != 0)
            pm_spans_give(&spans[i]);
    }
    pm_purge_all();
    ck_assert_uint_eq(pm_arena_totals().taken + pm_arena_totals().dirty + pm_arena_totals().arenas +
                          pm_arena_totals().mapped,
                      0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_lowest_address_that_fits);
    tcase_add_test(tests, clean_taken_dirty_clean);
    tcase_add_test(tests, spans_are_aligned);
    tcase_add_test(tests, where_too_little_is_dirty_nothing_is_taken);
    tcase_add_test(tests, extend_takes_what_follows);
    tcase_add_test(tests, cut_frees_the_end);
    tcase_add_test(tests, remap_keeps_the_contents);
    tcase_add_test(tests, slices_that_a_remap_leaves_are_zero_when_they_say_so);
    tcase_add_test(tests, what_cannot_be_remapped_stays);
    tcase_add_test(tests, dedicated_arenas_come_and_go);
    tcase_add_test(tests, no_more_is_taken_than_mapped);
    tcase_add_test(tests, empty_arenas_are_given_back_but_for_some);
    tcase_add_test(tests, refused_memory_changes_nothing);
    tcase_add_test(tests, dirty_runs_are_held_while_they_are_purged);
    tcase_add_test(tests, only_used_pages_become_dirty);
    tcase_add_test(tests, contains_knows_the_ends);
    tcase_add_test(tests, any_series_keeps_the_books);
}

int main(void)
{
    return unit_run("arena", add);
}
