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
#include "heap/floating.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "os/lock.h"
#include "os/tls.h"

/* Every lock of the library but the floating pools', in the order of lock.h. */
static struct pm_lock *const outer_locks[] = {&pm_thread_late_lock, &pm_provider_lock,
                                              &pm_registry_lock};
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

static void prepare(void)
{
    for_each_lock(lock);
    pm_lock_set_forking_thread(pm_tls_self());
}

static void parent(void)
{
    pm_lock_set_forking_thread(NULL);
    for_each_lock(unlock);
}

/* Owned by a thread that is not in this process, or claimed by one just then? */
static bool is_orphan(struct pm_pool *pool)
{
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    return (word & PM_REMOTE_OWNED) != 0 &&
           atomic_load_explicit(&pool->owner, memory_order_relaxed) != pm_tls_heap;
}

static void rebuild_orphans(struct pm_arena *arena)
{
    struct pm_span *span;
    for (size_t slice = 0; (span = pm_spans_next(arena, &slice)) != NULL;) {
        if (span->kind != PM_SPAN_POOL || !is_orphan(pm_pool_of_span(span)))
            continue;
        pm_pool_rebuild(pm_pool_of_span(span));
        pm_floating_release(pm_pool_of_span(span), true, false);
    }
}

/* A heap whose thread is gone starts anew; its pools float by now. */
static void return_heaps(void)
{
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        if (heap->in_use && heap != pm_tls_heap) {
            pm_heap_clear(heap);
            pm_registry_return(heap);
        }
    }
}

/* Only this thread exists: a list that is read without its lock stays as it is. */
static void child(void)
{
    pm_lock_set_forking_thread(NULL);
    for_each_lock(reset);
    size_t own = pm_thread_has_heap(pm_tls_heap);
    if (pm_registry_count() == own)
        return;
    pm_purge_suspend(true); /* so that no arena goes away under the walk */
    for (struct pm_arena *arena = pm_arena_list, *next; arena != NULL; arena = next) {
        next = arena->next;
        if (!arena->dedicated)
            rebuild_orphans(arena);
    }
    pm_purge_suspend(false);
    pm_thread_forget_late_heap();
    return_heaps();
}

void pm_fork_register(void)
{
    pthread_atfork(prepare, parent, child);
}
