/*
 * fork.c - see fork.h.
 */
#include "heap/fork.h"

#include <pthread.h>

#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/background.h"
#include "heap/common.h"
#include "heap/floating.h"
#include "heap/large.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "heap/sleeping.h"
#include "heap/spare.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/lock.h"
#include "os/os.h"
#include "os/tls.h"
#include "pool/visit.h"

/* Every lock of the library but the floating pools', in the order of lock.h. */
static struct pm_lock *const outer_locks[] = {&pm_common_lock,   &pm_thread_late_lock,
                                              &pm_provider_lock, &pm_visit_lock,
                                              &pm_registry_lock, &pm_transfer_lock};
static struct pm_lock *const inner_locks[] = {&pm_purge_lock, &pm_arena_lock, &pm_ownermap_lock,
                                              &pm_meta_lock};

static void for_each_lock(void (*act)(struct pm_lock *))
{
    for (size_t i = 0; i < sizeof outer_locks / sizeof *outer_locks; i++)
        act(outer_locks[i]);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        act(&pm_floating_lock[class]);
    for (size_t i = 0; i < sizeof inner_locks / sizeof *inner_locks; i++)
        act(inner_locks[i]);
}

static void lock(struct pm_lock *one)
{
    pm_lock(one);
}

static void unlock(struct pm_lock *one)
{
    pm_unlock(one);
}

static void reset(struct pm_lock *one)
{
    pm_lock_reset(one);
}

/* With no other thread there is nothing to keep out; and a signal handler may fork in the middle of
 * one of our calls, whose lock would never come. */
static void prepare(void)
{
    if (pm_alone())
        return;
    pm_os_streams_lock();
    pm_visit_begin_wait(); /* who visits stops soon */
    for_each_lock(lock);
    pm_visit_end_wait();
    pm_lock_set_forking_thread(pm_tls_self());
}

static void parent(void)
{
    if (!pm_lock_held_by_forking_thread())
        return;
    pm_lock_set_forking_thread(NULL);
    for_each_lock(unlock);
    pm_os_streams_unlock();
}

/* Of the child's only thread: its own heap, or the one that is none, and the common one, or NULL.
 */
static struct pm_heap *own, *common;

static bool is_own(const struct pm_heap *heap)
{
    return heap == own || heap == common;
}

/* Owned by a thread that is not in this process, or claimed by one just then? */
static bool is_orphan(struct pm_pool *pool)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    return (word & PM_REMOTE_OWNED) != 0 && !pm_pool_is_owned_by(pool, own) &&
           (common == NULL || !pm_pool_is_owned_by(pool, common));
}

/* Still: when the last of its blocks had come it may have gone, and who sent them not have
 * forgotten it yet. */
static bool is_pool(const struct pm_pool *pool)
{
    return pool != NULL && pm_ownermap_get((void *)pool->span.start) == &pool->span &&
           pool->span.kind == PM_SPAN_POOL;
}

/* What this thread, or one that is not in this process, was about to send it. */
static void recover(struct pm_pool *pool)
{
    if (is_pool(pool) && !is_orphan(pool) && pm_pool_recover(pool))
        pm_remote_see();
}

static void recover_all(void)
{
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        for (size_t i = 0; i < PM_BATCH_SLOTS; i++)
            recover(heap->batch[i].pool);
        recover(heap->sending);
    }
}

/* Nobody owns it, and it has got blocks all the same. */
static bool is_recovered(const struct pm_pool *pool)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    return (word & PM_REMOTE_OWNED) == 0 && PM_REMOTE_COUNT(word) != 0;
}

static void release(struct pm_pool *pool)
{
    atomic_fetch_or_explicit(&pool->remote, PM_REMOTE_OWNED, memory_order_relaxed);
    pm_floating_release(pool, true, false);
}

/* What the threads that are gone had in their hands becomes everybody's. */
static void inherit(struct pm_pool *pool)
{
    if (is_orphan(pool)) {
        pm_pool_rebuild(pool);
        release(pool);
    } else if (is_recovered(pool)) {
        release(pool);
    }
}

static void inherit_pools(struct pm_arena *arena)
{
    struct pm_span *span;
    for (size_t slice = 0; (span = pm_spans_next(arena, &slice)) != NULL;) {
        if (span->kind == PM_SPAN_POOL)
            inherit(pm_pool_of_span(span));
    }
}

/* What this thread was about to send has arrived with what the others were. */
static void forget_batches(struct pm_heap *heap)
{
    heap->sending = NULL;
    for (size_t i = 0; i < PM_BATCH_SLOTS; i++) {
        if (heap->batch[i].pool != NULL) /* else the page may stay as it is, and shared */
            heap->batch[i] = (struct pm_batch){.pool = NULL};
    }
}

/* A heap whose thread is gone starts anew; its pools float by now. */
static void return_heaps(void)
{
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        if (heap->in_use && !is_own(heap)) {
            forget_batches(heap);
            pm_spare_inherit(heap);
            pm_large_lose(heap);
            pm_heap_clear(heap);
            if (!pm_common_is_granted(heap))
                pm_registry_return(heap);
        }
    }
}

/* A signal handler may have forked within a call to the common heap, which is the thread's then; or
 * when that had just been said, but not yet where it finds its pools. */
static void find_own(bool was_alone)
{
    pm_tls_set_heap(pm_tls_heap);
    struct pm_heap *found = pm_registry_find(pm_tls_self());
    bool within = pm_thread_has_heap(pm_tls_heap) && found != pm_tls_heap;
    if (within)
        own = found != NULL ? found : &pm_heap_none;
    else
        own = pm_tls_heap;
    common = pm_common_inherit(own, was_alone, within);
}

/* Only this thread exists: a list that is read without its lock stays as it is. */
static void child(void)
{
    bool was_alone = !pm_lock_held_by_forking_thread();
    if (!was_alone)
        pm_os_streams_reset();
    pm_lock_set_forking_thread(NULL);
    for_each_lock(reset);
    pm_visit_forget();
    pm_sleeping_inherit();
    bool alone = !pm_background_forget();
    find_own(was_alone);
    if (alone && pm_registry_count() == (size_t)pm_thread_has_heap(own) + (common != NULL))
        return;
    recover_all();
    pm_purge_suspend(true); /* so that no arena goes away under the walk */
    for (struct pm_arena *arena = pm_arena_list, *next; arena != NULL; arena = next) {
        next = arena->next;
        if (!arena->dedicated)
            inherit_pools(arena);
    }
    pm_purge_suspend(false);
    if (pm_thread_has_heap(own))
        forget_batches(own);
    if (common != NULL)
        forget_batches(common);
    pm_thread_forget_late_heap();
    return_heaps();
}

void pm_fork_register(void)
{
    pthread_atfork(prepare, parent, child);
}
