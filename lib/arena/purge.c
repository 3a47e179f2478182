/*
 * purge.c - see purge.h.
 */
#include "arena/purge.h"

#include <stdatomic.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/bitmap.h"
#include "arena/hugepages.h"
#include "arena/kept.h"
#include "arena/mapping.h"
#include "arena/meta.h"
#include "arena/provider.h"
#include "os/os.h"

/* Empty arenas kept mapped, though purged, so that a steady program does not remap them. */
#define EMPTY_KEEP (64 * PM_MIB)

struct pm_lock pm_purge_lock = PM_LOCK_INIT;

/* Relaxed throughout: a late or doubled purge is harmless. */
static _Atomic int64_t decay_ms = 1000;
static _Atomic uint64_t next_tick_ms, last_free_ms;
static _Atomic uint64_t total;
static atomic_bool suspended PM_READ_MOSTLY;

PM_AT_START void pm_purge_set_decay(int64_t milliseconds)
{
    atomic_store_explicit(&decay_ms, milliseconds, memory_order_relaxed);
}

int64_t pm_purge_decay(void)
{
    bool off = atomic_load_explicit(&suspended, memory_order_relaxed);
    return off ? -1 : atomic_load_explicit(&decay_ms, memory_order_relaxed);
}

void pm_purge_suspend(bool suspend)
{
    atomic_store_explicit(&suspended, suspend, memory_order_relaxed);
}

void pm_purge_count(size_t bytes)
{
    atomic_fetch_add_explicit(&total, bytes, memory_order_relaxed);
}

uint64_t pm_purge_total(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}

/* Runs that are purged in one call, and how long they may be but for the last: nobody can take them
 * meanwhile, and where they are all that is free a thread takes fresh memory. */
enum { RUNS = 32, TOGETHER = 256 * 1024 };

struct held {
    size_t count, bytes;
    struct pm_arena_run run[RUNS];
    struct pm_os_run pages[RUNS];
};

/* From page `*from` on, and moves that on; false when there are none. */
static bool hold_runs(struct held *held, struct pm_arena *arena, bool aged_only, size_t *from,
                      size_t wanted)
{
    size_t page = pm_os_page_size(), most = wanted < TOGETHER ? wanted : TOGETHER;
    for (held->count = held->bytes = 0; held->count < RUNS && held->bytes < most; held->count++) {
        struct pm_arena_run *run = &held->run[held->count];
        if (!pm_arena_lock_run(arena, aged_only, *from, run))
            break;
        void *start = (void *)(arena->base + run->first * page);
        held->pages[held->count] = (struct pm_os_run){start, run->pages * page};
        held->bytes += run->pages * page;
        *from = run->first + run->pages;
    }
    return held->count != 0;
}

/* Returns the bytes that are clean now. */
static size_t release_runs(const struct held *held, struct pm_arena *arena, uint64_t gone)
{
    size_t purged = 0;
    for (size_t i = 0; i < held->count; i++) {
        bool clean = (gone >> i & 1) != 0;
        pm_arena_unlock_run(arena, &held->run[i], clean);
        purged += clean ? held->pages[i].size : 0;
    }
    return purged;
}

/* Purges dirty (or only aged) runs from page `from` on, until `wanted` bytes are done; the lock is
 * released around each call. */
static size_t purge_runs(struct pm_arena *arena, bool aged_only, size_t from, size_t wanted)
{
    struct held held;
    size_t purged = 0;
    while (purged < wanted && hold_runs(&held, arena, aged_only, &from, wanted - purged)) {
        pm_unlock(&pm_arena_lock);
        uint64_t gone = pm_os_purge(held.pages, held.count);
        pm_lock(&pm_arena_lock);
        purged += release_runs(&held, arena, gone);
    }
    return purged;
}

/* The last pages, as single slices are taken from the lowest; where these are refused, any. */
static size_t purge_arena(struct pm_arena *arena, bool aged_only, size_t wanted)
{
    size_t pages = pm_arena_pages(arena->slices), enough = wanted / pm_os_page_size() + 1;
    size_t tail = pm_bitmap_tail(aged_only ? arena->aged : arena->dirty, pages, enough);
    size_t purged = 0;
    if (pm_hugepages_may_be(arena))
        purged = pm_hugepages_end_locked(arena);
    if (purged < wanted)
        purged += purge_runs(arena, aged_only, tail, wanted - purged);
    if (purged < wanted && tail != 0)
        purged += purge_runs(arena, aged_only, 0, wanted - purged);
    return purged;
}

static bool may_purge(const struct pm_arena *arena)
{
    return arena->dirty_count != 0 && pm_provider_is_system(&arena->provider);
}

