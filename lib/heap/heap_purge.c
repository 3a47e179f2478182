/*
 * heap_purge.c - when free pages inside a heap's pools go back to the system.
 *
 * As with free slices (arena/purge.h) nothing is purged that may be wanted
 * again soon: a heap looks at its pools every decay time, and the free pages of one go
 * when as many blocks are in use as the last time, and it was not current since.  When a
 * heap has not even asked for the time that long, all go at once.  Floating pools are looked at
 * by one thread for all, each decay time: those go to which no block came for so long; and all when
 * no thread has asked for the time.  So it is with the pools of threads that sleep (sleeping.c).
 * Each pool is purged once, until its use changes.  While the process grows all go as well, as they
 * serve before new ones are asked for; but not where that would split huge pages.
 */
#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/background.h"
#include "heap/common.h"
#include "heap/floating.h"
#include "heap/heap.h"
#include "heap/sleeping.h"
#include "heap/thread.h"
#include "os/os.h"
#include "os/tls.h"
#include "pool/pool_purge.h"

/*
 * Pools that are looked at, and those of them that are purged, on one occasion while the program is
 * busy: so that this takes a few milliseconds.  (Where growth or a quiet time are the reason, all
 * go.) Of many floating ones of a class a share is purged, as nobody else may come along.
 */
enum {
    LOOKED_AT = 16384,
    PURGED_AT_ONCE = 256,
    FLOATING_AT_ONCE = 64,
    FLOATING_SHARE = 32,
    CLAIMED_AT_ONCE = 256,
    LOOK_LARGES = 4, /* large blocks kept between two looks at the clock */
};

static bool has_rested(struct pm_pool *pool, uint32_t used)
{
    if (pool->rested == used)
        return true;
    pm_pool_rest(pool, used);
    return false;
}

enum which { RESTED, ALL, FOR_GROWTH };

struct work {
    enum which which;
    int looked, purged; /* pools */
    struct pm_pool_purge going;
    struct pm_pool_list gone; /* pools that hold nothing */
};

static void begin(struct work *work, enum which which)
{
    work->which = which;
    work->looked = work->purged = 0;
    pm_pool_purge_begin(&work->going);
    pm_list_clear(&work->gone);
}

/* Returns the bytes.  (A pool that goes may be the last of an arena that the program has to take
 * back, and it may allocate then: not from pools that are about to be purged.) */
static size_t end(struct work *work)
{
    size_t bytes = pm_pool_purge_noted(&work->going);
    pm_purge_count(bytes);
    pm_heap_drop(&work->gone);
    return bytes;
}

static bool has_looked_enough(const struct work *work)
{
    return work->which == RESTED && work->looked >= LOOKED_AT;
}

static bool has_purged_enough(const struct work *work)
{
    return work->which == RESTED && work->purged >= PURGED_AT_ONCE;
}

/* Without looking at each block: there may be a page to gain, and no huge page to lose. */
static bool serves_growth(const struct pm_pool *pool, uint32_t used)
{
    size_t free = (size_t)(pool->carved - pool->shape.first - pool->withheld - used) * pool->size;
    return free >= pm_os_page_size() &&
           pm_arena_hugepages(pool->span.arena) != PM_HUGEPAGES_ADVISED;
}

static void purge(struct pm_pool *pool, struct work *work)
{
    uint32_t used = pm_pool_used(pool);
    bool due = has_rested(pool, used) || work->which != RESTED;
    if (!due || pm_pool_is_purged(pool) || has_purged_enough(work) ||
        (work->which == FOR_GROWTH && !serves_growth(pool, used)))
        return;
    pm_pool_purge(&work->going, pool);
    work->purged++;
    pm_pool_set_purged(pool, true);
}

/* Two cache lines of each, from all over memory. */
static void fetch(const struct pm_pool *pool)
{
    if (pool == NULL)
        return;
    __builtin_prefetch(pool);
    __builtin_prefetch((const char *)pool + offsetof(struct pm_pool, remote));
}

/* Takes a partial pool out of its list, if it has nothing resident to offer or holds nothing. */
static void look_at(struct pm_heap *heap, struct pm_pool *pool, struct work *work,
                    struct pm_pool_list *last)
{
    work->looked++;
    if (pm_heap_take_in(heap, pool, &work->gone))
        return;
    purge(pool, work);
    if (pool->free == PM_LINK_NONE) {
        pm_list_take_out(pool);
        pm_list_append(last, pool);
    }
}

/* Where the walk ends, the next one begins; those with nothing resident to offer wait behind the
 * others.  True when all were looked at. */
static bool look_at_partial(struct pm_heap *heap, struct pm_bin *bin, struct work *work)
{
    struct pm_pool_list last;
    pm_list_clear(&last);
    struct pm_pool *pool = pm_list_first(&bin->partial), *next;
    for (; pool != NULL && !has_looked_enough(work); pool = next) {
        next = pm_list_next(&bin->partial, pool);
        fetch(next);
        look_at(heap, pool, work, &last);
    }
    if (pool != NULL)
        pm_list_begin_with(&bin->partial, pool);
    pm_list_join(&bin->partial, &last);
    return pool == NULL;
}

