/*
 * kept.c - see kept.h.
 */
#include "arena/kept.h"

#include "arena/mapping.h"
#include "arena/purge.h"
#include "os/os.h"

#define ALLOWED_MIN (2 * PM_DEDICATED_MIN)
#define KEPT_MIN PM_MIB /* blocks from here on grow in arenas of their own */
#define GROWTH_PARTS 4

enum { ZEROS_A_LOOK = 16, SAMPLES = 8 };

/* Under pm_arena_lock. */
static struct pm_arena *newest; /* linked by `next` to the one kept longest */
static size_t record;      /* the most bytes that were in use or dirty when a block was freed */
static size_t shared_then; /* bytes in use in shared arenas when something was last put or taken, */
static size_t shared_seen; /* or the last one of this decay time had to go */
static size_t lost;        /* bytes given back in this decay time for which there was room, */
static size_t missed;      /* and of such those that had to be mapped anew, as far as is known */
static bool sought;        /* in this decay time a block was to have what is kept */

/* So many blocks that are to be zero may have what is kept before one is watched.  Relaxed: it is
 * a guess what the next will do. */
static _Atomic unsigned zeros_left;

_Atomic size_t pm_kept_total;

static size_t at_most(size_t bytes, size_t most)
{
    return bytes < most ? bytes : most;
}

static void count(size_t bytes)
{
    atomic_store_explicit(&pm_kept_total, pm_kept_bytes() + bytes, memory_order_relaxed);
}

/* What is taken counts as used, touched or not: the process's own peak says what was touched at
 * most. */
void pm_kept_record_locked(void)
{
    size_t now = pm_arena_used() + pm_arena_dirty();
    if (record >= now)
        return;
    size_t peak = pm_os_memory.peak();
    if (record < peak)
        record = at_most(now, peak);
}

/* From the block's start on. */
static size_t size_of(const struct pm_arena *arena)
{
    return arena->map_start + arena->map_size - arena->base;
}

/* A page that was never touched costs who reads it a page fault. */
static bool is_filled(const struct pm_arena *arena)
{
    size_t part = size_of(arena) / SAMPLES, before = pm_os_memory.faults();
    for (size_t i = 0; i < SAMPLES; i++) {
        (void)*(const volatile char *)(arena->base + i * part + part / 2);
        if (pm_os_memory.faults() - before > SAMPLES / 4)
            return false;
    }
    return before != 0;
}

void pm_kept_learn(const struct pm_arena *arena)
{
    if (arena->watched)
        atomic_store_explicit(&zeros_left, is_filled(arena) ? ZEROS_A_LOOK : 0,
                              memory_order_relaxed);
}

static size_t shared_now(void)
{
    return pm_arena_used() - pm_arena_dedicated_locked();
}

/* To where they have been just before is no growth: a program may take and free the same there. */
static bool others_have_grown(void)
{
    size_t kept = pm_kept_bytes();
    size_t then = shared_then > shared_seen ? shared_then : shared_seen;
    return kept != 0 && shared_now() > then + kept / GROWTH_PARTS;
}

static size_t room(void)
{
    size_t now = pm_arena_used() + pm_arena_dirty();
    return record > now ? record - now : 0;
}

static size_t limit(void)
{
    size_t used = pm_arena_used(), least = ALLOWED_MIN + missed;
    if (others_have_grown())
        return 0;
    size_t most = used > least ? used : least;
    return at_most(most, room());
}

/* Not kept, or not any more. */
static void lose(size_t bytes)
{
    if (pm_kept_bytes() + bytes <= room())
        lost += bytes;
}

/* A block finds nothing that is kept. */
static void miss(size_t bytes)
{
    size_t again = at_most(bytes, lost);
    lost -= again;
    missed += again;
}

static void link_newest(struct pm_arena *arena)
{
    arena->next = newest;
    newest = arena;
    count(arena->map_size);
}

bool pm_kept_put_locked(struct pm_arena *arena)
{
    if (arena->map_size < KEPT_MIN || pm_purge_decay() == 0 ||
        !pm_provider_is_system(&arena->provider))
        return false;
    if (arena->map_size > limit()) {
        lose(arena->map_size);
        return false;
    }
    shared_then = shared_now();
    arena->rested = false;
    arena->watched = false;
    link_newest(arena);
    return true;
}

static struct pm_arena *unlink_at(struct pm_arena **link)
{
    struct pm_arena *arena = *link;
    *link = arena->next;
    count(-arena->map_size);
    return arena;
}

static struct pm_arena **oldest(void)
{
    struct pm_arena **link = &newest;
    while (*link != NULL && (*link)->next != NULL)
        link = &(*link)->next;
    return link;
}

/* Of those of at least and at most so many bytes the shortest, or the longest. */
static struct pm_arena *unlink_within_locked(size_t least, size_t most, bool longest)
{
    struct pm_arena **best = NULL;
    for (struct pm_arena **link = &newest; *link != NULL; link = &(*link)->next) {
        size_t size = size_of(*link);
        if (size < least || size > most)
            continue;
        if (best == NULL || (longest ? size > size_of(*best) : size < size_of(*best)))
            best = link;
    }
    return best == NULL ? NULL : unlink_at(best);
}

