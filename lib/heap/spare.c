/*
 * spare.c - see spare.h.  A list is changed by one store, as another thread may fork at any moment:
 * what the child finds on it is spare, and what is on its way from or to a list is lost to it.
 */
#include "heap/spare.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "os/alone.h"
#include "os/fatal.h"
#include "os/os.h"
#include "os/tls.h"

enum {
    KEPT_MIN = 8,     /* slices that a heap may keep whatever the process uses, */
    KEPT_SHARE = 3,   /* what all heaps may keep of it, */
    KEPT_MAX = 256,   /* and one at most, where so many blocks were sought of late */
    GIVEN = 8,        /* back at a time */
    FETCHED = 4,      /* blocks under one lock, */
    FETCH_AFTER = 32, /* where so many were sought in vain, */
    FETCH_FREED = 4,  /* and this many times as many as it has freed */
    ENOUGH = 4,       /* times what is wanted lies free elsewhere: a place will be found */
};

_Static_assert(PM_SPARE_LENGTHS < 32, "each length has a bit in spare_lengths");

bool pm_spare_may_be(size_t slices)
{
    return slices <= PM_SPARE_LENGTHS && pm_purge_decay() != 0;
}

/* A thread that falls asleep keeps what it has for a while: so only who asks for many such blocks
 * has many, and all together no more than a share of what the process uses. */
static size_t room_now(const struct pm_heap *heap)
{
    size_t share = pm_arena_used() / KEPT_SHARE >> PM_SLICE_SHIFT, heaps = pm_registry_count();
    size_t room = heaps > 1 ? share / heaps : share;
    if (room > heap->spare_missed)
        room = heap->spare_missed;
    return KEPT_MIN + room < KEPT_MAX ? KEPT_MIN + room : KEPT_MAX;
}

/* What was true the last time will do until the heap next ages. */
PM_INLINE bool has_room(struct pm_heap *heap, size_t slices)
{
    size_t wanted = heap->spare_slices + slices;
    if (PM_UNLIKELY(wanted > heap->spare_room))
        heap->spare_room = room_now(heap);
    return wanted <= heap->spare_room;
}

PM_INLINE void push(struct pm_heap *heap, struct pm_large *large)
{
    struct pm_large **list = &heap->spare[large->span.slices];
    large->next = *list;
    /* release pairs with the forking thread's look at all memory: the list goes on behind it */
    atomic_thread_fence(memory_order_release);
    *list = large;
    heap->spare_lengths |= 1u << large->span.slices;
    heap->spare_slices += large->span.slices;
}

/* Some at a time: each time takes a lock. */
static void give(struct pm_span *const *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pm_large_leave(pm_large_of_span(spans[i]));
    pm_spans_give_all(spans, count);
    for (size_t i = 0; i < count; i++)
        pm_large_forget(pm_large_of_span(spans[i]));
}

static void give_back(struct pm_heap *heap, size_t slices)
{
    struct pm_span *spans[GIVEN];
    while (heap->spare[slices] != NULL) {
        size_t count = 0;
        while (heap->spare[slices] != NULL && count < GIVEN)
            spans[count++] = &pm_spare_pop(heap, slices)->span;
        give(spans, count);
    }
}

/* So many slices at least, if there are as many.  The longest go: where one of them was there may
 * be room for what they make way for. */
static void give_back_longest(struct pm_heap *heap, size_t least)
{
    struct pm_span *spans[GIVEN];
    for (size_t given = 0; given < least && heap->spare_lengths != 0;) {
        size_t count = 0;
        while (given < least && heap->spare_lengths != 0 && count < GIVEN) {
            size_t longest = 31 - (size_t)__builtin_clz(heap->spare_lengths);
            spans[count++] = &pm_spare_pop(heap, longest)->span;
            given += longest;
        }
        give(spans, count);
    }
}

/* No room for it: of its length there are enough. */
static PM_NOINLINE bool keep_after_others(struct pm_heap *heap, struct pm_large *large)
{
    give_back(heap, large->span.slices);
    if (!has_room(heap, large->span.slices))
        return false;
    push(heap, large);
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
        push(heap, large);
    pm_spare_leave(heap, before);
    return kept;
}

static void give_back_all(struct pm_heap *heap)
{
    for (size_t slices = 1; slices <= PM_SPARE_LENGTHS; slices++)
        give_back(heap, slices);
}

