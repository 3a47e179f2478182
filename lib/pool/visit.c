/*
 * visit.c - see visit.h.
 */
#include "pool/visit.h"

#include "os/os.h"

struct pm_lock pm_visit_lock = PM_LOCK_INIT;
atomic_bool pm_visiting;

/* Those of a former visit are of no harm. */
static _Atomic(const struct pm_pool *) visited[PM_VISIT_MAX];

static _Atomic uint32_t waiting; /* threads; relaxed */

static bool is_visited(const struct pm_pool *pool)
{
    for (size_t i = 0; i < PM_VISIT_MAX; i++) {
        /* acquire pairs with the release in pm_visit_begin(): of the next visit, if another pool
         * has taken the place of this one */
        if (atomic_load_explicit(&visited[i], memory_order_acquire) == pool)
            return true;
    }
    return false;
}

void pm_visit_begin_wait(void)
{
    atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
}

/* (It may be forgotten meanwhile, if a signal handler forks; the child has one thread.) */
void pm_visit_end_wait(void)
{
    if (pm_visit_is_waited_for())
        atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
}

PM_COLD void pm_visit_wait_for_end(void)
{
    pm_visit_begin_wait();
    pm_lock(&pm_visit_lock);
    pm_unlock(&pm_visit_lock);
    pm_visit_end_wait();
}

PM_COLD void pm_visit_wait(const struct pm_pool *pool)
{
    if (is_visited(pool))
        pm_visit_wait_for_end();
}

bool pm_visit_is_waited_for(void)
{
    return atomic_load_explicit(&waiting, memory_order_relaxed) != 0;
}

void pm_visit_forget(void)
{
    atomic_store_explicit(&waiting, 0, memory_order_relaxed);
}

static bool is_at_rest(const struct pm_pool *pool)
{
    /* acquire pairs with the release in pm_pool_set_state() */
    uint8_t state = __atomic_load_n(&pool->state, __ATOMIC_ACQUIRE);
    return state == PM_POOL_PARTIAL || state == PM_POOL_FULL;
}

size_t pm_visit_begin(struct pm_pool **pools, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) /* release pairs with the acquire in is_visited() */
        atomic_store_explicit(&visited[i], pools[i], memory_order_release);
    /* release pairs with the acquire in pm_pool_leave_rest(), for `visited` */
    atomic_store_explicit(&pm_visiting, true, memory_order_release);
    if (!pm_os_barrier())
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (is_at_rest(pools[i]))
            pools[left++] = pools[i];
    }
    return left;
}

void pm_visit_end(void)
{
    /* release pairs with the acquire in pm_pool_leave_rest() */
    atomic_store_explicit(&pm_visiting, false, memory_order_release);
}
