/*
 * spare.c - see spare.h.  A list is changed by one store, as another thread may fork at any moment:
 * what the child finds on it is spare, and what is on its way from or to a list is lost to it.
 */
#include "heap/spare.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/background.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "os/alone.h"
#include "os/fatal.h"
#include "os/tls.h"

enum {
    KEPT_MIN = 8,     /* slices that a heap may keep whatever the process uses, */
    KEPT_SHARE = 4,   /* what all heaps may keep of it, */
    KEPT_MAX = 256,   /* and one at most, where so many blocks were sought of late */
    GIVEN = 8,        /* back at a time */
    FETCHED = 4,      /* blocks under one lock, */
    FETCH_AFTER = 32, /* where so many were sought in vain */
    ENOUGH = 4,       /* times what is wanted lies free elsewhere: a place will be found */
    SLACK = 4,        /* a block may be longer than it need be, by a quarter */
};

static bool may_be_spare(size_t slices)
{
    return slices <= PM_SPARE_LENGTHS && pm_purge_decay() != 0 && !pm_background_is_wanted();
}

/* A thread that sleeps keeps what it has: so only who asks for many such blocks has many, and all
 * together no more than a share of what the process uses. */
static bool has_room(const struct pm_heap *heap, size_t slices)
{
    size_t wanted = heap->spare_slices + slices, heaps = pm_registry_count();
    if (wanted <= KEPT_MIN)
        return true;
    size_t share = pm_arena_used() / KEPT_SHARE >> PM_SLICE_SHIFT;
    return wanted - KEPT_MIN <= heap->spare_missed && wanted <= KEPT_MAX &&
           (wanted - KEPT_MIN) * heaps <= share;
}

static struct pm_large **list_of(struct pm_heap *heap, size_t slices)
{
    return &heap->spare[slices - 1];
}

static void push(struct pm_heap *heap, struct pm_large *large)
{
    struct pm_large **list = list_of(heap, large->span.slices);
    large->next = *list;
    /* release pairs with the forking thread's look at all memory: the list goes on behind it */
    atomic_thread_fence(memory_order_release);
    *list = large;
    heap->spare_slices += large->span.slices;
}

static struct pm_large *pop(struct pm_heap *heap, struct pm_large **list)
{
    struct pm_large *large = *list;
    if (large != NULL) {
        *list = large->next;
        heap->spare_slices -= large->span.slices;
    }
    return large;
}

/* Some at a time: each time takes a lock. */
static void give_back(struct pm_heap *heap, struct pm_large **list)
{
    struct pm_span *spans[GIVEN];
    while (*list != NULL) {
        size_t count = 0;
        while (*list != NULL && count < GIVEN)
            spans[count++] = &pop(heap, list)->span;
        pm_spans_give_all(spans, count);
        for (size_t i = 0; i < count; i++)
            pm_large_forget(pm_large_of_span(spans[i]));
    }
}

static bool keep(struct pm_heap *heap, struct pm_large *large)
{
    size_t slices = large->span.slices;
    struct pm_large **list = list_of(heap, slices);
    if (!has_room(heap, slices)) {
        give_back(heap, list); /* of this length there are enough */
        if (!has_room(heap, slices))
            return false;
    }
    push(heap, large);
    return true;
}

bool pm_spare_keep(struct pm_large *large)
{
    if (!may_be_spare(large->span.slices) || large->span.arena->dedicated)
        return false;
    struct pm_heap *heap = pm_tls_heap == &pm_heap_none ? pm_thread_begin() : pm_tls_heap;
    return heap != NULL && heap != &pm_heap_ended && keep(heap, large);
}

static void flush(struct pm_heap *heap)
{
    for (size_t slices = 1; slices <= PM_SPARE_LENGTHS; slices++)
        give_back(heap, list_of(heap, slices));
}

void pm_spare_flush(struct pm_heap *heap)
{
    flush(heap);
    heap->spare_missed = 0;
}

void pm_spare_inherit(struct pm_heap *heap)
{
    pm_spare_flush(heap);
    heap->spare_slices = 0;
}

void pm_spare_make_room(struct pm_heap *heap, size_t slices)
{
    if (heap->spare_slices == 0)
        return;
    size_t bytes = slices << PM_SLICE_SHIFT;
    if (pm_arena_dirty() < ENOUGH * bytes || pm_arena_used() + bytes > pm_arena_peak_used())
        flush(heap);
}

/* (In a process with one thread there is no lock to save.) */
static bool may_fetch(const struct pm_heap *heap, size_t slices)
{
    return !pm_alone() && heap->spare_missed >= FETCH_AFTER && has_room(heap, FETCHED * slices) &&
           may_be_spare(slices);
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
    for (size_t i = 0; i < taken; i++)
        push(heap, pm_large_of_span(spans[i]));
    for (size_t i = taken; i < count; i++)
        pm_large_forget(pm_large_of_span(spans[i]));
}

/* The shortest that will do.  A longer one is resident as it is. */
static struct pm_large *pop_fitting(struct pm_heap *heap, size_t slices)
{
    struct pm_large *large = NULL;
    size_t longest = slices + slices / SLACK;
    if (longest > PM_SPARE_LENGTHS)
        longest = PM_SPARE_LENGTHS;
    for (size_t length = slices; large == NULL && length <= longest; length++)
        large = pop(heap, list_of(heap, length));
    return large;
}

struct pm_large *pm_spare_take(struct pm_heap *heap, size_t slices)
{
    struct pm_large *large = NULL;
    if (slices <= PM_SPARE_LENGTHS) {
        large = pop_fitting(heap, slices);
        heap->spare_missed += large == NULL;
    }
    if (large != NULL)
        return large;
    pm_spare_make_room(heap, slices);
    if (!may_fetch(heap, slices))
        return NULL;
    fetch(heap, slices);
    return pop(heap, list_of(heap, slices));
}

void pm_spare_check(const struct pm_heap *heap)
{
    size_t counted = 0;
    for (size_t i = 0; i < PM_SPARE_LENGTHS; i++) {
        for (struct pm_large *large = heap->spare[i]; large != NULL; large = large->next) {
            counted += large->span.slices;
            if (large->span.slices != i + 1)
                pm_fatal_broken("a spare block is as long as its list says", large);
            if (pm_ownermap_get((void *)large->span.start) == &large->span)
                pm_fatal_broken("a spare block is in no owner map", large);
        }
    }
    if (counted != heap->spare_slices)
        pm_fatal_broken("as many slices are spare as are counted", heap);
}
