/*
 * arena_check.c - asserts the invariants of the arenas; they are written in
 * arena.h.
 */
#include "arena/arena.h"
#include "arena/bitmap.h"
#include "arena/ownermap.h"
#include "os/fatal.h"
#include "os/os.h"

static void check_bitmaps(struct pm_arena *arena)
{
    size_t gone = pm_bitmap_count(arena->gone, 0, arena->slices);
    if (gone != arena->gone_count)
        pm_fatal_broken("gone_count is the number of slices gone", arena);
    if (pm_bitmap_count(arena->taken, 0, arena->slices) != arena->taken_count + gone)
        pm_fatal_broken("taken_count is the number of slices taken", arena);
    size_t pages = pm_arena_pages(arena->slices), page = 0;
    if (pm_bitmap_count(arena->dirty, 0, pages) != arena->dirty_count)
        pm_fatal_broken("dirty_count is the number of pages dirty", arena);
    for (; (page = pm_bitmap_next(arena->dirty, page, pages, true)) != pages; page++) {
        if (pm_bitmap_test(arena->taken, page * pm_os_page_size() >> PM_SLICE_SHIFT))
            pm_fatal_broken("a dirty page's slice is free", arena);
    }
    for (size_t word = 0; word < PM_BITMAP_WORDS(pages); word++) {
        if ((arena->aged[word] & ~arena->dirty[word]) != 0)
            pm_fatal_broken("an aged page is dirty", arena);
    }
    if (pm_runs_check(arena) >= arena->no_run)
        pm_fatal_broken("no run of free slices is as long as no_run", arena);
}

static void check_spans(struct pm_arena *arena)
{
    for (size_t i = 0; i < arena->slices;) {
        uintptr_t start = arena->base + (i << PM_SLICE_SHIFT);
        struct pm_span *span = pm_ownermap_get((void *)start);
        if (span == NULL || pm_bitmap_test(arena->gone, i)) { /* another arena may be there */
            i++;
            continue;
        }
        /* A span that another thread enters this moment may be met in its middle. */
        if (span->arena != arena || span->start > start || pm_arena_slice_after(span) <= i ||
            pm_arena_slice_after(span) > arena->slices)
            pm_fatal_broken("the owner map leads to a span of the arena", span);
        size_t end = pm_arena_slice_after(span);
        if (pm_bitmap_next(arena->taken, i, end, false) != end)
            pm_fatal_broken("the slices of a span are taken", span);
        i = end;
    }
}

void pm_arena_check(void)
{
    struct pm_arena *last = NULL;
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = pm_arena_list; arena != NULL; arena = arena->next) {
        if (arena->prev != last || (last != NULL && last->dedicated && !arena->dedicated))
            pm_fatal_broken("shared arenas come before dedicated ones", arena);
        last = arena;
        if (arena->dedicated)
            continue;
        check_bitmaps(arena);
        if (pm_provider_is_system(&arena->provider))
            check_spans(arena);
    }
    pm_unlock(&pm_arena_lock);
}
