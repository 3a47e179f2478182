/*
 * floating.c - see floating.h.
 */
#include "heap/floating.h"

#include "arena/arena.h"
#include "pool/list.h"

enum {
    LOOKED_AT = 4096, /* pools, when some are sought that may be purged */
    RESTED_TICKS = 2, /* if these are as far apart as they should, a whole period has gone by */
};

struct pm_lock pm_floating_lock[PM_CLASS_COUNT];

/*
 * The shared lists, under the lock of their class; `count` of both is also looked at without it.
 * Pools that are half free or more are taken before others, so that those gather more
 * meanwhile: blocks of one pool should travel together.  What has been purged is taken last,
 * and is out of the way of those who look for more to purge.
 */
static struct shared {
    struct pm_pool_list rich, poor, purged; /* no lists before the first pool comes */
    _Atomic uint32_t count;                 /* who has seen another than 0 finds lists */
} shared[PM_CLASS_COUNT] PM_TABLE;

/* How often pools were looked for that may be purged; relaxed: a tick more or less is no matter. */
static _Atomic uint16_t ticks;

void pm_floating_tick(void)
{
    atomic_fetch_add_explicit(&ticks, 1, memory_order_relaxed);
}

static uint16_t now(void)
{
    return atomic_load_explicit(&ticks, memory_order_relaxed);
}

/* Atomic, though relaxed: it is read without a claim. */
static void begin_rest(struct pm_pool *pool)
{
    __atomic_store_n(&pool->rested, now(), __ATOMIC_RELAXED);
}

static bool has_rested(const struct pm_pool *pool)
{
    return (uint16_t)(now() - __atomic_load_n(&pool->rested, __ATOMIC_RELAXED)) >= RESTED_TICKS;
}

uint32_t pm_floating_count(unsigned class)
{
    return atomic_load_explicit(&shared[class].count, memory_order_relaxed);
}

static void set_count(unsigned class, uint32_t count)
{
    atomic_store_explicit(&shared[class].count, count, memory_order_relaxed);
}

static void put(struct pm_pool *pool, enum pm_pool_listed listed)
{
    struct shared *lists = &shared[pool->class];
    uint32_t count = pm_floating_count(pool->class);
    if (count == 0) {
        pm_list_clear(&lists->rich);
        pm_list_clear(&lists->poor);
        pm_list_clear(&lists->purged);
    }
    set_count(pool->class, count + 1);
    if (listed == PM_POOL_LISTED_RICH)
        pm_list_prepend(&lists->rich, pool);
    else
        pm_list_append(listed == PM_POOL_LISTED_POOR ? &lists->poor : &lists->purged, pool);
}

static void take_out(struct pm_pool *pool)
{
    pm_list_take_out(pool);
    set_count(pool->class, pm_floating_count(pool->class) - 1);
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

/* With `offer` whatever has a block free, else from an eighth on. */
static enum pm_pool_listed worth_listing(const struct pm_pool *pool, bool offer)
{
    uint32_t blocks = pm_pool_blocks(pool), available = blocks - pool->used;
    if (available == 0 || (!offer && available < blocks / 8))
        return PM_POOL_UNLISTED;
    if (pm_pool_is_purged(pool))
        return PM_POOL_LISTED_PURGED;
    return available * 2 >= blocks ? PM_POOL_LISTED_RICH : PM_POOL_LISTED_POOR;
}

/* Gives up the claim; false when blocks came back since the last collection. */
static bool unclaim(struct pm_pool *pool)
{
    uint64_t expected = PM_REMOTE_OWNED | PM_REMOTE_EMPTY;
    if (pm_alone())
        return PM_ALONE_CHANGE(&pool->remote, expected, PM_REMOTE_EMPTY);
    /* release pairs with the acquire of the next claim: remote.c: push(), try_claim() */
    return atomic_compare_exchange_strong_explicit(&pool->remote, &expected, PM_REMOTE_EMPTY,
                                                   memory_order_release, memory_order_relaxed);
}

bool pm_floating_release(struct pm_pool *pool, bool offer, bool keep)
{
    pm_pool_leave_rest(pool, PM_POOL_FLOATING);
    pm_arena_take_in(&pool->span);
    for (;;) {
        bool more = pm_pool_collect(pool);
        if (more && keep)
            return false;
        if (more || pool->rested != (uint16_t)pool->used)
            pm_pool_set_purged(pool, false);
        if (pool->used == 0) {
            set_listed(pool, PM_POOL_UNLISTED);
            pm_pool_destroy(pool);
            return true;
        }
        pm_pool_unset_owner(pool);
        begin_rest(pool);
        set_listed(pool, worth_listing(pool, offer));
        if (unclaim(pool))
            return true;
    }
}

bool pm_floating_claimed(struct pm_pool *pool, const struct pm_heap *heap)
{
    pm_pool_collect(pool);
    pm_pool_set_purged(pool, false);
    if (pool->used == 0 || !pm_pool_was_owned_by(pool, heap)) {
        pm_floating_release(pool, pool->listed != PM_POOL_UNLISTED, false);
        return false;
    }
    set_listed(pool, PM_POOL_UNLISTED);
    return true;
}

static bool try_claim(struct pm_pool *pool)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    if ((word & PM_REMOTE_OWNED) != 0)
        return false;
    if (pm_alone())
        return PM_ALONE_CHANGE(&pool->remote, word, word | PM_REMOTE_OWNED);
    /* acquire pairs with the release in unclaim() and remote.c: push() */
    return atomic_compare_exchange_strong_explicit(&pool->remote, &word, word | PM_REMOTE_OWNED,
                                                   memory_order_acquire, memory_order_relaxed);
}

