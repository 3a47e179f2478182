/*
 * background.c - see background.h.
 */
#include "heap/background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "arena/purge.h"
#include "heap/heap.h"
#include "heap/sleeping.h"
#include "os/os.h"

/* Beside the least that the system demands, in bytes; and the shortest sleep. */
enum { STACK_BYTES = 64 * 1024, NAP_MS = 20 };

atomic_bool pm_background_wanted PM_READ_MOSTLY;

static atomic_bool running; /* relaxed: of two that see it false one starts the thread */

/* While the program runs, its own threads do what is to be done. */
static bool is_quiet(uint64_t now, int64_t decay)
{
    return decay >= 0 && now >= pm_heap_last_call_ms() + (uint64_t)decay;
}

static void *run(void *unused)
{
    for (;;) {
        int64_t decay = pm_purge_decay();
        pm_os_sleep_ms(decay > 2 * NAP_MS ? (uint64_t)decay / 2 : NAP_MS);
        uint64_t now = pm_os_clock_ms();
        pm_purge_tick(now);
        bool quiet = is_quiet(now, decay);
        if (quiet)
            pm_heap_purge_floating(true);
        if (decay >= 0)
            pm_sleeping_purge(now, (uint64_t)decay, quiet);
    }
    return unused;
}

static bool start(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t stack = pm_os_thread_stack_min() + STACK_BYTES;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_attr_setstacksize(&attributes, stack) == 0 &&
                   pthread_create(&thread, &attributes, run, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

/* The program's signals are for the program's threads. */
static bool start_without_signals(void)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = start();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void pm_background_ensure(void)
{
    if (!pm_background_is_wanted() || pm_purge_decay() < 0 ||
        atomic_load_explicit(&running, memory_order_relaxed) ||
        atomic_exchange_explicit(&running, true, memory_order_relaxed))
        return;
    int saved = errno;
    if (!start_without_signals())
        atomic_store_explicit(&pm_background_wanted, false, memory_order_relaxed);
    errno = saved;
}

bool pm_background_forget(void)
{
    return atomic_exchange_explicit(&running, false, memory_order_relaxed);
}
