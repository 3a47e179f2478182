/*
 * registry.h - all heaps ever made.  A heap outlives its thread: it is kept,
 * without pools, for the next one, so a pointer to it (pool.h: owner) may be
 * stale but never dangles.
 */
#ifndef PM_HEAP_REGISTRY_H
#define PM_HEAP_REGISTRY_H

#include <stdatomic.h>

#include "heap/heap.h"
#include "os/lock.h"

extern struct pm_lock pm_registry_lock;
extern _Atomic size_t pm_registry_in_use; /* written under the lock, read without; relaxed */

/*
 * A heap for the thread with this pm_tls_self(), or with NULL for no thread of its
 * own; NULL when memory runs out.  If the registry has one for that place
 * already, its thread has ended unnoticed, and its heap with its pools goes on.
 */
struct pm_heap *pm_registry_obtain(const void *thread);

/* The heap of the thread with this pm_tls_self(); NULL when it has none. */
struct pm_heap *pm_registry_find(const void *thread);

/* A heap that has no pools any more. */
void pm_registry_return(struct pm_heap *heap);

/* How many heaps are in use. */
PM_INLINE size_t pm_registry_count(void)
{
    return atomic_load_explicit(&pm_registry_in_use, memory_order_relaxed);
}

/* The last heap made, and from each the one before it (`next`); under the lock. */
struct pm_heap *pm_registry_last_locked(void);

#endif /* PM_HEAP_REGISTRY_H */
