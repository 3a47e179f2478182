/*
 * arena.c - the list of arenas and the books of their slices: which are taken,
 * dirty and aged, and how many bytes that makes in all.
 */
#include "arena/arena.h"

#include "arena/bitmap.h"

#define EXCESS_MIN (1 * PM_MIB)

struct pm_lock pm_arena_lock = PM_LOCK_INIT;
struct pm_arena *pm_arena_list;

/* Bytes, written under pm_arena_lock. */
static size_t total_mapped, total_taken, total_dirty;
static _Atomic size_t peak_taken;
static size_t total_arenas;

/* The total is of what can be purged: what a replaced provider gave stays as it is. */
static size_t purgeable(const struct pm_arena *arena, size_t slices)
{
    return pm_provider_is_system(&arena->provider) ? slices << PM_SLICE_SHIFT : 0;
}

static void count_dirty(struct pm_arena *arena, size_t slices)
{
    arena->dirty_count += slices;
    total_dirty += purgeable(arena, slices);
}

static void count_clean(struct pm_arena *arena, size_t slices)
{
    arena->dirty_count -= slices;
    total_dirty -= purgeable(arena, slices);
}

/* A dedicated arena ends with a page, not with a slice. */
static size_t bytes_of(const struct pm_arena *arena, size_t slices)
{
    return arena->dedicated ? arena->map_start + arena->map_size - arena->base
                            : slices << PM_SLICE_SHIFT;
}

size_t pm_arena_peak_taken(void)
{
    return atomic_load_explicit(&peak_taken, memory_order_relaxed);
}

static void count_taken(struct pm_arena *arena, size_t slices)
{
    arena->taken_count += slices;
    total_taken += bytes_of(arena, slices);
    if (total_taken > pm_arena_peak_taken())
        atomic_store_explicit(&peak_taken, total_taken, memory_order_relaxed);
}

static void count_freed(struct pm_arena *arena, size_t slices)
{
    arena->taken_count -= slices;
    total_taken -= bytes_of(arena, slices);
}

void pm_arena_insert_locked(struct pm_arena *arena)
{
    struct pm_arena *before = NULL, *behind = pm_arena_list;
    for (; behind != NULL && !behind->dedicated; behind = behind->next)
        before = behind;
    arena->prev = before;
    arena->next = behind;
    if (before != NULL)
        before->next = arena;
    else
        pm_arena_list = arena;
    if (behind != NULL)
        behind->prev = arena;
    total_arenas++;
    total_mapped += arena->map_size;
    if (arena->dedicated)
        count_taken(arena, arena->slices);
}

void pm_arena_remove_locked(struct pm_arena *arena)
{
    if (arena->prev != NULL)
        arena->prev->next = arena->next;
    else
        pm_arena_list = arena->next;
    if (arena->next != NULL)
        arena->next->prev = arena->prev;
    total_arenas--;
    total_mapped -= arena->map_size;
    if (arena->dedicated)
        count_freed(arena, arena->slices);
}

/*
 * Where `slices` free slices begin at an address aligned to `align`: in the
 * shortest run that holds them, the lowest of these; SIZE_MAX if there is none.
 */
static size_t find_run(struct pm_arena *arena, size_t slices, size_t align)
{
    size_t align_slices = align >> PM_SLICE_SHIFT;
    size_t base_slice = arena->base >> PM_SLICE_SHIFT;
    size_t at = pm_bitmap_next(arena->taken, arena->search_from, arena->slices, false);
    size_t best = SIZE_MAX, best_length = SIZE_MAX;
    arena->search_from = at;
    while (at + slices <= arena->slices && best_length > slices) {
        size_t end = pm_bitmap_next(arena->taken, at, arena->slices, true);
        size_t aligned = pm_align_up(base_slice + at, align_slices) - base_slice;
        if (aligned + slices <= end && end - at < best_length) {
            best = aligned;
            best_length = end - at;
            if (slices == 1)
                break; /* any hole serves, and the lowest packs best */
        }
        at = pm_bitmap_next(arena->taken, end, arena->slices, false);
    }
    return best;
}

/* Takes [first, first + slices); says whether all of it was clean. */
static bool mark_taken(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t dirty = pm_bitmap_count(arena->dirty, first, slices);
    pm_bitmap_set(arena->taken, first, slices);
    if (dirty != 0) {
        pm_bitmap_clear(arena->dirty, first, slices);
        pm_bitmap_clear(arena->aged, first, slices);
        count_clean(arena, dirty);
    }
    count_taken(arena, slices);
    return dirty == 0;
}

