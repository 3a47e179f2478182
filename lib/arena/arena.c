/*
 * arena.c - deals spans out of arenas and takes them back.  Where arenas come
 * from is mapping.c's, and when free pages go back to the system purge.c's.
 */
#include "arena/arena.h"

#include "arena/bitmap.h"
#include "arena/mapping.h"
#include "arena/ownermap.h"
#include "arena/purge.h"

#define EXCESS_MIN (1 * PM_MIB)

struct pm_lock pm_arena_lock = PM_LOCK_INIT;
struct pm_arena *pm_arena_list;

/* Bytes, under pm_arena_lock. */
static size_t total_mapped, total_taken, total_dirty, peak_taken;
static size_t total_arenas;

static void insert(struct pm_arena *arena)
{
    struct pm_arena **at = &pm_arena_list;
    while (*at != NULL && (*at)->base < arena->base)
        at = &(*at)->next;
    arena->next = *at;
    *at = arena;
    total_arenas++;
    total_mapped += arena->map_size;
}

static void remove_from_list(struct pm_arena *arena)
{
    struct pm_arena **at = &pm_arena_list;
    while (*at != arena)
        at = &(*at)->next;
    *at = arena->next;
    total_arenas--;
    total_mapped -= arena->map_size;
}

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

static void count_taken(struct pm_arena *arena, size_t slices)
{
    arena->taken_count += slices;
    total_taken += bytes_of(arena, slices);
    if (total_taken > peak_taken)
        peak_taken = total_taken;
}

