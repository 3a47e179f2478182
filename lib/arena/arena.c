/*
 * arena.c - the list of arenas and the books of their slices: which are taken,
 * dirty and aged, and how many bytes that makes in all.
 */
#include "arena/arena.h"

#include "arena/bitmap.h"
#include "arena/choose.h"
#include "arena/kept.h"
#include "os/os.h"

struct pm_lock pm_arena_lock = PM_LOCK_INIT;
struct pm_arena *pm_arena_list;

/* Bytes, written under pm_arena_lock. */
static size_t total_mapped, total_taken, total_dedicated, peak_taken;
static size_t total_arenas;

/* Bytes of taken slices that are resident, as far as we know: in pools by the page, long spans and
 * dedicated arenas in full, touched or not.  Relaxed, as nothing hangs on it. */
static _Atomic size_t total_used, peak_used;

/* Written under the lock, read without. */
static _Atomic size_t total_dirty;

size_t pm_arena_pages(size_t slices)
{
    return slices << PM_SLICE_SHIFT >> pm_os_page_shift();
}

size_t pm_arena_slice_of_page(size_t page)
{
    return page << pm_os_page_shift() >> PM_SLICE_SHIFT;
}

static void count_used(size_t bytes)
{
    if (bytes == 0)
        return;
    size_t used = pm_count_up(&total_used, bytes);
    if (used > pm_arena_peak_used())
        atomic_store_explicit(&peak_used, used, memory_order_relaxed);
}

static void count_unused(size_t bytes)
{
    if (bytes != 0)
        pm_count_up(&total_used, -bytes);
}

size_t pm_arena_peak_used(void)
{
    return atomic_load_explicit(&peak_used, memory_order_relaxed);
}

size_t pm_arena_used(void)
{
    return atomic_load_explicit(&total_used, memory_order_relaxed);
}

size_t pm_arena_dirty(void)
{
    return atomic_load_explicit(&total_dirty, memory_order_relaxed);
}

static void add_to_dirty(size_t bytes)
{
    atomic_store_explicit(&total_dirty, pm_arena_dirty() + bytes, memory_order_relaxed);
}

size_t pm_arena_dedicated_locked(void)
{
    return total_dedicated;
}

/* The pages that a span of so many has; at most PM_SPAN_PAGES. */
static uint64_t existing(size_t pages)
{
    return ~(uint64_t)0 >> (PM_SPAN_PAGES - pages);
}

static size_t bytes_in(uint64_t pages)
{
    return (size_t)pm_count_bits(pages) << pm_os_page_shift();
}

/* All of a long span, or of an arena of its own, was counted when it was taken. */
void pm_arena_use_clean(struct pm_span *span, uint64_t pages)
{
    size_t count = pm_arena_pages(span->slices);
    if (count <= PM_SPAN_PAGES && !span->arena->dedicated)
        count_used(bytes_in(span->clean & pages & existing(count)));
    span->clean &= ~pages;
}

void pm_arena_unuse(struct pm_span *span, uint64_t pages)
{
    count_unused(bytes_in(pages & ~span->clean));
    span->clean |= pages;
}

void pm_arena_send_away(struct pm_span *span, size_t pages)
{
    size_t before = span->away;
    span->away = (uint8_t)pages;
    if (pages > before)
        count_unused((pages - before) << pm_os_page_shift());
    else
        count_used((before - pages) << pm_os_page_shift());
}

void pm_arena_take_in(struct pm_span *span)
{
    if (PM_UNLIKELY(span->away != 0))
        pm_arena_send_away(span, 0);
}

/* The total is of what can be purged: what a replaced provider gave stays as it is. */
static size_t purgeable(const struct pm_arena *arena, size_t pages)
{
    return pm_provider_is_system(&arena->provider) ? pages << pm_os_page_shift() : 0;
}

static void count_dirty(struct pm_arena *arena, size_t pages)
{
    arena->dirty_count += pages;
    add_to_dirty(purgeable(arena, pages));
}

static void count_clean(struct pm_arena *arena, size_t pages)
{
    arena->dirty_count -= pages;
    add_to_dirty(-purgeable(arena, pages));
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
    total_mapped += pm_arena_mapped(arena);
    if (arena->dedicated) {
        total_dedicated += bytes_of(arena, arena->slices);
        count_taken(arena, arena->slices);
        count_used(bytes_of(arena, arena->slices));
    }
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
    total_mapped -= pm_arena_mapped(arena);
    if (arena->dedicated) {
        total_dedicated -= bytes_of(arena, arena->slices);
        count_freed(arena, arena->slices);
        count_unused(bytes_of(arena, arena->slices));
    }
}

/* Of a span's pages, those that were dirty, as bits, and how many; they are not any more. */
static uint64_t take_dirty(struct pm_arena *arena, size_t page, size_t pages, size_t *count)
{
    uint64_t dirty = pm_bitmap_read(arena->dirty, page, pages);
    *count = 0;
    if (dirty != 0) {
        pm_bitmap_remove(arena->dirty, page, dirty);
        pm_bitmap_remove(arena->aged, page, dirty);
        *count = pm_count_bits(dirty);
        count_clean(arena, *count);
    }
    return dirty;
}