void pm_arena_free_locked(struct pm_arena *arena, size_t first, size_t slices)
{
    pm_bitmap_clear(arena->taken, first, slices);
    pm_bitmap_set(arena->dirty, first, slices);
    count_dirty(arena, slices);
    arena->no_run = SIZE_MAX;
    if (first < arena->search_from)
        arena->search_from = first;
    count_freed(arena, slices);
}

static bool take_from(struct pm_arena *arena, struct pm_span *span, size_t slices, size_t align)
{
    if (arena->slices - arena->taken_count < slices || slices >= arena->no_run)
        return false;
    size_t first = find_run(arena, slices, align);
    if (first == SIZE_MAX) {
        if (align == PM_SLICE)
            arena->no_run = slices;
        return false;
    }
    span->start = arena->base + (first << PM_SLICE_SHIFT);
    span->arena = arena;
    span->slices = (uint32_t)slices;
    span->zeroed = mark_taken(arena, first, slices) && pm_provider_is_system(&arena->provider);
    return true;
}

bool pm_arena_take_locked(struct pm_span *span, size_t slices, size_t align)
{
    struct pm_arena *arena = pm_arena_list;
    while (arena != NULL && !arena->dedicated && !take_from(arena, span, slices, align))
        arena = arena->next;
    return arena != NULL && !arena->dedicated;
}

bool pm_arena_extend_locked(struct pm_span *span, size_t slices)
{
    struct pm_arena *arena = span->arena;
    size_t first = pm_arena_slice_after(span);
    size_t more = slices - span->slices;
    if (first + more > arena->slices ||
        pm_bitmap_next(arena->taken, first, first + more, true) != first + more)
        return false;
    mark_taken(arena, first, more);
    span->slices = (uint32_t)slices;
    return true;
}

void pm_arena_clean_locked(struct pm_arena *arena, size_t first, size_t slices)
{
    pm_bitmap_clear(arena->dirty, first, slices);
    count_clean(arena, slices);
}

size_t pm_arena_span_bytes(const struct pm_span *span)
{
    return bytes_of(span->arena, span->slices);
}

/*
 * How far resident memory has grown past what the program itself ever held at
 * one time: free pages it cannot use, because they lie in the wrong places.
 */
size_t pm_arena_excess_locked(void)
{
    size_t peak = pm_arena_peak_taken();
    size_t allowed = peak + peak / 2 + EXCESS_MIN;
    size_t resident = total_taken + total_dirty;
    return resident > allowed ? resident - allowed : 0;
}

struct pm_arena *pm_arena_unlink_empty_locked(size_t keep)
{
    struct pm_arena *last = NULL;
    size_t empty = 0;
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !arena->dedicated;
         arena = arena->next) {
        if (arena->taken_count == 0) {
            last = arena;
            empty += arena->map_size;
        }
    }
    if (last == NULL || empty <= keep)
        return NULL;
    count_clean(last, last->dirty_count);
    pm_arena_remove_locked(last);
    return last;
}

size_t pm_arena_lock_dirty_run(struct pm_arena *arena, bool aged_only, size_t from, size_t *first)
{
    const uint64_t *which = aged_only ? arena->aged : arena->dirty;
    *first = pm_bitmap_next(which, from, arena->slices, true);
    if (*first == arena->slices)
        return 0;
    size_t count = pm_bitmap_next(which, *first, arena->slices, false) - *first;
    pm_bitmap_set(arena->taken, *first, count);
    pm_bitmap_clear(arena->dirty, *first, count);
    pm_bitmap_clear(arena->aged, *first, count);
    arena->taken_count += count;
    count_clean(arena, count);
    return count;
}

void pm_arena_unlock_run(struct pm_arena *arena, size_t first, size_t count, bool clean)
{
    pm_bitmap_clear(arena->taken, first, count);
    arena->taken_count -= count;
    arena->no_run = SIZE_MAX;
    if (first < arena->search_from)
        arena->search_from = first;
    if (!clean) {
        pm_bitmap_set(arena->dirty, first, count);
        count_dirty(arena, count);
    }
}

bool pm_arena_contains(const void *address)
{
    bool found = false;
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !found; arena = arena->next) {
        uintptr_t offset = (uintptr_t)address - arena->base;
        found = offset < bytes_of(arena, arena->slices);
    }
    pm_unlock(&pm_arena_lock);
    return found;
}

void pm_arena_totals_locked(struct pm_arena_totals *totals)
{
    totals->arenas = total_arenas;
    totals->mapped = total_mapped;
    totals->taken = total_taken;
    totals->peak_taken = pm_arena_peak_taken();
    totals->dirty = total_dirty;
}

void pm_arena_totals(struct pm_arena_totals *totals)
{
    pm_lock(&pm_arena_lock);
    pm_arena_totals_locked(totals);
    pm_unlock(&pm_arena_lock);
}