static void count_freed(struct pm_arena *arena, size_t slices)
{
    arena->taken_count -= slices;
    total_taken -= bytes_of(arena, slices);
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

static void mark_free(struct pm_arena *arena, size_t first, size_t slices)
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

static bool take_from_list(struct pm_span *span, size_t slices, size_t align)
{
    for (struct pm_arena *arena = pm_arena_list; arena != NULL; arena = arena->next) {
        if (!arena->dedicated && take_from(arena, span, slices, align))
            return true;
    }
    return false;
}

/*
 * How far resident memory has grown past what the program itself ever held at
 * one time: free pages it cannot use, because they lie in the wrong places.
 */
static size_t excess_locked(void)
{
    size_t allowed = peak_taken + peak_taken / 4 + EXCESS_MIN;
    size_t resident = total_taken + total_dirty;
    return resident > allowed ? resident - allowed : 0;
}

bool pm_arena_take(struct pm_span *span, size_t slices, size_t align)
{
    pm_lock(&pm_arena_lock);
    bool taken = take_from_list(span, slices, align);
    size_t mapped = total_mapped;
    size_t excess = excess_locked();
    pm_unlock(&pm_arena_lock);
    if (PM_UNLIKELY(excess != 0))
        pm_purge_some(excess);
    if (PM_LIKELY(taken))
        return true;

    size_t bytes = (slices << PM_SLICE_SHIFT) + align - PM_SLICE;
    struct pm_arena *arena = pm_mapping_new(bytes, mapped);
    if (arena == NULL)
        return false;
    pm_lock(&pm_arena_lock);
    insert(arena);
    taken = take_from(arena, span, slices, align);
    pm_unlock(&pm_arena_lock);
    return taken;
}

bool pm_arena_take_dedicated(struct pm_span *span, size_t bytes, size_t align)
{
    struct pm_arena *arena = pm_mapping_new_dedicated(bytes, align);
    if (arena == NULL)
        return false;
    pm_lock(&pm_arena_lock);
    insert(arena);
    count_taken(arena, arena->slices);
    pm_unlock(&pm_arena_lock);
    span->start = arena->base;
    span->arena = arena;
    span->slices = (uint32_t)arena->slices;
    span->zeroed = pm_provider_is_system(&arena->provider);
    return true;
}

static void give_dedicated(struct pm_arena *arena)
{
    pm_lock(&pm_arena_lock);
    count_freed(arena, arena->slices);
    remove_from_list(arena);
    pm_unlock(&pm_arena_lock);
    pm_mapping_delete(arena);
}

void pm_arena_give(struct pm_span *span)
{
    struct pm_arena *arena = span->arena;
    pm_ownermap_set(span->start, span->kind == PM_SPAN_POOL ? span->slices : 1, NULL);
    if (arena->dedicated) {
        give_dedicated(arena);
        return;
    }
    pm_purge_before_free();
    pm_lock(&pm_arena_lock);
    mark_free(arena, (span->start - arena->base) >> PM_SLICE_SHIFT, span->slices);
    pm_unlock(&pm_arena_lock);
    pm_purge_after_free();
}

bool pm_arena_extend(struct pm_span *span, size_t slices)
{
    struct pm_arena *arena = span->arena;
    if (arena->dedicated)
        return false;
    size_t first = ((span->start - arena->base) >> PM_SLICE_SHIFT) + span->slices;
    size_t more = slices - span->slices;
    bool extended = false;
    pm_lock(&pm_arena_lock);
    if (first + more <= arena->slices &&
        pm_bitmap_next(arena->taken, first, first + more, true) == first + more) {
        mark_taken(arena, first, more);
        span->slices = (uint32_t)slices;
        extended = true;
    }
    pm_unlock(&pm_arena_lock);
    return extended;
}

void pm_arena_cut(struct pm_span *span, size_t slices)
{
    struct pm_arena *arena = span->arena;
    if (arena->dedicated || slices >= span->slices)
        return;
    size_t first = ((span->start - arena->base) >> PM_SLICE_SHIFT) + slices;
    pm_purge_before_free();
    pm_lock(&pm_arena_lock);
    mark_free(arena, first, span->slices - slices);
    span->slices = (uint32_t)slices;
    pm_unlock(&pm_arena_lock);
    pm_purge_after_free();
}

/* A dedicated arena follows its mapping; the list is sorted by address. */
static bool remap_dedicated(struct pm_span *span, size_t bytes)
{
    struct pm_arena *arena = span->arena;
    pm_lock(&pm_arena_lock);
    count_freed(arena, arena->slices);
    remove_from_list(arena);
    pm_unlock(&pm_arena_lock);
    bool moved = pm_mapping_resize(arena, bytes);
    pm_lock(&pm_arena_lock);
    insert(arena);
    count_taken(arena, arena->slices);
    pm_unlock(&pm_arena_lock);
    span->start = arena->base;
    span->slices = (uint32_t)arena->slices;
    return moved;
}

/* The pages leave; the slices stay behind, clean. */
static void leave_clean(struct pm_span *span)
{
    struct pm_arena *arena = span->arena;
    size_t first = (span->start - arena->base) >> PM_SLICE_SHIFT;
    pm_lock(&pm_arena_lock);
    mark_free(arena, first, span->slices);
    pm_bitmap_clear(arena->dirty, first, span->slices);
    count_clean(arena, span->slices);
    pm_unlock(&pm_arena_lock);
}

bool pm_arena_remap(struct pm_span *span, size_t bytes)
{
    struct pm_arena *arena = span->arena;
    if (!pm_provider_is_system(&arena->provider))
        return false;
    pm_ownermap_set(span->start, 1, NULL);
    if (arena->dedicated)
        return remap_dedicated(span, bytes);
    struct pm_arena *own = pm_mapping_new_from(span, bytes);
    if (own == NULL)
        return false;
    leave_clean(span);
    pm_lock(&pm_arena_lock);
    insert(own);
    count_taken(own, own->slices);
    pm_unlock(&pm_arena_lock);
    span->start = own->base;
    span->arena = own;
    span->slices = (uint32_t)own->slices;
    return true;
}

size_t pm_arena_span_bytes(const struct pm_span *span)
{
    return bytes_of(span->arena, span->slices);
}

/* Unlinks the last arena without a span when more than `keep` bytes of such exist. */
static struct pm_arena *unlink_empty(size_t keep)
{
    struct pm_arena *last = NULL;
    size_t empty = 0;
    for (struct pm_arena *arena = pm_arena_list; arena != NULL; arena = arena->next) {
        if (arena->taken_count == 0) {
            last = arena;
            empty += arena->map_size;
        }
    }
    if (last == NULL || empty <= keep)
        return NULL;
    count_clean(last, last->dirty_count);
    remove_from_list(last);
    return last;
}

size_t pm_arena_release_empty(size_t keep)
{
    size_t released = 0;
    for (;;) {
        pm_lock(&pm_arena_lock);
        struct pm_arena *arena = unlink_empty(keep);
        pm_unlock(&pm_arena_lock);
        if (arena == NULL)
            return released;
        released += arena->map_size;
        pm_mapping_delete(arena);
    }
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
    totals->peak_taken = peak_taken;
    totals->dirty = total_dirty;
}

void pm_arena_totals(struct pm_arena_totals *totals)
{
    pm_lock(&pm_arena_lock);
    pm_arena_totals_locked(totals);
    pm_unlock(&pm_arena_lock);
}
