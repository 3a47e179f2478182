/*
 * thread.c - see thread.h.
 *
 * The end of a thread is noticed by a thread-specific-data destructor.  Others
 * run beside it and may free and allocate, so ours asks to be called again
 * twice before it takes the heap away; whatever comes later still is served by
 * one heap that all ended threads share under a lock.
 */
#include "heap/thread.h"

#include <pthread.h>

#include "heap/fork.h"
#include "heap/registry.h"
#include "os/tls.h"

/* Of the four rounds that POSIX grants (PTHREAD_DESTRUCTOR_ITERATIONS). */
enum { LAST_ROUND = 3 };

__thread struct pm_heap *pm_tls_heap PM_TLS = &pm_heap_none;

struct pm_heap pm_heap_ended;
struct pm_lock pm_thread_late_lock = PM_LOCK_INIT;

static struct pm_heap *late_heap; /* under pm_thread_late_lock; never given back */

static pthread_key_t end_key;
static atomic_bool started;   /* somebody has begun to set up */
static atomic_bool key_ready; /* end_key may be used */

static void end(void *argument)
{
    struct pm_heap *heap = argument;
    if (++heap->end_rounds < LAST_ROUND && pthread_setspecific(end_key, heap) == 0)
        return;
    pm_tls_heap = &pm_heap_ended;
    pm_heap_abandon(heap);
    pm_registry_return(heap);
}

/* Once per process.  What is called here may itself allocate: a heap is there already. */
static void set_up_once(void)
{
    if (atomic_exchange_explicit(&started, true, memory_order_relaxed))
        return;
    pm_heap_clear(&pm_heap_ended);
    pm_fork_register();
    if (pthread_key_create(&end_key, end) == 0) {
        /* release pairs with the acquire in pm_thread_begin() */
        atomic_store_explicit(&key_ready, true, memory_order_release);
    }
}

struct pm_heap *pm_thread_begin(void)
{
    struct pm_heap *heap = pm_registry_obtain();
    if (heap == NULL)
        return NULL;
    heap->end_rounds = 0;
    pm_tls_heap = heap;
    set_up_once();
    /* acquire pairs with the release in set_up_once() */
    if (atomic_load_explicit(&key_ready, memory_order_acquire))
        pthread_setspecific(end_key, heap);
    return heap;
}

struct pm_heap *pm_thread_lock_late_heap(void)
{
    pm_lock(&pm_thread_late_lock);
    if (late_heap == NULL)
        late_heap = pm_registry_obtain();
    return late_heap;
}

void pm_thread_unlock_late_heap(void)
{
    pm_unlock(&pm_thread_late_lock);
}

void pm_thread_forget_late_heap(void)
{
    late_heap = NULL;
}
