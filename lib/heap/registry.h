/*
 * registry.h - all heaps ever made.  A heap outlives its thread: it is kept,
 * without pools, for the next one, so a pointer to it (pool.h: origin) may be
 * stale but never dangles.
 */
#ifndef PM_HEAP_REGISTRY_H
#define PM_HEAP_REGISTRY_H

#include "heap/heap.h"
#include "os/lock.h"

extern struct pm_lock pm_registry_lock;

/* A heap without pools, now in use; NULL when memory runs out. */
struct pm_heap *pm_registry_obtain(void);

/* A heap that has no pools any more. */
void pm_registry_return(struct pm_heap *heap);

/* How many heaps are in use. */
size_t pm_registry_count(void);

/* The last heap made, and from each the one before it (`next`); under the lock. */
struct pm_heap *pm_registry_last_locked(void);

#endif /* PM_HEAP_REGISTRY_H */
