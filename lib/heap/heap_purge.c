/*
 * heap_purge.c - when free pages inside a heap's pools go back to the system.
 *
 * As with free slices (arena/purge.h) nothing is purged that may be wanted
 * again soon: a heap looks at its pools every decay time, and the free pages of one go
 * when as many blocks are in use as the last time, and it was not current since.  When a
 * heap has not even asked for the time that long, all go at once.  Floating pools are looked at
 * by one thread for all, each decay time: those go to which no block came for so long; and all when
 * no thread has asked for the time.  Each pool is purged once, until its use changes.  While the
 * process grows all go as well, as they serve before new ones are asked for; but not where that
 * would split huge pages.
 */
#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/background.h"
#include "heap/floating.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "os/os.h"
#include "os/tls.h"

/*
 * Of one class pools that are looked at, and of all that are purged, on one occasion while the
 * program is busy: so that this takes a few milliseconds.  (Where growth or a quiet time are the
 * reason, all go.)  Of many floating ones a share is purged, as nobody else may come along.
 */
enum {
    LOOKED_AT = 16384,
    POOLS_AT_ONCE = 256,
    FLOATING_SHARE = 32,
    CLAIMED_AT_ONCE = 64,
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
    size_t bytes;
    int pools;
};

/* Without looking at each block: there may be a page to gain, and no huge page to lose. */
static bool serves_growth(const struct pm_pool *pool, uint32_t used)
{
    size_t free = (size_t)(pool->carved - pool->shape.first - pool->withheld - used) * pool->size;
    return free >= pm_os_page_size() &&
           pm_arena_hugepages(pool->span.arena) != PM_HUGEPAGES_ADVISED;
}

static void purge(struct pm_pool *pool, enum which which, struct work *done)
{
    uint32_t used = pm_pool_used(pool);
    bool due = has_rested(pool, used) || which != RESTED;
    if (!due || pm_pool_is_purged(pool) || (which == FOR_GROWTH && !serves_growth(pool, used)))
        return;
    done->bytes += pm_pool_purge(pool);
    done->pools++;
    pm_pool_set_purged(pool, true);
}

/* Those with nothing resident to offer wait behind the others. */
static void to_the_end(struct pm_pool_list *list, struct pm_pool *pool)
{
    if (pool->free == PM_LINK_NONE) {
        pm_list_take_out(pool);
        pm_list_append(list, pool);
    }
}

static bool is_enough(enum which which, int looked, const struct work *done)
{
    return which == RESTED && (looked >= LOOKED_AT || done->pools >= POOLS_AT_ONCE);
}

/* Two cache lines of each, from all over memory. */
static void fetch(const struct pm_pool *pool)
{
    __builtin_prefetch(pool);
    __builtin_prefetch((const char *)pool + offsetof(struct pm_pool, remote));
}

/* Where the walk ends, the next one begins. */
static void look_at_partial(struct pm_heap *heap, struct pm_bin *bin, enum which which,
                            struct work *done)
{
    struct pm_pool_list gone;
    pm_list_clear(&gone);
    struct pm_pool *end = pm_list_last(&bin->partial), *pool = pm_list_first(&bin->partial);
    for (int looked = 0; pool != NULL && !is_enough(which, looked, done); looked++) {
        struct pm_pool *next = pool == end ? NULL : pm_list_next(&bin->partial, pool);
        fetch(next);
        if (!pm_heap_take_in(heap, pool, &gone)) {
            purge(pool, which, done);
            to_the_end(&bin->partial, pool);
        }
        pool = next;
    }
    if (pool != NULL)
        pm_list_begin_with(&bin->partial, pool);
    pm_heap_drop(&gone);
}

static size_t purge_heap(struct pm_heap *heap, enum which which)
{
    struct work done = {0, 0};
    for (unsigned class = 0; class < PM_CLASS_COUNT && !is_enough(which, 0, &done); class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        if (bin->current != &pm_pool_none)
            purge(bin->current, which, &done);
        look_at_partial(heap, bin, which, &done);
    }
    pm_purge_count(done.bytes);
    return done.bytes;
}

size_t pm_heap_purge(struct pm_heap *heap, bool all)
{
    return purge_heap(heap, all ? ALL : RESTED);
}

void pm_heap_tidy(struct pm_heap *heap)
{
    purge_heap(heap, FOR_GROWTH);
}

static size_t purge_floating(unsigned class, enum which which, size_t room, struct work *done)
{
    struct pm_pool *pools[CLAIMED_AT_ONCE];
    if (room > CLAIMED_AT_ONCE)
        room = CLAIMED_AT_ONCE;
    size_t count = pm_floating_claim_unpurged(class, which == RESTED, pools, room);
    for (size_t i = 0; i < count; i++) {
        purge(pools[i], ALL, done);
        pm_floating_release(pools[i], true, false);
    }
    return count;
}

/* No more than there are at the beginning: others go on to free into them. */
static void purge_floating_class(unsigned class, enum which which, struct work *done)
{
    size_t room = pm_floating_count(class), count;
    if (which == RESTED && room > POOLS_AT_ONCE)
        room = POOLS_AT_ONCE + room / FLOATING_SHARE;
    do {
        count = purge_floating(class, which, room, done);
        room -= count;
    } while (count != 0 && room != 0);
}

size_t pm_heap_purge_floating(bool all)
{
    struct work done = {0, 0};
    pm_floating_tick();
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        purge_floating_class(class, all ? ALL : RESTED, &done);
    pm_purge_count(done.bytes);
    return done.bytes;
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
    bool quiet = is_quiet(heap->look_ms, now, decay);
    heap->look_ms = now;
    if (now >= heap->tick_ms + decay) {
        heap->tick_ms = now;
        pm_heap_gather(heap);
        pm_heap_purge(heap, quiet);
    }
    if (floating_are_due(now, decay))
        pm_heap_purge_floating(is_quiet(last, now, decay));
}

void pm_heap_tick(struct pm_heap *heap, uint64_t now)
{
    int64_t decay = pm_purge_decay();
    uint64_t last = atomic_exchange_explicit(&last_call_ms, now, memory_order_relaxed);
    if (pm_thread_has_heap(pm_tls_heap)) /* else under the lock of ended threads' heap */
        pm_background_ensure();
    if (decay < 0)
        heap->look_ms = now;
    else
        purge_due(heap, now, (uint64_t)decay, last);
}