bool pm_floating_reclaim(struct pm_pool *pool, const struct pm_heap *heap)
{
    if (!pm_pool_was_owned_by(pool, heap) || !try_claim(pool))
        return false;
    pm_pool_collect(pool);
    pm_pool_set_purged(pool, false);
    set_listed(pool, PM_POOL_UNLISTED);
    return true;
}

/* The first that can be claimed. */
static struct pm_pool *claim_first(const struct pm_pool_list *list)
{
    struct pm_pool *pool = pm_list_first(list);
    while (pool != NULL && !try_claim(pool))
        pool = pm_list_next(list, pool);
    return pool;
}

struct pm_pool *pm_floating_take(unsigned class)
{
    if (pm_floating_count(class) == 0) /* mostly; one listed this moment is found next time */
        return NULL;
    pm_lock(&pm_floating_lock[class]);
    struct pm_pool *pool = claim_first(&shared[class].rich);
    if (pool == NULL)
        pool = claim_first(&shared[class].poor);
    if (pool == NULL)
        pool = claim_first(&shared[class].purged);
    if (pool != NULL)
        take_out(pool);
    pm_unlock(&pm_floating_lock[class]);
    return pool;
}

/* What is claimed. */
struct claim {
    bool rested_only;
    struct pm_pool **pools;
    size_t count, room;
};

static void try_to_claim(struct claim *claim, struct pm_pool *pool)
{
    if ((claim->rested_only && !has_rested(pool)) || !try_claim(pool))
        return;
    take_out(pool);
    claim->pools[claim->count++] = pool;
}

typedef struct pm_pool *walk(const struct pm_pool_list *list, const struct pm_pool *pool);

/* From `pool` on. */
static void claim_along(struct claim *claim, const struct pm_pool_list *list, struct pm_pool *pool,
                        walk *after)
{
    for (int looked = 0; pool != NULL && claim->count < claim->room && looked < LOOKED_AT;
         looked++) {
        struct pm_pool *next = after(list, pool);
        try_to_claim(claim, pool);
        pool = next;
    }
}

size_t pm_floating_claim_unpurged(unsigned class, bool rested_only, struct pm_pool **pools,
                                  size_t room)
{
    struct claim claim = {rested_only, pools, 0, room};
    if (pm_floating_count(class) == 0)
        return 0;
    pm_lock(&pm_floating_lock[class]);
    /* Those that have been there longest: of the rich the last, which nobody takes. */
    struct pm_pool_list *rich = &shared[class].rich, *poor = &shared[class].poor;
    claim_along(&claim, rich, pm_list_last(rich), pm_list_before);
    claim_along(&claim, poor, pm_list_first(poor), pm_list_next);
    pm_unlock(&pm_floating_lock[class]);
    return claim.count;
}