void pm_spare_flush(struct pm_heap *heap)
{
    bool before = pm_spare_enter(heap);
    give_back_all(heap);
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
    while (heap->spare_lengths != 0) {
        struct pm_large *large = pm_spare_pop(heap, (size_t)__builtin_ctz(heap->spare_lengths));
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
    for (int count = 0; *end != NULL && count < GIVEN; count++)
        end = &(*end)->next;
    *taken = *end;
    *end = NULL;
    return some;
}

void pm_spare_give(struct pm_large *taken)
{
    while (taken != NULL) {
        struct pm_span *spans[GIVEN];
        size_t count = 0;
        for (; taken != NULL && count < GIVEN; taken = taken->next)
            spans[count++] = &taken->span;
        give(spans, count);
    }
}

void pm_spare_inherit(struct pm_heap *heap)
{
    atomic_store_explicit(&heap->spare_busy, false, memory_order_relaxed);
    pm_spare_flush(heap);
    heap->spare_slices = 0;
    heap->spare_lengths = 0;
}

static void make_room(struct pm_heap *heap, size_t slices)
{
    if (heap->spare_slices == 0)
        return;
    size_t bytes = slices << PM_SLICE_SHIFT;
    size_t used = pm_arena_used() + bytes, peak = pm_arena_peak_used();
    if (pm_arena_dirty() < ENOUGH * bytes)
        give_back_all(heap);
    else if (used > peak)
        give_back_longest(heap, pm_div_up(used - peak, PM_SLICE));
}

void pm_spare_make_room(struct pm_heap *heap, size_t slices)
{
    bool before = pm_spare_enter(heap);
    make_room(heap, slices);
    pm_spare_leave(heap, before);
}

/* (In a process with one thread there is no lock to save.) */
static bool may_fetch(struct pm_heap *heap, size_t slices)
{
    bool others_free =
        heap->spare_missed >= FETCH_AFTER && heap->spare_missed / FETCH_FREED > heap->spare_freed;
    return !pm_alone() && others_free && pm_spare_may_be(slices) &&
           has_room(heap, FETCHED * slices);
}

/* Where a length is sought in vain time and again, as when others free what this thread takes, some
 * blocks come from the arenas at once. */
static void fetch(struct pm_heap *heap, size_t slices)
{
    struct pm_span *spans[FETCHED];
    size_t count = 0, taken;
    for (struct pm_large *large; count < FETCHED && (large = pm_large_new()) != NULL; count++)
        spans[count] = &large->span;
    taken = pm_spans_take_alike(spans, count, slices);
    for (size_t i = 0; i < taken; i++) {
        pm_large_enter(pm_large_of_span(spans[i]));
        push(heap, pm_large_of_span(spans[i]));
    }
    for (size_t i = taken; i < count; i++)
        pm_large_forget(pm_large_of_span(spans[i]));
}

/* A thread that takes such blocks, and nothing else, looks at the clock here: so what it has
 * fetched goes in time, and who visits threads that sleep knows it. */
struct pm_large *pm_spare_seek(struct pm_heap *heap, size_t slices)
{
    if (heap->spare_missed % FETCH_AFTER == FETCH_AFTER - 1)
        pm_heap_look(heap);
    bool before = pm_spare_enter(heap), fetches;
    heap->spare_missed += slices <= PM_SPARE_LENGTHS;
    make_room(heap, slices);
    fetches = may_fetch(heap, slices);
    if (fetches)
        fetch(heap, slices);
    pm_spare_leave(heap, before);
    return fetches ? pm_spare_take(heap, slices) : NULL;
}

void pm_spare_check(struct pm_heap *heap)
{
    bool before = pm_spare_enter(heap);
    size_t counted = 0;
    for (size_t slices = 0; slices <= PM_SPARE_LENGTHS; slices++) {
        if ((heap->spare[slices] != NULL) != (heap->spare_lengths >> slices & 1))
            pm_fatal_broken("the lengths of spare blocks are known", heap);
        for (struct pm_large *large = heap->spare[slices]; large != NULL; large = large->next) {
            counted += large->span.slices;
            if (large->span.slices != slices)
                pm_fatal_broken("a spare block is as long as its list says", large);
            if (!pm_large_is_spare(large))
                pm_fatal_broken("a spare block is free", large);
        }
    }
    if (counted != heap->spare_slices)
        pm_fatal_broken("as many slices are spare as are counted", heap);
    pm_spare_leave(heap, before);
}
