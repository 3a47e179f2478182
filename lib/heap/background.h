/*
 * background.h - option background_purge: a thread that gives memory back while the
 * program's own threads sleep.
 *
 * It takes nothing that a thread at work owns: free slices go, and free pages of floating pools,
 * and what heaps hold that sleep (sleeping.h).
 */
#ifndef PM_HEAP_BACKGROUND_H
#define PM_HEAP_BACKGROUND_H

#include <stdatomic.h>

#include "os/compiler.h"

/* Set once, at the start; relaxed, for a heap that hears of it late does no harm. */
extern atomic_bool pm_background_wanted;

PM_INLINE bool pm_background_is_wanted(void)
{
    return PM_UNLIKELY(atomic_load_explicit(&pm_background_wanted, memory_order_relaxed));
}

/* Starts the thread if it is wanted and not there: at the first occasion, and after a fork; so
 * inside some malloc or free, wherever that is called.  The caller holds no lock. */
void pm_background_ensure(void);

/* In a new child, which has no such thread; says whether the parent had. */
bool pm_background_forget(void);

#endif /* PM_HEAP_BACKGROUND_H */
