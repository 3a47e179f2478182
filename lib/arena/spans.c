/*
 * spans.c - see spans.h.
 */
#include "arena/spans.h"

#include "arena/arena.h"
#include "arena/early.h"
#include "arena/hugepages.h"
#include "arena/kept.h"
#include "arena/mapping.h"
#include "arena/ownermap.h"
#include "arena/purge.h"

/* A thread that purges at this moment has booked what it purges; this is not to go twice. */
static PM_COLD void purge_booked(enum pm_early reason, size_t bytes)
{
    size_t purged;
    bool tried = pm_purge_some(bytes, &purged);
    if (purged >= bytes)
        return;
    pm_lock(&pm_arena_lock);
    if (tried)
        pm_early_refused_locked(reason, bytes - purged);
    else
        pm_early_unbook_locked(reason, bytes);
    pm_unlock(&pm_arena_lock);
}

/* What pm_early_excess_locked() has said; no lock is held. */
static void purge_early(enum pm_early reason, size_t excess)
{
    if (PM_UNLIKELY(excess != 0))
        purge_booked(reason, excess);
}

/* No lock is held. */
static void make_room(size_t excess)
{
    pm_kept_trim();
    purge_early(PM_EARLY_GROWTH, excess);
}

/* A dedicated arena is new, or has grown. */
static void insert(struct pm_arena *arena)
{
    pm_lock(&pm_arena_lock);
    pm_arena_insert_locked(arena);
    size_t excess = pm_early_excess_locked(PM_EARLY_GROWTH);
    pm_unlock(&pm_arena_lock);
    make_room(excess);
}

/* What is wanted of the arenas. */
struct wanted {
    size_t slices, align;
    enum pm_arena_choice choice;
};

/* From the arenas there are and `fresh`, if any; says how much should be purged now. */
static bool take(struct pm_span *span, struct wanted want, struct pm_arena *fresh, size_t *excess)
{
    pm_lock(&pm_arena_lock);
    if (fresh != NULL)
        pm_arena_insert_locked(fresh);
    bool taken = pm_arena_take_locked(span, want.slices, want.align, want.choice);
    *excess = taken ? pm_early_excess_locked(PM_EARLY_GROWTH) : 0;
    pm_unlock(&pm_arena_lock);
    return taken;
}

static struct pm_arena *new_arena(enum pm_span_kind kind, size_t slices, size_t align)
{
    size_t bytes = (slices << PM_SLICE_SHIFT) + align - PM_SLICE;
    struct pm_arena *arena = pm_mapping_new(kind, bytes, pm_arena_totals().mapped);
    if (arena == NULL && pm_kept_release() != 0)
        arena = pm_mapping_new(kind, bytes, pm_arena_totals().mapped);
    if (arena == NULL) {
        pm_lock(&pm_arena_lock);
        pm_hugepages_end_all_locked();
        pm_unlock(&pm_arena_lock);
    }
    return arena;
}

static bool take_or_map(struct pm_span *span, enum pm_span_kind kind, struct wanted want)
{
    span->kind = (uint8_t)kind;
    if (PM_UNLIKELY(want.align != PM_SLICE) && want.align < pm_spans_unit())
        want.align = pm_spans_unit();
    size_t excess;
    bool taken = take(span, want, NULL, &excess);
    if (PM_UNLIKELY(!taken)) {
        struct pm_arena *arena = new_arena(kind, want.slices, want.align);
        taken = take(span, want, arena, &excess);
    }
    make_room(excess);
    return taken;
}

bool pm_spans_take(struct pm_span *span, enum pm_span_kind kind, size_t slices, size_t align)
{
    bool taken = take_or_map(span, kind, (struct wanted){slices, align, PM_ARENA_FIRST});
    if (taken && kind == PM_SPAN_POOL)
        pm_hugepages_try(span);
    return taken;
}

bool pm_spans_take_resident(struct pm_span *span, size_t slices, size_t align)
{
    return take_or_map(span, PM_SPAN_LARGE, (struct wanted){slices, align, PM_ARENA_RESIDENT});
}

