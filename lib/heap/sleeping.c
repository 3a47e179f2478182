/*
 * sleeping.c - see sleeping.h.
 *
 * A heap's lists of pools are its owner's, so pools are found in the arenas.  One walk along all
 * arenas is a round, which begins with the spare blocks of all heaps that sleep; each call goes a
 * part of the way.
 */
#include "heap/sleeping.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/registry.h"
#include "heap/spare.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/alone.h"
#include "os/os.h"
#include "os/tls.h"
#include "pool/pool_purge.h"
#include "pool/visit.h"

enum {
    SLEEPS_AFTER = 2,    /* decay times */
    STEPS = 64,          /* of a decay time, at least: each takes a small part of a millisecond, */
    VISITED_LEAST = 256, /* but all together visit so many pools, and */
    VISITED_SHARE = 4,   /* a share of all there may be; */
    SLICES_SHARE = 2,    /* a larger one of all slices is looked at, */
    SLICES_LOCKED = 512, /* so many at a time, as that takes the arenas' lock */
    STEPS_MADE_UP = 4,   /* that are made at once, if nobody called at the time, */
    VISITED_MOST = 1024, /* with no more pools than these: some milliseconds; */
    GIVEN_AT_ONCE = 16,  /* times that spare blocks are given back */
};

/* When the last step was made.  Relaxed: whoever makes the next one changes it first. */
static _Atomic uint64_t step_ms;

/* Under pm_visit_lock. */
static uint64_t round_due_ms;   /* the next one, not before */
static uintptr_t next_start;    /* where the round goes on; 0: there is none */
static bool begins_anew;        /* as the arena had gone where it was to go on */
static struct pm_large *spares; /* taken from sleeping heaps, and not given back yet */

/* Has the heap's thread not looked at the clock for long, and was it not visited since, or long
 * ago? (One that never did has not made enough calls for that.) */
static bool is_due(const struct pm_heap *heap, uint64_t now, uint64_t decay)
{
    uint64_t look = pm_heap_look_ms(heap);
    bool sleeps = heap->in_use && look != 0 && now >= look + SLEEPS_AFTER * decay;
    return sleeps && (look != heap->visit_look_ms || now >= heap->visit_due_ms);
}

/* Those that are due now will be visited; false if none is. */
static bool begin_round(uint64_t now, uint64_t decay)
{
    bool any = false;
    pm_lock(&pm_registry_lock);
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        heap->is_visited = is_due(heap, now, decay);
        if (!heap->is_visited)
            continue;
        heap->visit_look_ms = pm_heap_look_ms(heap);
        heap->visit_due_ms = now + (now - heap->visit_look_ms);
        any = true;
    }
    pm_unlock(&pm_registry_lock);
    return any;
}

/* It belongs to one of them, which sleeps still. */
static bool is_wanted(const struct pm_span *span)
{
    if (span->kind != PM_SPAN_POOL)
        return false;
    const struct pm_heap *heap = pm_pool_owner(pm_pool_of_span((struct pm_span *)span));
    return heap != NULL && heap->is_visited && pm_heap_look_ms(heap) == heap->visit_look_ms;
}

static struct pm_arena *if_shared(struct pm_arena *arena)
{
    return arena != NULL && !arena->dedicated ? arena : NULL;
}

/* Where the round goes on: `*slice` of an arena.  If that has gone, it is at the beginning, once.
 */
static struct pm_arena *next_place(size_t *slice)
{
    struct pm_arena *arena = if_shared(pm_arena_list);
    while (arena != NULL && next_start - arena->base >= arena->slices << PM_SLICE_SHIFT)
        arena = if_shared(arena->next);
    *slice = arena != NULL ? (next_start - arena->base) >> PM_SLICE_SHIFT : 0;
    if (arena != NULL || begins_anew)
        return arena;
    begins_anew = true;
    return if_shared(pm_arena_list);
}

/* A part of a round. */
struct part {
    struct pm_pool *pools[PM_VISIT_MAX];
    size_t count;  /* of these */
    size_t slices; /* looked at so far */
};

/* From one slice of an arena on; true at its end. */
static bool look_along(struct part *part, struct pm_arena *arena, size_t slice)
{
    size_t first = slice, end = slice + SLICES_LOCKED;
    struct pm_span *span = NULL;
    while (part->count < PM_VISIT_MAX &&
           (span = pm_spans_next_before(arena, &slice, end)) != NULL) {
        if (is_wanted(span))
            part->pools[part->count++] = pm_pool_of_span(span);
    }
    part->slices += slice - first;
    next_start = arena->base + (slice << PM_SLICE_SHIFT);
    return slice >= arena->slices;
}

/* Where an arena ends the next one begins, and with the last the round ends. */
static void look_on(struct part *part)
{
    size_t slice;
    struct pm_arena *arena = next_place(&slice);
    if (arena != NULL && !look_along(part, arena, slice))
        return;
    if (arena != NULL)
        arena = if_shared(arena->next);
    next_start = arena != NULL ? arena->base : 0;
}