static struct pm_arena *last_arena(void)
{
    struct pm_arena *arena = pm_arena_list;
    while (arena != NULL && arena->next != NULL)
        arena = arena->next;
    return arena;
}

/* From the last arena on: spans are taken from the first. */
static size_t purge_arenas(bool aged_only, size_t wanted)
{
    size_t purged = 0;
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = last_arena(); arena != NULL; arena = arena->prev) {
        if (may_purge(arena) && purged < wanted)
            purged += purge_arena(arena, aged_only, wanted - purged);
    }
    pm_unlock(&pm_arena_lock);
    pm_purge_count(purged);
    return purged;
}

/* What is dirty now is aged at the next tick. */
static void age_arenas(void)
{
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = pm_arena_list; arena != NULL; arena = arena->next) {
        if (may_purge(arena))
            memcpy(arena->aged, arena->dirty,
                   PM_BITMAP_WORDS(pm_arena_pages(arena->slices)) * sizeof *arena->aged);
    }
    pm_unlock(&pm_arena_lock);
}

static size_t purge_metadata(bool rested_only)
{
    size_t purged = pm_meta_purge(rested_only);
    pm_purge_count(purged);
    return purged;
}

bool pm_purge_some(size_t bytes, size_t *purged)
{
    *purged = 0;
    if (pm_purge_decay() < 0)
        return true;
    if (!pm_trylock(&pm_purge_lock))
        return false;
    *purged = purge_arenas(true, bytes);
    if (*purged < bytes)
        *purged += purge_arenas(false, bytes - *purged);
    pm_unlock(&pm_purge_lock);
    return true;
}

size_t pm_purge_empty_arenas(size_t keep)
{
    if (pm_provider_am_inside()) /* its functions only lead to each other by what they free */
        return 0;
    size_t released = keep == 0 ? pm_kept_release() : 0;
    for (;;) {
        pm_lock(&pm_arena_lock);
        struct pm_arena *arena = pm_arena_unlink_empty_locked(keep);
        pm_unlock(&pm_arena_lock);
        if (arena == NULL)
            return released;
        released += pm_arena_mapped(arena);
        pm_mapping_delete(arena);
    }
}

size_t pm_purge_address_space(void)
{
    if (pm_provider_am_inside())
        return 0;
    pm_lock(&pm_purge_lock); /* who purges may just now have all metadata that is free */
    pm_unlock(&pm_purge_lock);
    size_t released = pm_purge_empty_arenas(0);
    pm_lock(&pm_arena_lock);
    for (struct pm_arena *arena = pm_arena_list; arena != NULL && !arena->dedicated;
         arena = arena->next)
        released += pm_mapping_unmap_free_locked(arena);
    pm_unlock(&pm_arena_lock);
    return released;
}

size_t pm_purge_all(void)
{
    pm_lock(&pm_purge_lock);
    size_t purged = purge_arenas(false, SIZE_MAX) + pm_kept_release();
    pm_unlock(&pm_purge_lock);
    pm_purge_empty_arenas(0);
    pm_lock(&pm_purge_lock);
    purged += purge_metadata(false); /* what described those, too */
    pm_unlock(&pm_purge_lock);
    return purged;
}

/* The decay time has gone by since the last time. */
static PM_NOINLINE void purge_due(uint64_t now, uint64_t decay)
{
    uint64_t last = atomic_load_explicit(&last_free_ms, memory_order_relaxed);
    if (pm_trylock(&pm_purge_lock)) {
        bool aged_only = now < last + decay;
        purge_arenas(aged_only, SIZE_MAX);
        pm_kept_tick(!aged_only);
        age_arenas();
        purge_metadata(aged_only);
        pm_unlock(&pm_purge_lock);
    }
    pm_purge_empty_arenas(EMPTY_KEEP);
}

void pm_purge_tick(uint64_t now)
{
    int64_t decay = atomic_load_explicit(&decay_ms, memory_order_relaxed);
    if (decay <= 0 || atomic_load_explicit(&suspended, memory_order_relaxed))
        return;
    uint64_t due = atomic_load_explicit(&next_tick_ms, memory_order_relaxed);
    if (now < due ||
        !atomic_compare_exchange_strong_explicit(&next_tick_ms, &due, now + (uint64_t)decay,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    purge_due(now, (uint64_t)decay);
}

void pm_purge_before_free(void)
{
    uint64_t now = pm_os_clock_ms();
    pm_purge_tick(now);
    atomic_store_explicit(&last_free_ms, now, memory_order_relaxed);
}

void pm_purge_after_free(void)
{
    if (PM_UNLIKELY(atomic_load_explicit(&decay_ms, memory_order_relaxed) == 0) &&
        !atomic_load_explicit(&suspended, memory_order_relaxed))
        pm_purge_all();
}
