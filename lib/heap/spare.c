/*
 * spare.c - see spare.h.
 */
#include "heap/spare.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/alone.h"
#include "os/fatal.h"
#include "os/os.h"
#include "os/tls.h"

enum {
    KEPT_MIN = 8,     /* slices that a heap may keep whatever the process uses, */
    KEPT_SHARE = 3,   /* what all heaps may keep of it, */
    KEPT_MAX = 256,   /* and one at most, where so many blocks were sought of late, */
    HANDED_ON = 32,   /* or so many, where as many blocks came back */
    FETCHED = 4,      /* blocks under one lock, */
    FETCH_AFTER = 32, /* where so many were sought in vain */
    ONE_WAY = 4,      /* times as many blocks are taken as freed, or freed as taken */
    ENOUGH = 4,       /* times what is wanted lies free elsewhere: a place will be found */
};

bool pm_spare_may_be(size_t slices)
{
    return slices <= PM_SPARE_LENGTHS && pm_purge_decay() != 0;
}

size_t pm_spare_share(void)
{
    size_t share = pm_arena_used() / KEPT_SHARE >> PM_SLICE_SHIFT, heaps = pm_registry_count();
    if (heaps > 1)
        share /= heaps;
    return share < KEPT_MAX - KEPT_MIN ? share : KEPT_MAX - KEPT_MIN;
}

/* It seeks little in vain of what it frees, or nothing: others take it. */
static bool frees_for_others(const struct pm_heap *heap)
{
    return heap->spare_freed / ONE_WAY > heap->spare_missed;
}

static bool takes_from_others(const struct pm_heap *heap)
{
    return heap->spare_missed / ONE_WAY > heap->spare_freed;
}

/* A thread that falls asleep keeps what it has for a while: so only who asks for many such blocks
 * has many, and who hands them on some, for a lock that is worth it. */
static size_t room_now(const struct pm_heap *heap)
{
    size_t room = pm_spare_share(), most = heap->spare_missed;
    size_t handed_on = heap->spare_freed < HANDED_ON ? heap->spare_freed : HANDED_ON;
    if (most < handed_on && pm_registry_count() > 1)
        most = handed_on;
    return KEPT_MIN + (room < most ? room : most);
}

/* What was true the last time will do until the heap next ages. */
PM_INLINE bool has_room(struct pm_heap *heap, size_t slices)
{
    size_t wanted = heap->spare.slices + slices;
    if (PM_UNLIKELY(wanted > heap->spare_room))
        heap->spare_room = room_now(heap);
    return wanted <= heap->spare_room;
}

static void give_back(struct pm_heap *heap, size_t slices)
{
    struct pm_span *spans[PM_SPARE_GIVEN];
    while (heap->spare.list[slices] != NULL) {
        size_t count = 0;
        while (heap->spare.list[slices] != NULL && count < PM_SPARE_GIVEN)
            spans[count++] = &pm_spare_lists_pop(&heap->spare, slices)->span;
        pm_spare_lists_give(spans, count);
    }
}

/* So many slices at least, if there are as many.  The longest go: where one of them was there may
 * be room for what they make way for. */
static void give_back_longest(struct pm_heap *heap, size_t least)
{
    struct pm_span *spans[PM_SPARE_GIVEN];
    for (size_t count, given = 0; given < least && heap->spare.lengths != 0;) {
        given += pm_spare_lists_pop_longest(&heap->spare, spans, &count, least - given);
        pm_spare_lists_give(spans, count);
    }
}

/* There is no room for it: other threads may have those of its length, of which there are enough,
 * or all that there are if this one mostly frees; what they have no use for goes back. */
static PM_NOINLINE bool keep_after_others(struct pm_heap *heap, struct pm_large *large)
{
    size_t slices = large->span.slices;
    pm_transfer_put(&heap->spare, frees_for_others(heap) ? heap->spare.lengths : 1u << slices);
    if (!has_room(heap, slices))
        give_back(heap, slices);
    if (!has_room(heap, slices))
        return pm_transfer_put_one(large);
    pm_spare_lists_push(&heap->spare, large);
    return true;
}

bool pm_spare_keep(struct pm_large *large)
{
    if (!pm_spare_may_be(large->span.slices) || large->span.arena->dedicated)
        return false;
    struct pm_heap *heap = pm_tls_heap == &pm_heap_none ? pm_thread_begin() : pm_tls_heap;
    if (PM_UNLIKELY(heap == NULL) || PM_UNLIKELY(heap == &pm_heap_ended))
        return false;
    bool before = pm_spare_enter(heap), kept = true;
    heap->spare_freed++;
    if (PM_UNLIKELY(!has_room(heap, large->span.slices)))
        kept = keep_after_others(heap, large);
    else
        pm_spare_lists_push(&heap->spare, large);
    pm_spare_leave(heap, before);
    return kept;
}

/* Goes by the lists alone: the rest may be wrong, see pm_spare_inherit(). */
void pm_spare_flush(struct pm_heap *heap)
{
    bool before = pm_spare_enter(heap);
    for (size_t slices = 1; slices <= PM_SPARE_LENGTHS; slices++)
        give_back(heap, slices);
    heap->spare_missed = 0;
    heap->spare_freed = 0;
    heap->spare_room = 0;
    pm_spare_leave(heap, before);
}

