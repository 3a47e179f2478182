/*
 * choose.c - see choose.h.
 */
#include "arena/choose.h"

#include "arena/bitmap.h"

enum {
    RUNS_WITHIN = 1024, /* slices from the first long run that will do */
    DIRTY_LOOKED = 32,  /* places where a long span may begin */
};

void pm_choose_freed_locked(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t length = pm_runs_give(arena, first, slices);
    if (length >= arena->no_run)
        arena->no_run = length + 1;
}

/* A place in an arena where free slices may be taken, and the run that it is in. */
struct place {
    size_t at, begin, length;
};

static const struct place nowhere = {PM_RUNS_NONE, PM_RUNS_NONE, SIZE_MAX};

/* What is wanted. */
struct room {
    size_t slices, align;
};

/* In the first run of a set that begins in [begin, end) and has room at an address aligned so. */
static struct place find_first(const struct pm_arena *arena, unsigned set, size_t begin, size_t end,
                               struct room room)
{
    size_t slices = room.slices, align_slices = room.align >> PM_SLICE_SHIFT;
    size_t base_slice = arena->base >> PM_SLICE_SHIFT;
    for (; (begin = pm_runs_next(arena, set, begin)) < end; begin++) {
        size_t at = pm_align_up(base_slice + begin, align_slices) - base_slice;
        size_t length = arena->runs.length[begin];
        if (at + slices <= begin + length)
            return (struct place){at, begin, length};
    }
    return nowhere;
}

/* In the shortest of long runs that are not far behind the first one that will do. */
static struct place find_shortest(const struct pm_arena *arena, unsigned set, struct room room)
{
    struct place best = find_first(arena, set, 0, PM_RUNS_NONE, room), next = best;
    size_t end = best.begin + RUNS_WITHIN;
    while (best.length > room.slices && next.at != PM_RUNS_NONE) {
        next = find_first(arena, set, next.begin + 1, end, room);
        if (next.length < best.length)
            best = next;
    }
    return best;
}

/* The last of the dirty and of the clean ones. */
static bool set_is_of_long(unsigned set)
{
    return set % PM_RUNS_LENGTHS == PM_RUNS_LENGTHS - 1;
}

/* Where the slices that are wanted begin; PM_RUNS_NONE if there are none. */
static size_t find_run(const struct pm_arena *arena, struct room room)
{
    struct place place = nowhere;
    uint32_t sets = arena->runs.sets & pm_runs_least(room.slices);
    for (; sets != 0 && place.at == PM_RUNS_NONE; sets &= sets - 1) {
        unsigned set = (unsigned)__builtin_ctz(sets);
        place = set_is_of_long(set) ? find_shortest(arena, set, room)
                                    : find_first(arena, set, 0, PM_RUNS_NONE, room);
    }
    return place.at;
}

/* Keeps in mind what is not there. */
static size_t find(struct pm_arena *arena, size_t slices, size_t align)
{
    if (slices == 1 && align == PM_SLICE) /* any hole serves, and the lowest packs best */
        return pm_runs_lowest(arena);
    size_t first = find_run(arena, (struct room){slices, align});
    if (first == PM_RUNS_NONE && align == PM_SLICE)
        arena->no_run = slices;
    return first;
}

static size_t count_dirty_in(const struct pm_arena *arena, size_t first, size_t slices)
{
    return pm_bitmap_count(arena->dirty, pm_arena_pages(first), pm_arena_pages(slices));
}

/* Most of them. */
static bool are_dirty(const struct pm_arena *arena, size_t first, size_t slices)
{
    size_t pages = pm_arena_pages(slices);
    return count_dirty_in(arena, first, slices) >= pages - pages / 4;
}

/*
 * A long span need not begin where the free run does, at `first`: of what blocks side by side have
 * left, it had better take what is resident than the clean pages before.  It looks at places where
 * dirty pages begin, a quarter of its length apart; a place must be worth splitting the run.
 */
static size_t find_dirty(const struct pm_arena *arena, size_t first, size_t slices)
{
    size_t last = first + arena->runs.length[first] - slices;
    size_t pages = pm_arena_pages(slices), end = pm_arena_pages(last + slices);
    size_t best = first, most = count_dirty_in(arena, first, slices);
    size_t at = first, page = pm_arena_pages(first);
    for (int looked = 0; looked < DIRTY_LOOKED && at < last; looked++) {
        page = pm_bitmap_next(arena->dirty, page, end, true);
        if (page == end)
            break;
        at = pm_arena_slice_of_page(page) < last ? pm_arena_slice_of_page(page) : last;
        size_t dirty = count_dirty_in(arena, at, slices);
        if (dirty >= most + pages / 4) {
            best = at;
            most = dirty;
        }
        page = pm_arena_pages(at) + pages / 4;
    }
    return best;
}

size_t pm_arena_choose_locked(struct pm_arena *arena, size_t slices, size_t align,
                              enum pm_arena_choice choice)
{
    size_t first = find(arena, slices, align);
    if (first == PM_RUNS_NONE || choice == PM_ARENA_FIRST)
        return first;
    if (choice == PM_ARENA_RESIDENT_ONLY)
        return are_dirty(arena, first, slices) ? first : PM_RUNS_NONE;
    bool may_move = align == PM_SLICE && pm_arena_pages(slices) > PM_SPAN_PAGES;
    return may_move && arena->dirty_count != 0 ? find_dirty(arena, first, slices) : first;
}