bool pm_spans_take_resident_only(struct pm_span *span, size_t slices)
{
    span->kind = PM_SPAN_LARGE;
    pm_lock(&pm_arena_lock);
    bool taken = pm_arena_take_locked(span, slices, PM_SLICE, PM_ARENA_RESIDENT_ONLY);
    pm_unlock(&pm_arena_lock);
    return taken;
}

bool pm_spans_take_hole(struct pm_span *span, size_t slices, size_t align)
{
    size_t excess;
    span->kind = PM_SPAN_LARGE;
    if (align < pm_spans_unit())
        align = pm_spans_unit();
    bool taken = take(span, (struct wanted){slices, align, PM_ARENA_FIRST}, NULL, &excess);
    make_room(excess);
    return taken;
}

size_t pm_spans_take_alike(struct pm_span *const *spans, size_t count, size_t slices)
{
    size_t taken = 0;
    pm_lock(&pm_arena_lock);
    for (; taken < count; taken++) {
        spans[taken]->kind = PM_SPAN_LARGE;
        if (!pm_arena_take_locked(spans[taken], slices, PM_SLICE, PM_ARENA_FIRST))
            break;
    }
    size_t excess = taken != 0 ? pm_early_excess_locked(PM_EARLY_GROWTH) : 0;
    pm_unlock(&pm_arena_lock);
    make_room(excess);
    return taken;
}

static struct pm_arena *dedicated_arena(size_t bytes, size_t align, bool zero, uint64_t *clean)
{
    bool any_address = align <= pm_os_page_size();
    struct pm_arena *arena = any_address ? pm_kept_take(bytes, zero) : NULL;
    *clean = 0;
    if (arena != NULL)
        return arena;
    arena = pm_mapping_new_dedicated(bytes, align < PM_SLICE ? PM_SLICE : align);
    if (arena == NULL || !pm_provider_is_system(&arena->provider))
        return arena;
    *clean = PM_SPAN_CLEAN;
    arena->watched = zero;
    return arena;
}

static void occupy(struct pm_arena *arena, struct pm_span *span)
{
    insert(arena);
    span->start = arena->base;
    span->arena = arena;
    span->kind = PM_SPAN_LARGE;
    span->slices = (uint32_t)arena->slices;
}

bool pm_spans_take_dedicated(struct pm_span *span, size_t bytes, size_t align, bool zero)
{
    struct pm_arena *arena = dedicated_arena(bytes, align, zero, &span->clean);
    if (arena == NULL && pm_kept_release() != 0)
        arena = dedicated_arena(bytes, align, zero, &span->clean);
    if (arena == NULL)
        return false;
    occupy(arena, span);
    return true;
}

bool pm_spans_take_roomy(struct pm_span *span, size_t bytes)
{
    struct pm_arena *arena = pm_kept_take_roomy(bytes);
    if (arena == NULL)
        return false;
    span->clean = 0;
    occupy(arena, span);
    return true;
}

static void give_dedicated(struct pm_arena *arena)
{
    pm_purge_before_free();
    pm_kept_learn(arena);
    pm_lock(&pm_arena_lock);
    pm_kept_record_locked();
    pm_arena_remove_locked(arena);
    bool kept = pm_kept_put_locked(arena);
    pm_unlock(&pm_arena_lock);
    if (!kept)
        pm_mapping_delete(arena);
    pm_kept_trim();
}

static void give_pool(const struct pm_span *span)
{
    pm_purge_before_free();
    pm_lock(&pm_arena_lock);
    pm_arena_free_locked(span->arena, pm_arena_slice_of(span), span->slices, span->clean);
    size_t excess = pm_early_excess_locked(PM_EARLY_POOLS);
    pm_unlock(&pm_arena_lock);
    purge_early(PM_EARLY_POOLS, excess);
    pm_purge_after_free();
}

void pm_spans_give_all(struct pm_span *const *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pm_hugepages_renew(spans[i]);
    pm_purge_before_free();
    pm_lock(&pm_arena_lock);
    for (size_t i = 0; i < count; i++)
        pm_arena_free_locked(spans[i]->arena, pm_arena_slice_of(spans[i]), spans[i]->slices,
                             spans[i]->clean);
    pm_unlock(&pm_arena_lock);
    pm_purge_after_free();
}

