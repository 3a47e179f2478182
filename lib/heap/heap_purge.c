/*
 * heap_purge.c - when free pages inside a heap's pools go back to the system.
 *
 * As with free slices (arena/purge.h) nothing is purged that may be wanted
 * again soon: a pool is looked at every decay time, and its free pages go
 * when as many blocks are in use as the last time, and it was not current since.  When a
 * heap has not even asked for the time that long, all go at once.  Each pool is purged
 * once, until its use changes.  While the process grows all go as well, as they serve before
 * new ones are asked for; but not where that would split huge pages.
 */
#include <limits.h>

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/background.h"
#include "heap/floating.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "os/os.h"
#include "os/tls.h"

/* So that no call takes much more than a millisecond. */
enum { POOLS_AT_ONCE = 256, CLAIMED_AT_ONCE = 64 };

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

static size_t purge_heap(struct pm_heap *heap, enum which which)
{
    struct work done = {0, 0};
    int room = which == RESTED ? POOLS_AT_ONCE : INT_MAX;
    for (unsigned class = 0; class < PM_CLASS_COUNT && done.pools < room; class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        if (bin->current != &pm_pool_none)
            purge(bin->current, which, &done);
        struct pm_pool *end = pm_list_last(&bin->partial);
        for (struct pm_pool *pool = pm_list_first(&bin->partial), *next; pool != NULL;
             pool = next) {
            next = pool == end ? NULL : pm_list_next(&bin->partial, pool);
            purge(pool, which, &done);
            to_the_end(&bin->partial, pool);
            if (done.pools >= room)
                break;
        }
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

static void purge_floating(unsigned class, enum which which, struct work *done)
{
    struct pm_pool *pools[CLAIMED_AT_ONCE];
    size_t count = pm_floating_claim_unpurged(class, pools, CLAIMED_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        purge(pools[i], which, done);
        pm_floating_release(pools[i], true, false);
    }
    done->pools += (int)count; /* also those that are only looked at */
}

size_t pm_heap_purge_floating(bool all)
{
    struct work done = {0, 0};
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        int before;
        do {
            before = done.pools;
            purge_floating(class, all ? ALL : RESTED, &done);
        } while (all && done.pools != before);
    }
    pm_purge_count(done.bytes);
    return done.bytes;
}

void pm_heap_tick(struct pm_heap *heap, uint64_t now)
{
    int64_t decay = pm_purge_decay();
    if (pm_thread_has_heap(pm_tls_heap)) /* else under the lock of ended threads' heap */
        pm_background_ensure();
    bool quiet = heap->look_ms != 0 && now >= heap->look_ms + (uint64_t)decay;
    heap->look_ms = now;
    if (decay < 0 || now < heap->tick_ms + (uint64_t)decay)
        return;
    heap->tick_ms = now;
    pm_heap_collect(heap);
    pm_heap_purge(heap, quiet);
    pm_heap_purge_floating(quiet);
}
