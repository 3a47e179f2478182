/*
 * floating.c - see floating.h.
 */
#include "heap/floating.h"

#include "heap/background.h"
#include "pool/list.h"

enum { LOOKED_AT = 4096 }; /* pools, when some are sought that may be purged */

struct pm_lock pm_floating_lock[PM_CLASS_COUNT];

/*
 * The shared lists, under the lock of their class; `count` is also looked at without it.
 * Pools that are half free or more are taken before others, so that those gather
 * more meanwhile: blocks of one pool should travel together.
 */
static struct shared {
    struct pm_pool_list pools; /* cleared when the first pool comes */
    _Atomic uint32_t count;
} shared[PM_CLASS_COUNT];

static uint32_t count_of(unsigned class)
{
    return atomic_load_explicit(&shared[class].count, memory_order_relaxed);
}

static void set_count(unsigned class, uint32_t count)
{
    atomic_store_explicit(&shared[class].count, count, memory_order_relaxed);
}

static struct pm_pool *first_of(unsigned class)
{
    return count_of(class) == 0 ? NULL : pm_list_first(&shared[class].pools);
}

static void put(struct pm_pool *pool, enum pm_pool_listed listed)
{
    struct pm_pool_list *pools = &shared[pool->class].pools;
    uint32_t count = count_of(pool->class);
    if (count == 0)
        pm_list_clear(pools);
    set_count(pool->class, count + 1);
    if (listed == PM_POOL_LISTED_FIRST)
        pm_list_prepend(pools, pool);
    else
        pm_list_append(pools, pool);
}

static void take_out(struct pm_pool *pool)
{
    pm_list_take_out(pool);
    set_count(pool->class, count_of(pool->class) - 1);
    pool->listed = PM_POOL_UNLISTED;
}

static void change_listed(struct pm_pool *pool, enum pm_pool_listed listed)
{
    pm_lock(&pm_floating_lock[pool->class]);
    if (pool->listed != PM_POOL_UNLISTED)
        take_out(pool);
    if (listed != PM_POOL_UNLISTED)
        put(pool, listed);
    pool->listed = (uint8_t)listed;
    pm_unlock(&pm_floating_lock[pool->class]);
}

/* The caller has claimed the pool: only it changes `listed` now. */
PM_INLINE void set_listed(struct pm_pool *pool, enum pm_pool_listed listed)
{
    if (pool->listed != listed)
        change_listed(pool, listed);
}

/* With `offer` whatever has a block free, else from an eighth on.  What has been purged
 * stands behind what is resident, and out of the way of those who look for more to purge. */
static enum pm_pool_listed worth_listing(const struct pm_pool *pool, bool offer)
{
    uint32_t blocks = pm_pool_blocks(pool), available = blocks - pool->used;
    if (available * 2 >= blocks && !pm_pool_is_purged(pool))
        return PM_POOL_LISTED_FIRST;
    bool worth = available > 0 && (offer || available >= blocks / 8);
    return worth ? PM_POOL_LISTED_LAST : PM_POOL_UNLISTED;
}

/* Gives up the claim; false when blocks came back since the last collection. */
static bool unclaim(struct pm_pool *pool)
{
    uint64_t expected = PM_REMOTE_OWNED | PM_REMOTE_EMPTY;
    /* release pairs with the acquire of the next claim: remote.c: push(), try_claim() */
    return atomic_compare_exchange_strong_explicit(&pool->remote, &expected, PM_REMOTE_EMPTY,
                                                   memory_order_release, memory_order_relaxed);
}

bool pm_floating_release(struct pm_pool *pool, bool offer, bool keep)
{
    pool->state = PM_POOL_FLOATING;
    for (;;) {
        bool more = pm_pool_collect(pool);
        if (more && keep)
            return false;
        if (more)
            pm_pool_set_purged(pool, false);
        if (pool->used == 0) {
            set_listed(pool, PM_POOL_UNLISTED);
            pm_pool_destroy(pool);
            return true;
        }
        pm_pool_unset_owner(pool);
        set_listed(pool, worth_listing(pool, offer));
        if (unclaim(pool))
            return true;
    }
}

bool pm_floating_claimed(struct pm_pool *pool, const struct pm_heap *heap)
{
    pm_pool_collect(pool);
    pm_pool_set_purged(pool, false);
    if (pool->used == 0 || !pm_pool_was_owned_by(pool, heap) || pm_background_is_wanted()) {
        pm_floating_release(pool, false, false);
        return false;
    }
    set_listed(pool, PM_POOL_UNLISTED);
    return true;
}

static bool try_claim(struct pm_pool *pool)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    /* acquire pairs with the release in unclaim() and remote.c: push() */
    return (word & PM_REMOTE_OWNED) == 0 &&
           atomic_compare_exchange_strong_explicit(&pool->remote, &word, word | PM_REMOTE_OWNED,
                                                   memory_order_acquire, memory_order_relaxed);
}

struct pm_pool *pm_floating_take(unsigned class)
{
    if (count_of(class) == 0) /* mostly; a pool listed this moment is found next time */
        return NULL;
    pm_lock(&pm_floating_lock[class]);
    struct pm_pool *pool = first_of(class);
    while (pool != NULL && !try_claim(pool))
        pool = pm_list_next(&shared[class].pools, pool);
    if (pool != NULL)
        take_out(pool);
    pm_unlock(&pm_floating_lock[class]);
    return pool;
}

size_t pm_floating_claim_unpurged(unsigned class, struct pm_pool **pools, size_t room)
{
    size_t count = 0;
    if (count_of(class) == 0)
        return 0;
    pm_lock(&pm_floating_lock[class]);
    struct pm_pool *pool = first_of(class);
    for (size_t looked = 0; pool != NULL && count < room && looked < LOOKED_AT; looked++) {
        struct pm_pool *next = pm_list_next(&shared[class].pools, pool);
        if (!pm_pool_is_purged(pool) && try_claim(pool)) {
            take_out(pool);
            pools[count++] = pool;
        }
        pool = next;
    }
    pm_unlock(&pm_floating_lock[class]);
    return count;
}