/* The shortest that is long enough, but not one that would be cut to less than half: its like may
 * be wanted again. */
static struct pm_arena *unlink_best_locked(size_t bytes)
{
    return unlink_within_locked(bytes, 2 * bytes + 1, false);
}

/* Gives an arena back that has been unlinked; returns its bytes. */
static size_t give_back(struct pm_arena *arena)
{
    size_t bytes = arena->map_size;
    pm_mapping_delete(arena);
    pm_purge_count(bytes);
    return bytes;
}

/* Is it the system that arenas are to come from? */
static bool are_wanted(void)
{
    struct pm_provider now;
    pm_provider_get(&now);
    return pm_provider_is_system(&now) || pm_provider_am_inside();
}

static struct pm_arena *unlink_for_locked(size_t bytes, bool zero)
{
    unsigned zeros = atomic_load_explicit(&zeros_left, memory_order_relaxed);
    if (zero && zeros == 0)
        return NULL;
    sought = true;
    struct pm_arena *arena = unlink_best_locked(bytes);
    if (arena == NULL) {
        miss(bytes);
        return NULL;
    }
    shared_then = shared_now();
    if (zero)
        atomic_store_explicit(&zeros_left, zeros - 1, memory_order_relaxed);
    return arena;
}

struct pm_arena *pm_kept_take(size_t bytes, bool zero)
{
    if (!are_wanted())
        return NULL;
    pm_lock(&pm_arena_lock);
    struct pm_arena *arena = unlink_for_locked(bytes, zero);
    pm_unlock(&pm_arena_lock);
    if (arena == NULL || size_of(arena) == bytes || pm_mapping_resize(arena, bytes))
        return arena;
    give_back(arena);
    return NULL;
}

struct pm_arena *pm_kept_take_roomy(size_t bytes)
{
    if (pm_kept_bytes() == 0 || !are_wanted())
        return NULL;
    pm_lock(&pm_arena_lock);
    struct pm_arena *arena = unlink_within_locked(bytes + bytes / 2, 4 * bytes, true);
    if (arena != NULL)
        shared_then = shared_now();
    pm_unlock(&pm_arena_lock);
    return arena;
}

size_t pm_kept_count_locked(void)
{
    size_t arenas = 0;
    for (struct pm_arena *arena = newest; arena != NULL; arena = arena->next)
        arenas++;
    return arenas;
}

/* What a block that grew has left may be cut: the next that grows is what is in its way, and has
 * use for the rest.  (Larger blocks want the whole.) */
static bool may_be_cut(const struct pm_arena *arena, size_t excess)
{
    return arena->map_size < PM_DEDICATED_MIN && excess <= arena->map_size / 2;
}

/* It has been unlinked. */
static void keep_shorter(struct pm_arena *arena, size_t cut)
{
    size_t before = arena->map_size;
    if (!pm_mapping_resize(arena, pm_align_down(size_of(arena) - cut, pm_os_page_size()))) {
        give_back(arena);
        return;
    }
    pm_purge_count(before - arena->map_size);
    pm_lock(&pm_arena_lock);
    link_newest(arena);
    pm_unlock(&pm_arena_lock);
}

/* Takes out what is to be cut by `*cut` bytes, or to go when that is 0; NULL: all may stay. */
static struct pm_arena *unlink_surplus_locked(size_t *cut)
{
    size_t kept = pm_kept_bytes(), most = limit();
    if (kept <= most)
        return NULL;
    struct pm_arena *arena = unlink_at(oldest());
    *cut = may_be_cut(arena, kept - most) ? kept - most : 0;
    if (*cut == 0)
        lose(arena->map_size);
    if (newest == NULL)
        shared_seen = shared_now();
    return arena;
}

void pm_kept_trim_slow(void)
{
    for (;;) {
        size_t cut;
        pm_lock(&pm_arena_lock);
        struct pm_arena *arena = unlink_surplus_locked(&cut);
        pm_unlock(&pm_arena_lock);
        if (arena == NULL)
            return;
        if (cut != 0)
            keep_shorter(arena, cut);
        else
            give_back(arena);
    }
}

static struct pm_arena *unlink_rested_locked(bool all)
{
    struct pm_arena **link = oldest();
    if (*link != NULL && (all || (*link)->rested))
        return unlink_at(link);
    for (struct pm_arena *arena = newest; arena != NULL; arena = arena->next)
        arena->rested = true;
    return NULL;
}

static size_t release(bool all)
{
    size_t released = 0;
    while (pm_kept_bytes() != 0) {
        pm_lock(&pm_arena_lock);
        struct pm_arena *arena = unlink_rested_locked(all);
        pm_unlock(&pm_arena_lock);
        if (arena == NULL)
            break;
        released += give_back(arena);
    }
    return released;
}

void pm_kept_tick(bool all)
{
    size_t released = release(all);
    pm_lock(&pm_arena_lock);
    lost = 0;
    shared_seen = 0;
    missed = sought ? missed - at_most(released, missed) : 0;
    sought = false;
    pm_unlock(&pm_arena_lock);
}

size_t pm_kept_release(void)
{
    return release(true);
}
