/*
 * test_arena_check.c - the checker passes what is whole and sees each kind of damage.
 */
#include "spans.h"

#include "arena/bitmap.h"
#include "arena/purge.h"

static struct pm_span spans[4]; /* 1 is free and dirty */

static void setup(void)
{
    pm_purge_set_decay(-1);
    for (size_t i = 0; i < UNIT_COUNT_OF(spans); i++)
        unit_take_span(&spans[i], 2);
    pm_spans_give(&spans[1]);
    pm_arena_check();
}

static void taken_is_miscounted(struct pm_arena *arena)
{
    arena->taken_count++;
}

static void dirty_is_miscounted(struct pm_arena *arena)
{
    arena->dirty_count--;
}

static void taken_yet_dirty(struct pm_arena *arena)
{
    pm_bitmap_set(arena->dirty, 0, 1);
    arena->dirty_count++;
}

static void aged_yet_clean(struct pm_arena *arena)
{
    pm_bitmap_set(arena->aged, pm_arena_pages(20), 1);
}

static void runs_are_longer(struct pm_arena *arena)
{
    arena->no_run = 2;
}

static void span_is_elsewhere(struct pm_arena *arena)
{
    (void)arena;
    spans[2].start += PM_SLICE;
}

static void span_is_too_long(struct pm_arena *arena)
{
    spans[3].slices = (uint32_t)arena->slices;
}

static void span_is_on_free_slices(struct pm_arena *arena)
{
    (void)arena;
    pm_ownermap_set(spans[1].start, 1, &spans[1]);
}

static const struct damage {
    void (*inflict)(struct pm_arena *arena);
    const char *seen_as;
} damages[] = {
    {taken_is_miscounted, "taken_count is the number of slices taken"},
    {dirty_is_miscounted, "dirty_count is the number of pages dirty"},
    {taken_yet_dirty, "a dirty page's slice is free"},
    {aged_yet_clean, "an aged page is dirty"},
    {runs_are_longer, "no run of free slices is as long as no_run"},
    {span_is_elsewhere, "the owner map leads to a span of the arena"},
    {span_is_too_long, "the owner map leads to a span of the arena"},
    {span_is_on_free_slices, "the slices of a span are taken"},
};

static void check(void *unused)
{
    (void)unused;
    pm_arena_check();
}

START_TEST(the_checker_sees_damage)
{
    damages[_i].inflict(spans[0].arena);
    unit_child_aborts_with(check, NULL, damages[_i].seen_as);
}
END_TEST

START_TEST(whole_arenas_pass)
{
    struct pm_span own;
    ck_assert(pm_spans_take_dedicated(&own, PM_DEDICATED_MIN, PM_SLICE, true));
    pm_arena_check();
    pm_purge_all();
    pm_arena_check();
    pm_spans_cut(&spans[0], 1);
    pm_arena_check();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, whole_arenas_pass);
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, (int)UNIT_COUNT_OF(damages));
}

int main(void)
{
    return unit_run("arena_check", add);
}