static size_t visit_some(struct part *part)
{
    part->count = 0;
    pm_lock(&pm_arena_lock);
    look_on(part);
    size_t visited = part->count != 0 ? pm_visit_begin(part->pools, part->count) : 0;
    pm_unlock(&pm_arena_lock);
    size_t bytes = pm_pool_purge_visited(part->pools, visited);
    if (part->count != 0)
        pm_visit_end();
    return bytes;
}

/* What is to be done in the time since the last step: a share of what there is in a decay time. */
static size_t share(size_t of, size_t since, size_t decay)
{
    return of * since / decay + PM_VISIT_MAX;
}

/* So much at most. */
struct work {
    size_t pools, slices;
};

static struct work work_for(size_t since, size_t decay)
{
    struct pm_arena_totals totals = pm_arena_totals();
    size_t taken = totals.taken >> PM_SLICE_SHIFT, mapped = totals.mapped >> PM_SLICE_SHIFT;
    size_t pools = share(VISITED_LEAST + taken / VISITED_SHARE, since, decay);
    return (struct work){
        .pools = pools < VISITED_MOST ? pools : VISITED_MOST,
        .slices = share(mapped / SLICES_SHARE, since, decay) + SLICES_LOCKED,
    };
}

static size_t go_on(struct work most)
{
    size_t bytes = 0, visited = 0;
    struct part part = {.slices = 0};
    while (next_start != 0 && visited < most.pools && part.slices < most.slices &&
           !pm_visit_is_waited_for()) {
        bytes += visit_some(&part);
        visited += part.count;
    }
    return bytes;
}

typedef void each_heap(struct pm_heap *heap);

/* (A heap is never unmade.) */
static void for_each_visited(each_heap *act)
{
    pm_lock(&pm_registry_lock);
    struct pm_heap *heap = pm_registry_last_locked();
    pm_unlock(&pm_registry_lock);
    for (; heap != NULL; heap = heap->next) {
        if (heap->is_visited)
            act(heap);
    }
}

static void take_spares(struct pm_heap *heap)
{
    spares = pm_spare_visit(heap, spares);
}

/* Spare blocks need no search. */
static void begin(uint64_t now, uint64_t decay)
{
    round_due_ms = now + decay;
    begins_anew = false;
    if (!begin_round(now, decay))
        return;
    for_each_visited(pm_spare_begin_visit);
    bool is_done = pm_os_barrier();
    if (is_done)
        for_each_visited(take_spares);
    for_each_visited(pm_spare_end_visit);
    if (!is_done)
        return;
    pm_lock(&pm_arena_lock);
    struct pm_arena *first = if_shared(pm_arena_list);
    next_start = first != NULL ? first->base : 0;
    pm_unlock(&pm_arena_lock);
}

/* Some at a time: if another thread forks meanwhile, they are lost to the child. */
static bool give_some_spares(void)
{
    pm_lock(&pm_visit_lock);
    struct pm_large *some = pm_spare_split(&spares);
    pm_unlock(&pm_visit_lock);
    pm_spare_give(some);
    return some != NULL;
}

void pm_sleeping_inherit(void)
{
    struct pm_large *taken = spares;
    spares = NULL;
    pm_spare_give(taken);
}

/* A step is due; the milliseconds since the last one, as far as they are made up for, or 0: not
 * yet, or another thread makes it. */
static size_t begin_step(uint64_t now, uint64_t decay)
{
    uint64_t last = atomic_load_explicit(&step_ms, memory_order_relaxed), since = now - last;
    if (now <= last || since < decay / STEPS ||
        !atomic_compare_exchange_strong_explicit(&step_ms, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed))
        return 0;
    uint64_t most = decay * STEPS_MADE_UP / STEPS + 1;
    return since < most ? since : most;
}

/* Has anybody but the calling thread a heap? */
static bool others_have_heaps(void)
{
    return !pm_alone() && pm_registry_count() > (size_t)pm_thread_has_heap(pm_tls_heap);
}

size_t pm_sleeping_purge(uint64_t now, uint64_t decay, bool all)
{
    if (decay == 0)
        decay = 1;
    size_t since = begin_step(now, decay), bytes = 0;
    if (since == 0 || !pm_trylock(&pm_visit_lock))
        return 0;
    bool begins = next_start == 0 && now >= round_due_ms && others_have_heaps();
    if (begins)
        begin(now, decay);
    if (next_start != 0)
        bytes = go_on(all ? (struct work){SIZE_MAX, SIZE_MAX} : work_for(since, decay));
    pm_unlock(&pm_visit_lock);
    if (bytes != 0)
        pm_purge_count(bytes);
    if (begins)
        pm_transfer_give_back(SIZE_MAX);
    for (int given = 0; (all || given < GIVEN_AT_ONCE) && give_some_spares(); given++)
        continue;
    return bytes;
}
