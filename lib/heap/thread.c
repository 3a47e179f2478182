/*
 * thread.c - see thread.h.
 *
 * The end of a thread is noticed by a thread-specific-data destructor.  Others
 * that run after it may still free and allocate: they are served by one heap
 * that all ended threads share under a lock.  A thread whose first allocation
 * comes in the very last round of its destructors ends unnoticed; its heap (and what
 * it was about to send to others) goes to the next thread that is given the same place in memory
 * (registry.c).
 */
#include "heap/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "heap/common.h"
#include "heap/fork.h"
#include "heap/registry.h"
#include "heap/tlb.h"
#include "os/os.h"
#include "os/tls.h"

__thread struct pm_heap *pm_tls_heap PM_TLS = &pm_heap_none;
__thread struct pm_pool *const *pm_tls_tlb PM_TLS = pm_tlb_none;
__thread struct pm_pool *pm_tls_direct[PM_TLS_DIRECT_COUNT] PM_TLS = {
    [0 ... PM_TLS_DIRECT_COUNT - 1] = &pm_pool_none,
};

struct pm_heap pm_heap_ended PM_TABLE;
struct pm_lock pm_thread_late_lock = PM_LOCK_INIT;

/* Under pm_thread_late_lock. */
static struct pm_heap *late_heap;  /* never given back */
static atomic_bool ended_is_ready; /* written there */

static pthread_key_t end_key;
static atomic_bool started; /* somebody has begun to set up */

enum key_state { KEY_NONE, KEY_READY, KEY_REFUSED };
static _Atomic enum key_state key_state;

/* Not before some thread ends: most processes never need it. */
static void prepare_ended(void)
{
    /* acquire pairs with the release below */
    if (atomic_load_explicit(&ended_is_ready, memory_order_acquire))
        return;
    pm_lock(&pm_thread_late_lock);
    if (!atomic_load_explicit(&ended_is_ready, memory_order_relaxed)) {
        pm_heap_ended = pm_heap_none;
        /* release pairs with the acquire above */
        atomic_store_explicit(&ended_is_ready, true, memory_order_release);
    }
    pm_unlock(&pm_thread_late_lock);
}

/* What it serves is found by its thread. */
static void show(struct pm_heap *heap)
{
    if (PM_EMBEDDED)
        return;
    heap->tls_direct = pm_tls_direct;
    memcpy(pm_tls_direct, heap->direct, sizeof pm_tls_direct);
}

static void hide(struct pm_heap *heap)
{
    heap->tls_direct = NULL;
    memcpy(pm_tls_direct, pm_heap_none.direct, sizeof pm_tls_direct);
}

static void end(void *argument)
{
    struct pm_heap *heap = argument;
    prepare_ended();
    hide(heap);
    pm_tls_set_heap(&pm_heap_ended);
    pm_common_leave(heap);
    pm_heap_abandon(heap);
    pm_registry_return(heap);
}

/* Once per process.  What is called here may itself allocate: a heap is there already. */
static void set_up(void)
{
    bool made = pthread_key_create(&end_key, end) == 0;
    pm_fork_register();
    /* release pairs with the acquire in key_is_ready() */
    atomic_store_explicit(&key_state, made ? KEY_READY : KEY_REFUSED, memory_order_release);
}

/* Waits for a thread that is setting up at this moment. */
static bool key_is_ready(void)
{
    enum key_state state;
    /* acquire pairs with the release in set_up() */
    while ((state = atomic_load_explicit(&key_state, memory_order_acquire)) == KEY_NONE)
        pm_os_pause();
    return state == KEY_READY;
}

struct pm_heap *pm_thread_begin(void)
{
    int saved = errno; /* free() leads here, too */
    struct pm_heap *heap = pm_registry_obtain(pm_tls_self());
    if (heap == NULL)
        return NULL;
    pm_tls_set_heap(heap);
    show(heap);
    if (!atomic_exchange_explicit(&started, true, memory_order_relaxed))
        set_up();
    if (key_is_ready())
        pthread_setspecific(end_key, heap);
    errno = saved;
    return heap;
}

struct pm_heap *pm_thread_lock_late_heap(void)
{
    pm_lock(&pm_thread_late_lock);
    if (late_heap == NULL)
        late_heap = pm_registry_obtain(NULL);
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