void pm_spans_give(struct pm_span *span)
{
    pm_ownermap_set(span->start, span->kind == PM_SPAN_POOL ? span->slices : 1, NULL);
    if (span->arena->dedicated)
        give_dedicated(span->arena);
    else if (span->kind == PM_SPAN_LARGE)
        pm_spans_give_all(&span, 1);
    else
        give_pool(span);
}

bool pm_spans_extend(struct pm_span *span, size_t slices)
{
    if (span->arena->dedicated)
        return false;
    pm_lock(&pm_arena_lock);
    bool extended = pm_arena_extend_locked(span, slices);
    size_t excess = extended ? pm_early_excess_locked(PM_EARLY_GROWTH) : 0;
    pm_unlock(&pm_arena_lock);
    make_room(excess);
    return extended;
}

void pm_spans_cut(struct pm_span *span, size_t slices)
{
    struct pm_arena *arena = span->arena;
    if (arena->dedicated || slices >= span->slices)
        return;
    size_t first = pm_arena_slice_of(span) + slices;
    pm_purge_before_free();
    pm_lock(&pm_arena_lock);
    pm_arena_free_locked(arena, first, span->slices - slices, 0);
    span->slices = (uint32_t)slices;
    pm_unlock(&pm_arena_lock);
    pm_purge_after_free();
}

/* A dedicated arena follows its mapping; the books count what is in the list. */
static bool remap_dedicated(struct pm_span *span, size_t bytes)
{
    struct pm_arena *arena = span->arena;
    pm_lock(&pm_arena_lock);
    pm_arena_remove_locked(arena);
    pm_unlock(&pm_arena_lock);
    bool moved = pm_mapping_resize(arena, bytes) ||
                 (pm_kept_release() != 0 && pm_mapping_resize(arena, bytes));
    insert(arena);
    span->start = arena->base;
    span->slices = (uint32_t)arena->slices;
    return moved;
}

/* The pages leave; the slices stay behind, clean. */
static void leave_clean(struct pm_span *span)
{
    struct pm_arena *arena = span->arena;
    size_t first = pm_arena_slice_of(span);
    pm_hugepages_renew(span);
    pm_lock(&pm_arena_lock);
    pm_arena_free_locked(arena, first, span->slices, 0);
    pm_arena_clean_locked(arena, first, span->slices);
    pm_unlock(&pm_arena_lock);
}

bool pm_spans_remap(struct pm_span *span, size_t bytes)
{
    struct pm_arena *arena = span->arena;
    if (!pm_provider_is_system(&arena->provider))
        return false;
    pm_ownermap_set(span->start, 1, NULL);
    if (arena->dedicated)
        return remap_dedicated(span, bytes);
    struct pm_arena *own = pm_mapping_new_from(span, bytes);
    if (own == NULL && pm_kept_release() != 0)
        own = pm_mapping_new_from(span, bytes);
    if (own == NULL)
        return false;
    leave_clean(span);
    insert(own);
    span->start = own->base;
    span->arena = own;
    span->slices = (uint32_t)own->slices;
    return true;
}

/* Whoever walks along the owner map, which takes the lock, finds it in one place or the other. */
void pm_spans_move(struct pm_span *span, const struct pm_span *place)
{
    pm_lock(&pm_arena_lock);
    pm_ownermap_set(span->start, 1, NULL);
    *span = *place;
    pm_ownermap_set(span->start, 1, span);
    pm_unlock(&pm_arena_lock);
}

struct pm_span *pm_spans_next(const struct pm_arena *arena, size_t *slice)
{
    return pm_spans_next_before(arena, slice, arena->slices);
}

struct pm_span *pm_spans_next_before(const struct pm_arena *arena, size_t *slice, size_t end)
{
    while (*slice < end && *slice < arena->slices) {
        void *address = (void *)(arena->base + (*slice << PM_SLICE_SHIFT));
        struct pm_span *span = pm_ownermap_get(address);
        if (span != NULL && span->arena != arena)
            span = NULL; /* a dedicated arena's last slice may be the next one's first */
        *slice = span != NULL ? pm_arena_slice_after(span) : *slice + 1;
        if (span != NULL)
            return span;
    }
    return NULL;
}
