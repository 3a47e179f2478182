/*
 * choose.c - see choose.h.
 */
#include "arena/choose.h"

#include "arena/bitmap.h"

enum {
    RUNS_WITHIN = 1024, /* slices from the first run that will do, resident if any is */
    LOOKED = 512,       /* slices on either side of one that becomes free */
    DIRTY_LOOKED = 32,  /* places where a long span may begin */
};

static bool is_dirty_at(const struct pm_arena *arena, size_t slice)
{
    return pm_bitmap_test(arena->dirty, pm_arena_pages(slice));
}

_Static_assert(LOOKED >= PM_ARENA_LENGTHS, "what is too far to be seen is in search_from already");

/* No run of so many, up to PM_ARENA_LENGTHS, or more begins below `from`. */
static void set_search_from(struct pm_arena *arena, size_t slices, size_t from)
{
    for (size_t i = slices - 1; i < PM_ARENA_LENGTHS && arena->search_from[i] < from; i++)
        arena->search_from[i] = (uint32_t)from;
}

/* Of a run that goes on farther than we look nothing is known but that. */
void pm_choose_freed_locked(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t lowest = first > LOOKED ? first - LOOKED : 0, highest = first + slices + LOOKED;
    if (highest > arena->slices)
        highest = arena->slices;
    size_t begin = pm_bitmap_behind(arena->taken, lowest, first);
    size_t end = pm_bitmap_next(arena->taken, first + slices, highest, true);
    bool is_whole = (begin > lowest || lowest == 0) && (end < highest || highest == arena->slices);
    size_t longest = is_whole ? end - begin : arena->slices;
    if (longest >= arena->no_run)
        arena->no_run = longest + 1;
    for (size_t i = 0; i < PM_ARENA_LENGTHS && i < end - begin; i++) {
        if (arena->search_from[i] > begin)
            arena->search_from[i] = (uint32_t)begin;
    }
}

/*
 * Where `slices` free slices begin at an address aligned to `align`: in the shortest run not far
 * behind the first one that holds them, the lowest of these; SIZE_MAX if there is none.  A run that
 * is resident where they begin comes before all that are not.
 */
static size_t find_run(struct pm_arena *arena, size_t slices, size_t align)
{
    size_t align_slices = align >> PM_SLICE_SHIFT, base_slice = arena->base >> PM_SLICE_SHIFT;
    unsigned known = slices < PM_ARENA_LENGTHS ? (unsigned)slices : PM_ARENA_LENGTHS;
    unsigned least = slices < 64 ? (unsigned)slices : 64;
    size_t length, end = arena->slices;
    size_t at = pm_bitmap_gap(arena->taken, arena->search_from[known - 1], end, known);
    size_t best = SIZE_MAX, best_rank = SIZE_MAX;
    size_t clean_rank = arena->dirty_count != 0 ? arena->slices : 0;
    set_search_from(arena, known, at);
    for (; at < end && best_rank > slices;
         at = pm_bitmap_gap(arena->taken, at + length, end, least)) {
        length = pm_bitmap_next(arena->taken, at, arena->slices, true) - at;
        size_t aligned = pm_align_up(base_slice + at, align_slices) - base_slice;
        if (aligned + slices > at + length)
            continue;
        size_t rank = length + (is_dirty_at(arena, aligned) ? 0 : clean_rank);
        if (rank <= arena->slices && end - at > RUNS_WITHIN)
            end = at + RUNS_WITHIN; /* none of another kind comes before it */
        if (rank < best_rank) {
            best = aligned;
            best_rank = rank;
        }
        if (slices == 1)
            break; /* any hole serves, and the lowest packs best */
    }
    return best;
}

/* As find_run(), and keeps in mind what is not there. */
static size_t find(struct pm_arena *arena, size_t slices, size_t align)
{
    size_t first = find_run(arena, slices, align);
    if (first == SIZE_MAX && align == PM_SLICE)
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
    size_t last = pm_bitmap_next(arena->taken, first, arena->slices, true) - slices;
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
    if (first == SIZE_MAX || choice == PM_ARENA_FIRST)
        return first;
    if (choice == PM_ARENA_RESIDENT_ONLY)
        return are_dirty(arena, first, slices) ? first : SIZE_MAX;
    bool may_move = align == PM_SLICE && pm_arena_pages(slices) > PM_SPAN_PAGES;
    return may_move && arena->dirty_count != 0 ? find_dirty(arena, first, slices) : first;
}