/* The same of a long span: all, or none. */
static uint64_t take_dirty_long(struct pm_arena *arena, size_t page, size_t pages, size_t *count)
{
    size_t dirty = pm_bitmap_count(arena->dirty, page, pages);
    *count = pages; /* what it will use, as is counted once only */
    if (dirty == 0)
        return 0;
    pm_bitmap_clear(arena->dirty, page, pages);
    pm_bitmap_clear(arena->aged, page, pages);
    count_clean(arena, dirty);
    return ~(uint64_t)0;
}

/* Takes [first, first + slices) and counts what of it is in use by that; returns the pages that
 * are clean, as in a span. */
static uint64_t mark_taken(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t page = pm_arena_pages(first), pages = pm_arena_pages(slices), used;
    pm_runs_take(arena, first, slices);
    uint64_t dirty =
        (pages > PM_SPAN_PAGES ? take_dirty_long : take_dirty)(arena, page, pages, &used);
    if (!pm_provider_is_system(&arena->provider)) { /* nobody knows */
        dirty = ~(uint64_t)0;
        used = pages;
    }
    pm_bitmap_set(arena->taken, first, slices);
    count_taken(arena, slices);
    count_used(used << pm_os_page_shift());
    return ~dirty;
}

/* Pages of a span become dirty; returns how many. */
static size_t mark_dirty(struct pm_arena *arena, size_t page, size_t pages, uint64_t clean)
{
    if (pages > PM_SPAN_PAGES) {
        pm_bitmap_set(arena->dirty, page, clean == PM_SPAN_CLEAN ? 0 : pages);
        return clean == PM_SPAN_CLEAN ? 0 : pages;
    }
    uint64_t dirty = ~clean & existing(pages);
    pm_bitmap_add(arena->dirty, page, dirty);
    return (size_t)pm_count_bits(dirty);
}

/* The slices, whose pages are dirty or clean by now, may be taken. */
static void mark_free(struct pm_arena *arena, size_t first, size_t slices)
{
    pm_bitmap_clear(arena->taken, first, slices);
    pm_choose_freed_locked(arena, first, slices);
}

void pm_arena_free_locked(struct pm_arena *arena, size_t first, size_t slices, uint64_t clean)
{
    size_t dirty = mark_dirty(arena, pm_arena_pages(first), pm_arena_pages(slices), clean);
    mark_free(arena, first, slices);
    count_dirty(arena, dirty);
    count_unused(dirty << pm_os_page_shift());
    count_freed(arena, slices);
}

static void take_at(struct pm_arena *arena, size_t first, struct pm_span *span, size_t slices)
{
    span->start = arena->base + (first << PM_SLICE_SHIFT);
    span->arena = arena;
    span->slices = (uint32_t)slices;
    span->clean = mark_taken(arena, first, slices);
}

static bool is_for(const struct pm_arena *arena, enum pm_span_kind kind)
{
    return kind == PM_SPAN_POOL || pm_arena_hugepages(arena) != PM_HUGEPAGES_ADVISED;
}

static bool may_be(enum pm_arena_choice choice, size_t slices)
{
    return choice != PM_ARENA_RESIDENT_ONLY ||
           pm_arena_dirty() >= (slices << PM_SLICE_SHIFT) / 4 * 3;
}

bool pm_arena_take_locked(struct pm_span *span, size_t slices, size_t align,
                          enum pm_arena_choice choice)
{
    if (!may_be(choice, slices))
        return false;
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !arena->dedicated;
         arena = arena->next) {
        if (!pm_choose_may_find(arena, slices) || !is_for(arena, span->kind))
            continue;
        size_t first = pm_arena_choose_locked(arena, slices, align, choice);
        if (first == PM_RUNS_NONE)
            continue;
        take_at(arena, first, span, slices);
        return true;
    }
    return false;
}

bool pm_arena_extend_locked(struct pm_span *span, size_t slices)
{
    struct pm_arena *arena = span->arena;
    size_t first = pm_arena_slice_after(span);
    size_t more = slices - span->slices;
    if (first + more > arena->slices ||
        pm_bitmap_next(arena->taken, first, first + more, true) != first + more)
        return false;
    struct pm_span added = {.arena = arena, .slices = (uint32_t)more};
    added.clean = mark_taken(arena, first, more);
    pm_arena_use(&added, PM_SPAN_CLEAN);
    span->slices = (uint32_t)slices;
    return true;
}

void pm_arena_clean_locked(struct pm_arena *arena, size_t first, size_t slices)
{
    size_t page = pm_arena_pages(first), pages = pm_arena_pages(slices);
    pm_runs_before_clean(arena, first);
    count_clean(arena, pm_bitmap_count(arena->dirty, page, pages));
    pm_bitmap_clear(arena->dirty, page, pages);
    pm_bitmap_clear(arena->aged, page, pages);
    pm_runs_after_clean(arena, first);
}

