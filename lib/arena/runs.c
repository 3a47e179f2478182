/*
 * runs.c - see runs.h.
 */
#include "arena/runs.h"

#include "arena/arena.h"
#include "arena/bitmap.h"
#include "os/fatal.h"

_Static_assert(PM_RUNS_SETS <= 32, "each set has a bit in pm_runs.sets");

static size_t groups_of(size_t slices)
{
    return PM_BITMAP_WORDS(slices);
}

static uint64_t *groups_with(const struct pm_arena *arena, unsigned set)
{
    return arena->runs.groups + set * PM_BITMAP_WORDS(groups_of(arena->slices));
}

static uint64_t *begins_in(const struct pm_arena *arena, size_t group, unsigned set)
{
    return &arena->runs.begins[group * PM_RUNS_SETS + set];
}

static bool is_free(const struct pm_arena *arena, size_t slice)
{
    return slice < arena->slices && !pm_bitmap_test(arena->taken, slice);
}

static bool begins_at(const struct pm_arena *arena, size_t first)
{
    return first == 0 || !is_free(arena, first - 1);
}

static unsigned set_of(const struct pm_arena *arena, size_t begin, size_t length)
{
    bool is_dirty = pm_bitmap_test(arena->dirty, pm_arena_pages(begin));
    size_t known = length < PM_RUNS_LENGTHS ? length : PM_RUNS_LENGTHS;
    return (unsigned)((is_dirty ? PM_RUNS_DIRTY : PM_RUNS_CLEAN) + known - 1);
}

static void add(struct pm_arena *arena, size_t begin, size_t length)
{
    if (length == 0)
        return;
    struct pm_runs *runs = &arena->runs;
    unsigned set = set_of(arena, begin, length);
    runs->length[begin] = runs->length[begin + length - 1] = (uint32_t)length;
    *begins_in(arena, begin / 64, set) |= (uint64_t)1 << begin % 64;
    pm_bitmap_set(groups_with(arena, set), begin / 64, 1);
    runs->sets |= (uint32_t)1 << set;
}

/* The number of groups where there is none. */
static size_t first_group(const struct pm_arena *arena, unsigned set)
{
    return pm_bitmap_next(groups_with(arena, set), 0, groups_of(arena->slices), true);
}

static void drop(struct pm_arena *arena, size_t begin, size_t length)
{
    if (length == 0)
        return;
    unsigned set = set_of(arena, begin, length);
    uint64_t *begins = begins_in(arena, begin / 64, set);
    *begins &= ~((uint64_t)1 << begin % 64);
    if (*begins != 0)
        return;
    pm_bitmap_clear(groups_with(arena, set), begin / 64, 1);
    if (first_group(arena, set) == groups_of(arena->slices))
        arena->runs.sets &= ~((uint32_t)1 << set);
}

size_t pm_runs_bytes(size_t slices)
{
    size_t groups = groups_of(slices);
    size_t words = PM_RUNS_SETS * (groups + PM_BITMAP_WORDS(groups));
    return words * sizeof(uint64_t) + slices * sizeof(uint32_t);
}

void pm_runs_begin(struct pm_arena *arena, void *memory)
{
    size_t groups = groups_of(arena->slices);
    arena->runs.groups = memory;
    arena->runs.begins = arena->runs.groups + PM_RUNS_SETS * PM_BITMAP_WORDS(groups);
    arena->runs.length = (uint32_t *)(arena->runs.begins + PM_RUNS_SETS * groups);
    add(arena, 0, arena->slices);
}

void pm_runs_take(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t begin = begins_at(arena, first) ? first : pm_bitmap_behind(arena->taken, 0, first);
    size_t length = arena->runs.length[begin];
    drop(arena, begin, length);
    add(arena, begin, first - begin);
    add(arena, first + slices, begin + length - (first + slices));
}

size_t pm_runs_give(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t end = first + slices;
    size_t before = begins_at(arena, first) ? 0 : arena->runs.length[first - 1];
    size_t behind = is_free(arena, end) ? arena->runs.length[end] : 0;
    drop(arena, first - before, before);
    drop(arena, end, behind);
    size_t length = before + slices + behind;
    add(arena, first - before, length);
    return length;
}

void pm_runs_before_clean(struct pm_arena *arena, size_t first)
{
    if (begins_at(arena, first))
        drop(arena, first, arena->runs.length[first]);
}

void pm_runs_after_clean(struct pm_arena *arena, size_t first)
{
    if (begins_at(arena, first))
        add(arena, first, arena->runs.length[first]);
}

size_t pm_runs_next(const struct pm_arena *arena, unsigned set, size_t from)
{
    size_t group = from / 64, groups = groups_of(arena->slices);
    if (group >= groups)
        return PM_RUNS_NONE;
    uint64_t begins = *begins_in(arena, group, set) & ~(uint64_t)0 << from % 64;
    if (begins == 0) {
        group = pm_bitmap_next(groups_with(arena, set), group + 1, groups, true);
        if (group == groups)
            return PM_RUNS_NONE;
        begins = *begins_in(arena, group, set);
    }
    return group * 64 + (size_t)__builtin_ctzll(begins);
}

size_t pm_runs_lowest(const struct pm_arena *arena)
{
    size_t lowest = groups_of(arena->slices);
    uint64_t begins = 0;
    for (uint32_t sets = arena->runs.sets; sets != 0; sets &= sets - 1) {
        unsigned set = (unsigned)__builtin_ctz(sets);
        size_t group = first_group(arena, set);
        if (group > lowest)
            continue;
        begins = *begins_in(arena, group, set) | (group == lowest ? begins : 0);
        lowest = group;
    }
    return begins != 0 ? lowest * 64 + (size_t)__builtin_ctzll(begins) : PM_RUNS_NONE;
}

/* The runs that there are, one by one; returns how many, and how long the longest is. */
static size_t check_runs(struct pm_arena *arena, size_t *longest)
{
    size_t runs = 0, length, slices = arena->slices;
    size_t at = pm_bitmap_next(arena->taken, 0, slices, false);
    for (; at < slices; at = pm_bitmap_next(arena->taken, at + length, slices, false), runs++) {
        length = pm_bitmap_next(arena->taken, at, slices, true) - at;
        if (arena->runs.length[at] != length || arena->runs.length[at + length - 1] != length)
            pm_fatal_broken("a free run's first and last slice say how long it is", arena);
        if (pm_runs_next(arena, set_of(arena, at, length), at) != at)
            pm_fatal_broken("a free run begins in the set of its length", arena);
        if (length > *longest)
            *longest = length;
    }
    return runs;
}

size_t pm_runs_check(struct pm_arena *arena)
{
    size_t longest = 0, runs = check_runs(arena, &longest), groups = groups_of(arena->slices);
    for (unsigned set = 0; set < PM_RUNS_SETS; set++) {
        bool is_empty = true;
        for (size_t group = 0; group < groups; group++) {
            uint64_t begins = *begins_in(arena, group, set);
            if (pm_bitmap_test(groups_with(arena, set), group) != (begins != 0))
                pm_fatal_broken("the groups where runs of a set begin are known", arena);
            runs -= pm_count_bits(begins);
            is_empty = is_empty && begins == 0;
        }
        if (is_empty != ((arena->runs.sets >> set & 1) == 0))
            pm_fatal_broken("the sets that are not empty are known", arena);
    }
    if (runs != 0)
        pm_fatal_broken("a free run is in one set", arena);
    return longest;
}