void pm_spare_begin_visit(struct pm_heap *heap)
{
    atomic_store_explicit(&heap->spare_visited, true, memory_order_relaxed);
}

struct pm_large *pm_spare_visit(struct pm_heap *heap, struct pm_large *taken)
{
    /* acquire pairs with the release in pm_spare_leave() */
    if (atomic_load_explicit(&heap->spare_busy, memory_order_acquire))
        return taken;
    while (heap->spare.lengths != 0) {
        struct pm_large *large =
            pm_spare_lists_pop(&heap->spare, pm_spare_lists_longest(&heap->spare));
        large->next = taken;
        taken = large;
    }
    heap->spare_room = 0;
    return taken;
}

void pm_spare_end_visit(struct pm_heap *heap)
{
    /* release pairs with the acquire in pm_spare_enter() */
    atomic_store_explicit(&heap->spare_visited, false, memory_order_release);
}

struct pm_large *pm_spare_split(struct pm_large **taken)
{
    struct pm_large *some = *taken, **end = taken;
    for (size_t count = 0; *end != NULL && count < PM_SPARE_GIVEN; count++)
        end = &(*end)->next;
    *taken = *end;
    *end = NULL;
    return some;
}

void pm_spare_give(struct pm_large *taken)
{
    while (taken != NULL) {
        struct pm_span *spans[PM_SPARE_GIVEN];
        size_t count = 0;
        for (; taken != NULL && count < PM_SPARE_GIVEN; taken = taken->next)
            spans[count++] = &taken->span;
        pm_spare_lists_give(spans, count);
    }
}

void pm_spare_inherit(struct pm_heap *heap)
{
    atomic_store_explicit(&heap->spare_busy, false, memory_order_relaxed);
    pm_spare_flush(heap);
    heap->spare.slices = 0;
    heap->spare.lengths = 0;
}

size_t pm_spare_excess(size_t slices)
{
    size_t bytes = slices << PM_SLICE_SHIFT;
    size_t used = pm_arena_used() + bytes, peak = pm_arena_peak_used();
    if (pm_arena_dirty() < ENOUGH * bytes)
        return SIZE_MAX;
    return used > peak ? pm_div_up(used - peak, PM_SLICE) : 0;
}

/* Nobody's go first. */
static void make_room(struct pm_heap *heap, size_t slices)
{
    pm_transfer_make_room(slices);
    if (heap->spare.slices != 0)
        give_back_longest(heap, pm_spare_excess(slices));
}

void pm_spare_make_room(struct pm_heap *heap, size_t slices)
{
    bool before = pm_spare_enter(heap);
    make_room(heap, slices);
    pm_spare_leave(heap, before);
}

/* Where a length is sought in vain time and again, as others free what this thread takes, some
 * blocks come at once. */
static size_t at_once(struct pm_heap *heap, size_t slices)
{
    bool some = heap->spare_missed >= FETCH_AFTER && takes_from_others(heap) &&
                has_room(heap, FETCHED * slices);
    return some ? FETCHED : 1;
}

static bool fetch(struct pm_heap *heap, size_t slices)
{
    struct pm_span *spans[FETCHED];
    size_t count = 0, taken;
    for (struct pm_large *large; count < FETCHED && (large = pm_large_new()) != NULL; count++)
        spans[count] = &large->span;
    taken = pm_spans_take_alike(spans, count, slices);
    for (size_t i = 0; i < taken; i++) {
        pm_large_enter(pm_large_of_span(spans[i]));
        pm_spare_lists_push(&heap->spare, pm_large_of_span(spans[i]));
    }
    for (size_t i = taken; i < count; i++)
        pm_large_forget(pm_large_of_span(spans[i]));
    return taken != 0;
}

/* (In a process with one thread there is no lock to save.) */
static bool seek(struct pm_heap *heap, size_t slices)
{
    size_t most = pm_alone() || !pm_spare_may_be(slices) ? 1 : at_once(heap, slices);
    heap->spare_missed += slices <= PM_SPARE_LENGTHS;
    if (pm_transfer_take(&heap->spare, slices, most) != 0)
        return true;
    make_room(heap, slices);
    return most > 1 && fetch(heap, slices);
}

/* A thread that takes such blocks, and nothing else, looks at the clock here: so what it has
 * fetched goes in time, and who visits threads that sleep knows it. */
struct pm_large *pm_spare_seek(struct pm_heap *heap, size_t slices)
{
    if (heap->spare_missed % FETCH_AFTER == FETCH_AFTER - 1)
        pm_heap_look(heap);
    bool before = pm_spare_enter(heap);
    bool found = seek(heap, slices);
    pm_spare_leave(heap, before);
    return found ? pm_spare_take(heap, slices) : NULL;
}

void pm_spare_check(struct pm_heap *heap)
{
    bool before = pm_spare_enter(heap);
    pm_spare_lists_check(&heap->spare);
    pm_spare_leave(heap, before);
}
