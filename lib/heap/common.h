/*
 * common.h - whose heap serves the MEM and OBJ domains.
 *
 * An interpreter's calls come one at a time where it has one lock for all its threads.  With a
 * heap for each, forty threads that handle a request in turn would keep forty sets of pools, and
 * each object that another thread drops would be a remote free.  So all threads but the first have
 * one heap in common: whoever makes a call has it to himself.  The first one has its own, also for
 * malloc, as a process with one thread should not have two.
 *
 * heap->common says which it is, for the thread whose heap that is: pm_heap_none before its first
 * call.  The last thread that leaves lets the common heap's pools float, as those of a thread that
 * ends; and so does the child of a fork, where the threads that used it are gone.
 */
#ifndef PM_HEAP_COMMON_H
#define PM_HEAP_COMMON_H

#include "heap/alloc.h"
#include "os/lock.h"

extern struct pm_lock pm_common_lock;

/* Calls come one at a time from now on; or each thread has its own heap, as at first.  For threads
 * whose first call is still to come. */
void pm_common_share(bool share);

/* The thread of `heap` ends. */
void pm_common_leave(struct pm_heap *heap);

/* For the child of a fork: there is one thread, the first, with `heap` or without any. */
void pm_common_forget(struct pm_heap *heap);

/* Free pages inside the common heap's pools go back at the next call that reaches its slow half:
 * whose turn it is now, only the interpreter knows. */
void pm_common_trim(void);

/* As the functions of alloc.h: for buffers, */
void *pm_common_alloc_slow(size_t size);
void *pm_common_alloc_zeroed_array(size_t count, size_t size);
void *pm_common_realloc(void *block, size_t size, const char *call);

/* and for objects. */
void *pm_common_alloc_object_slow(size_t size);
void *pm_common_alloc_zeroed_objects(size_t count, size_t size);
void *pm_common_realloc_object(void *block, size_t size, const char *call);

void pm_common_free_missed(void *block, size_t size, const char *call);

PM_INLINE void *pm_common_alloc(size_t size)
{
    if (PM_LIKELY(size <= PM_DIRECT_MAX)) {
        struct pm_pool *pool = pm_heap_direct(pm_tls_heap->common, size);
        if (PM_LIKELY(pool->free != PM_LINK_NONE))
            return pm_pool_pop(pool);
    }
    return pm_common_alloc_slow(size);
}

PM_INLINE void *pm_common_alloc_object(size_t size)
{
    if (PM_UNLIKELY(size > PM_OBJECT_MAX))
        return pm_common_alloc(size);
    struct pm_pool *pool = pm_heap_direct_object(pm_tls_heap->common, size);
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_common_alloc_object_slow(size);
}

PM_INLINE void pm_common_free(void *address, const char *call)
{
    pm_free_in(pm_tls_heap->common, address, 0, call, pm_common_free_missed);
}

#endif /* PM_HEAP_COMMON_H */
