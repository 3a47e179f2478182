/*
 * lock.c - the part of lock.h that waits.
 *
 * The three states are those of Ulrich Drepper's "Futexes Are Tricky" (2011),
 * section 6, second mutex.
 */
#include "os/lock.h"

#include "os/os.h"
#include "os/tls.h"

enum { SPINS = 64 };

static _Atomic(const void *) forking_thread PM_READ_MOSTLY;

void pm_lock_set_forking_thread(const void *self)
{
    atomic_store_explicit(&forking_thread, self, memory_order_relaxed);
}

/* Relaxed: only the thread that stored its own address can find it equal. */
bool pm_lock_held_by_forking_thread(void)
{
    const void *holder = atomic_load_explicit(&forking_thread, memory_order_relaxed);
    return PM_UNLIKELY(holder != NULL) && holder == pm_tls_self();
}

void pm_lock_slow(struct pm_lock *lock)
{
    if (pm_lock_held_by_forking_thread())
        return;
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = 0;
        /* acquire pairs with the release in pm_unlock() */
        if (atomic_compare_exchange_weak_explicit(&lock->state, &expected, 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
        pm_os_pause();
    }
    /* acquire pairs with the release in pm_unlock() */
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0)
        pm_os_wait(&lock->state, 2);
}

void pm_unlock_slow(struct pm_lock *lock)
{
    pm_os_wake_one(&lock->state);
}
