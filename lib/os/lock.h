/*
 * lock.h - the library's mutex: four bytes, no allocation, sleeps when it must
 * wait, and can be held across fork().
 *
 * Order in which locks may be taken, outermost first (fork.c takes them all in
 * this order):
 *   common heap > heap of ended threads > arena provider > visits > registry of heaps >
 *   large blocks handed on > floating pools, by class > purging > arenas > owner map > metadata
 */
#ifndef PM_OS_LOCK_H
#define PM_OS_LOCK_H

#include "os/alone.h"

struct pm_lock {
    _Atomic uint32_t state; /* 0 free, 1 held, 2 held and somebody may sleep */
};

#define PM_LOCK_INIT                                                                               \
    {                                                                                              \
        0                                                                                          \
    }

void pm_lock_slow(struct pm_lock *lock);
void pm_unlock_slow(struct pm_lock *lock);

/*
 * Between the fork handlers the forking thread holds every lock, and handlers
 * of other libraries may allocate: for that thread locking then succeeds at
 * once and unlocking does nothing.  `self` is any address of the thread's own;
 * NULL ends it.
 */
void pm_lock_set_forking_thread(const void *self);
bool pm_lock_held_by_forking_thread(void);

/* False when somebody holds it. */
PM_INLINE bool pm_trylock(struct pm_lock *lock)
{
    uint32_t expected = 0;
    if (pm_alone())
        return PM_ALONE_CHANGE(&lock->state, expected, 1);
    /* acquire pairs with the release in pm_unlock() */
    return atomic_compare_exchange_strong_explicit(&lock->state, &expected, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

PM_INLINE void pm_lock(struct pm_lock *lock)
{
    if (PM_UNLIKELY(!pm_trylock(lock)))
        pm_lock_slow(lock);
}

PM_INLINE void pm_unlock(struct pm_lock *lock)
{
    if (PM_UNLIKELY(pm_lock_held_by_forking_thread()))
        return;
    if (pm_alone() && PM_ALONE_CHANGE(&lock->state, 1, 0))
        return;
    /* release pairs with the acquire in pm_trylock() and pm_lock_slow() */
    if (PM_UNLIKELY(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2))
        pm_unlock_slow(lock);
}

/* In a new child: as if it had never been taken. */
PM_INLINE void pm_lock_reset(struct pm_lock *lock)
{
    atomic_store_explicit(&lock->state, 0, memory_order_relaxed);
}

#endif /* PM_OS_LOCK_H */
