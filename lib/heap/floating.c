/*
 * floating.c - see floating.h.
 */
#include "heap/floating.h"

struct pm_lock pm_floating_lock[PM_CLASS_COUNT];

/* The shared lists, written under the lock of its class; last listed first. */
static _Atomic(struct pm_pool *) lists[PM_CLASS_COUNT];

static struct pm_pool *head_of(unsigned class)
{
    return atomic_load_explicit(&lists[class], memory_order_relaxed);
}

static void set_head(unsigned class, struct pm_pool *pool)
{
    atomic_store_explicit(&lists[class], pool, memory_order_relaxed);
}

static void list_locked(struct pm_pool *pool)
{
    struct pm_pool *head = head_of(pool->class);
    pool->prev = NULL;
    pool->next = head;
    if (head != NULL)
        head->prev = pool;
    set_head(pool->class, pool);
    pool->listed = true;
}

static void unlist_locked(struct pm_pool *pool)
{
    if (pool->prev != NULL)
        pool->prev->next = pool->next;
    else
        set_head(pool->class, pool->next);
    if (pool->next != NULL)
        pool->next->prev = pool->prev;
    pool->listed = false;
}

static void change_listed(struct pm_pool *pool, bool listed)
{
    pm_lock(&pm_floating_lock[pool->class]);
    if (listed)
        list_locked(pool);
    else
        unlist_locked(pool);
    pm_unlock(&pm_floating_lock[pool->class]);
}

/* The caller has claimed the pool: only it changes `listed` now. */
PM_INLINE void set_listed(struct pm_pool *pool, bool listed)
{
    if (pool->listed != listed)
        change_listed(pool, listed);
}

static bool worth_listing(const struct pm_pool *pool, bool offer)
{
    uint32_t available = (uint32_t)pool->limit - 1 - pool->used;
    return available > 0 && (offer || available >= (uint32_t)(pool->limit - 1) / 8);
}

/* Gives up the claim; false when blocks came back since the last collection. */
static bool unclaim(struct pm_pool *pool)
{
    uint64_t expected = PM_REMOTE_OWNED;
    /* release pairs with the acquire of the next claim: remote.c: push(), try_claim() */
    return atomic_compare_exchange_strong_explicit(&pool->remote, &expected, 0,
                                                   memory_order_release, memory_order_relaxed);
}

bool pm_floating_release(struct pm_pool *pool, bool offer, bool keep)
{
    pool->state = PM_POOL_FLOATING;
    for (;;) {
        if (pm_pool_collect(pool) && keep)
            return false;
        if (pool->used == 0) {
            set_listed(pool, false);
            pm_pool_destroy(pool);
            return true;
        }
        atomic_store_explicit(&pool->owner, NULL, memory_order_relaxed);
        set_listed(pool, worth_listing(pool, offer));
        if (unclaim(pool))
            return true;
    }
}

bool pm_floating_claimed(struct pm_pool *pool, const struct pm_heap *heap)
{
    pm_pool_collect(pool);
    if (pool->used == 0 || pool->origin != heap) {
        pm_floating_release(pool, false, false);
        return false;
    }
    set_listed(pool, false);
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
    if (head_of(class) == NULL) /* mostly; a pool listed this moment is found next time */
        return NULL;
    pm_lock(&pm_floating_lock[class]);
    struct pm_pool *pool = head_of(class);
    while (pool != NULL && !try_claim(pool))
        pool = pool->next;
    if (pool != NULL)
        unlist_locked(pool);
    pm_unlock(&pm_floating_lock[class]);
    return pool;
}
