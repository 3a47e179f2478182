/*
 * heap_purge.c - when free pages inside a heap's pools go back to the system.
 *
 * As with free slices (arena/purge.h) nothing is purged that may be wanted
 * again soon: a pool is looked at every decay time, and its free pages go
 * when as many blocks are in use as the last time, and it was not current since.  When a
 * heap has not even asked for the time that long, all go at once.  Each pool is purged
 * once, until its use changes.
 */
#include "arena/purge.h"
#include "heap/background.h"
#include "heap/floating.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "os/tls.h"

/* So that no call takes much more than a millisecond. */
enum { POOLS_AT_ONCE = 256, CLAIMED_AT_ONCE = 64 };

static bool has_rested(struct pm_pool *pool)
{
    uint32_t used = pm_pool_used(pool);
    if (pool->rested == used)
        return true;
    pm_pool_rest(pool, used);
    return false;
}

struct work {
    size_t bytes;
    int pools;
};

static void purge(struct pm_pool *pool, bool all, struct work *done)
{
    bool rested = has_rested(pool);
    if (pm_pool_is_purged(pool) || !(rested || all))
        return;
    done->bytes += pm_pool_purge(pool);
    done->pools++;
    pm_pool_set_purged(pool, true);
}

/* Those with nothing resident to offer wait behind the others. */
static void to_the_end(struct pm_pool_list *list, struct pm_pool *pool)
{
    if (pool->free == PM_LINK_NONE && pool != list->last) {
        pm_heap_list_take_out(list, pool);
        pm_heap_list_append(list, pool);
    }
}

size_t pm_heap_purge(struct pm_heap *heap, bool all)
{
    struct work done = {0, 0};
    for (unsigned class = 0; class < PM_CLASS_COUNT && (all || done.pools < POOLS_AT_ONCE);
         class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        if (bin->current != &pm_pool_none)
            purge(bin->current, all, &done);
        struct pm_pool *end = bin->partial.last;
        for (struct pm_pool *pool = bin->partial.first, *next; pool != NULL; pool = next) {
            next = pool == end ? NULL : pool->next;
            purge(pool, all, &done);
            to_the_end(&bin->partial, pool);
            if (!all && done.pools >= POOLS_AT_ONCE)
                break;
        }
    }
    pm_purge_count(done.bytes);
    return done.bytes;
}

static void purge_floating(unsigned class, bool all, struct work *done)
{
    struct pm_pool *pools[CLAIMED_AT_ONCE];
    size_t count = pm_floating_claim_unpurged(class, pools, CLAIMED_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        purge(pools[i], all, done);
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
            purge_floating(class, all, &done);
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