/* A class whose pools are too many for one walk does not keep the others waiting. */
static size_t purge_heap(struct pm_heap *heap, enum which which)
{
    struct work work;
    bool all = true;
    begin(&work, which);
    for (unsigned i = 0; i < PM_CLASS_COUNT && all; i++) {
        struct pm_bin *bin = &heap->bin[heap->look_class];
        heap->look_class = (heap->look_class + 1) % PM_CLASS_COUNT;
        if (bin->current != &pm_pool_none)
            purge(bin->current, &work);
        all = look_at_partial(heap, bin, &work);
    }
    return end(&work);
}

size_t pm_heap_purge(struct pm_heap *heap, bool all)
{
    return purge_heap(heap, all ? ALL : RESTED);
}

void pm_heap_tidy(struct pm_heap *heap)
{
    purge_heap(heap, FOR_GROWTH);
}

/* Claims and purges up to `room`, which are for others to claim only when that is done; returns how
 * many. */
static size_t purge_some_floating(unsigned class, bool rested_only, size_t room, struct work *work)
{
    struct pm_pool *pools[CLAIMED_AT_ONCE];
    if (room > CLAIMED_AT_ONCE)
        room = CLAIMED_AT_ONCE;
    size_t count = pm_floating_claim_unpurged(class, rested_only, pools, room);
    for (size_t i = 0; i < count; i++)
        purge(pools[i], work);
    pm_pool_purge_noted(&work->going);
    for (size_t i = 0; i < count; i++)
        pm_floating_release(pools[i], true, false);
    return count;
}

/* No more than there are at the beginning: others go on to free into them. */
static void purge_floating(unsigned class, bool rested_only, struct work *work)
{
    size_t room = pm_floating_count(class), count;
    if (rested_only && room > FLOATING_AT_ONCE)
        room = FLOATING_AT_ONCE + room / FLOATING_SHARE;
    do {
        count = purge_some_floating(class, rested_only, room, work);
        room -= count;
    } while (count != 0 && room != 0);
}

size_t pm_heap_purge_floating(bool all)
{
    struct work work;
    begin(&work, ALL); /* what is claimed goes */
    pm_floating_tick();
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        purge_floating(class, !all, &work);
    return end(&work);
}

/* Floating pools are everybody's: when they were looked at last, and when a thread made a call.
 * Relaxed: looking twice, or a moment late, does no harm. */
static _Atomic uint64_t floating_due_ms, last_call_ms;

uint64_t pm_heap_last_call_ms(void)
{
    return atomic_load_explicit(&last_call_ms, memory_order_relaxed);
}

/* True for one thread, each decay time. */
static bool floating_are_due(uint64_t now, uint64_t decay)
{
    uint64_t due = atomic_load_explicit(&floating_due_ms, memory_order_relaxed);
    return now >= due &&
           atomic_compare_exchange_strong_explicit(&floating_due_ms, &due, now + decay,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static bool is_quiet(uint64_t last, uint64_t now, uint64_t decay)
{
    return last != 0 && now >= last + decay;
}

static void purge_due(struct pm_heap *heap, uint64_t now, uint64_t decay, uint64_t last)
{
    bool quiet = is_quiet(pm_heap_look_ms(heap), now, decay);
    pm_heap_set_look_ms(heap, now);
    if (now >= heap->tick_ms + decay) {
        heap->tick_ms = now;
        pm_heap_gather_some(heap);
        pm_heap_purge(heap, quiet);
    }
    if (floating_are_due(now, decay))
        pm_heap_purge_floating(is_quiet(last, now, decay));
    pm_sleeping_purge(now, decay, false);
}

void pm_heap_tick(struct pm_heap *heap, uint64_t now)
{
    int64_t decay = pm_purge_decay();
    uint64_t last = atomic_exchange_explicit(&last_call_ms, now, memory_order_relaxed);
    if (pm_thread_has_heap(pm_tls_heap)) /* else perhaps under the lock of ended threads' heap */
        pm_background_ensure();
    if (decay < 0)
        pm_heap_set_look_ms(heap, now);
    else
        purge_due(heap, now, (uint64_t)decay, last);
}

void pm_heap_look(struct pm_heap *heap)
{
    uint64_t now = pm_os_clock_ms();
    if (PM_LIKELY(now == pm_heap_look_ms(heap))) /* the clock goes in steps of milliseconds */
        return;
    pm_purge_tick(now);
    pm_heap_tick(heap, now);
    pm_common_look(heap, now);
}

void pm_heap_freed_large(struct pm_heap *heap, bool kept)
{
    if (!kept || ++heap->larges_kept % LOOK_LARGES == 0 || pm_heap_look_ms(heap) == 0)
        pm_heap_look(heap);
}