void pm_arena_lose_locked(struct pm_arena *arena, size_t first, size_t slices, size_t bytes)
{
    pm_arena_clean_locked(arena, first, slices);
    pm_runs_take(arena, first, slices);
    pm_bitmap_set(arena->taken, first, slices);
    pm_bitmap_set(arena->gone, first, slices);
    arena->gone_count += slices;
    arena->map_gone += bytes;
    total_mapped -= bytes;
}

bool pm_arena_next_piece(const struct pm_arena *arena, size_t *slice, struct pm_arena_piece *piece)
{
    size_t first = *slice, end = arena->slices;
    if (arena->gone_count != 0) {
        first = pm_bitmap_next(arena->gone, first, arena->slices, false);
        end = pm_bitmap_next(arena->gone, first, arena->slices, true);
    }
    if (first >= end)
        return false;
    uintptr_t from = pm_arena_boundary(arena, first), to = pm_arena_boundary(arena, end);
    *piece = (struct pm_arena_piece){(void *)from, to - from};
    *slice = end;
    return true;
}

size_t pm_arena_span_bytes(const struct pm_span *span)
{
    return bytes_of(span->arena, span->slices);
}

struct pm_arena *pm_arena_unlink_empty_locked(size_t keep)
{
    struct pm_arena *last = NULL;
    size_t empty = 0;
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !arena->dedicated;
         arena = arena->next) {
        if (arena->taken_count == 0) {
            last = arena;
            empty += pm_arena_mapped(arena);
        }
    }
    if (last == NULL || empty <= keep)
        return NULL;
    count_clean(last, last->dirty_count);
    pm_arena_remove_locked(last);
    return last;
}

/* How many slices the run lies on, from `*first` on. */
static size_t slices_of(const struct pm_arena_run *run, size_t *first)
{
    *first = pm_arena_slice_of_page(run->first);
    return pm_div_up((run->first + run->pages) << pm_os_page_shift(), PM_SLICE) - *first;
}

bool pm_arena_lock_run(struct pm_arena *arena, bool aged_only, size_t from,
                       struct pm_arena_run *run)
{
    const uint64_t *which = aged_only ? arena->aged : arena->dirty;
    size_t pages = pm_arena_pages(arena->slices), end;
    size_t next = run->first = pm_bitmap_next(which, from, pages, true);
    if (next == pages)
        return false;
    do { /* pages without a gap, then those of the same slice or the next */
        end = pm_bitmap_next(which, next, pages, false);
        next = pm_bitmap_next(which, end, pages, true);
    } while (next != pages && pm_arena_slice_of_page(next) <= pm_arena_slice_of_page(end - 1) + 1);
    run->pages = end - run->first;
    size_t first, slices = slices_of(run, &first);
    pm_runs_take(arena, first, slices);
    pm_bitmap_set(arena->taken, first, slices);
    arena->taken_count += slices;
    count_clean(arena, pm_bitmap_count(arena->dirty, run->first, run->pages));
    pm_bitmap_clear(arena->dirty, run->first, run->pages);
    pm_bitmap_clear(arena->aged, run->first, run->pages);
    return true;
}

void pm_arena_unlock_run(struct pm_arena *arena, const struct pm_arena_run *run, bool clean)
{
    size_t first, slices = slices_of(run, &first);
    if (!clean) {
        pm_bitmap_set(arena->dirty, run->first, run->pages);
        count_dirty(arena, run->pages);
    }
    mark_free(arena, first, slices);
    arena->taken_count -= slices;
}

bool pm_arena_holds_locked(const struct pm_arena *arena, uintptr_t address)
{
    uintptr_t offset = address - arena->base;
    return offset < bytes_of(arena, arena->slices) &&
           (arena->gone_count == 0 || !pm_bitmap_test(arena->gone, offset >> PM_SLICE_SHIFT));
}

bool pm_arena_contains(const void *address)
{
    bool found = false;
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !found; arena = arena->next)
        found = pm_arena_holds_locked(arena, (uintptr_t)address);
    pm_unlock(&pm_arena_lock);
    return found;
}

struct pm_arena_totals pm_arena_totals_locked(void)
{
    return (struct pm_arena_totals){
        .arenas = total_arenas + pm_kept_count_locked(),
        .mapped = total_mapped + pm_kept_bytes(),
        .taken = total_taken,
        .dirty = pm_arena_dirty() + pm_kept_bytes(),
        .peak_taken = peak_taken,
    };
}

struct pm_arena_totals pm_arena_totals(void)
{
    pm_lock(&pm_arena_lock);
    struct pm_arena_totals totals = pm_arena_totals_locked();
    pm_unlock(&pm_arena_lock);
    return totals;
}
