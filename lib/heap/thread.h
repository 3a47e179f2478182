/*
 * thread.h - the heap of each thread, from its first allocation to its end.
 */
#ifndef PM_HEAP_THREAD_H
#define PM_HEAP_THREAD_H

#include "heap/heap.h"
#include "os/lock.h"
#include "os/tls.h"

/* What a thread points to after its end handler has run: like pm_heap_none. */
extern struct pm_heap pm_heap_ended;

extern struct pm_lock pm_thread_late_lock;

/*
 * The entries of direct[] for sizes, of the thread's own heap: malloc finds them here one load
 * sooner, and the program waits for what it leads to.  (Not in libpymem.a, of which a process may
 * load many copies: what the loader keeps for the thread-local storage of all such libraries is 1.5
 * KB.)
 */
#define PM_TLS_DIRECT_COUNT (PM_EMBEDDED ? 1 : PM_DIRECT_OBJECTS)
extern __thread struct pm_pool *pm_tls_direct[PM_TLS_DIRECT_COUNT] PM_TLS;

/* Is it a heap of the thread's own, not one of the two that serve nothing? */
PM_INLINE bool pm_thread_has_heap(const struct pm_heap *heap)
{
    return heap != &pm_heap_none && heap != &pm_heap_ended;
}

/* What the calling thread's calls are served by from now on. */
PM_INLINE void pm_tls_set_heap(struct pm_heap *heap)
{
    pm_tls_heap = heap;
    pm_tls_tlb = heap->tlb_at;
}

/* Gives the calling thread a heap; NULL when memory runs out. */
struct pm_heap *pm_thread_begin(void);

/*
 * The heap that ended threads share, for the duration of one call; NULL when
 * memory runs out (unlock all the same).
 */
struct pm_heap *pm_thread_lock_late_heap(void);
void pm_thread_unlock_late_heap(void);

/* In a new child, where its pools float: the next use makes another. */
void pm_thread_forget_late_heap(void);

#endif /* PM_HEAP_THREAD_H */
