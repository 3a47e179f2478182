/*
 * common.h - whose heap serves the MEM and OBJ domains.
 *
 * An interpreter's threads take turns, under its lock.  With a heap for each, forty threads that
 * handle a request in turn would keep forty sets of pools, and each object that another thread
 * drops would be a remote free.  So all have one heap in common: whoever makes a call has it to
 * himself.  The first thread has its own, as that of its malloc, since a process with one thread
 * should not have two; until there is another.
 *
 * Where there may be interpreters with locks of their own in the process (CPython from 3.12 on), a
 * thread may run the one now and another later, so it asks before each call whether it is its turn
 * in the one that the common heap is for, and uses its own heap when not.  As that takes time,
 * there the first few threads stay with their own.
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

enum pm_turns {
    PM_TURNS_NONE,  /* threads call at the same time: each has its own heap, as at first */
    PM_TURNS_ASKED, /* one has the lock if it says so: the functions that take `ask` ask */
    PM_TURNS_TAKEN, /* whoever calls has the lock */
};

/* For threads whose first call is still to come, of which `own_heaps` have their own heap (until
 * there are others, if the lock is always taken).  `is_turn` says whether the calling thread has
 * the lock; when it may be wrong about that, which only PM_TURNS_TAKEN allows, it says no. */
void pm_common_set_turns(enum pm_turns turns, bool (*is_turn)(void), size_t own_heaps);

/* The heap of a thread that does not only use its own: whose turn it is decides. */
struct pm_heap *pm_common_ask(struct pm_heap *own);

/* The thread of `heap` ends. */
void pm_common_leave(struct pm_heap *heap);

/* For the child of a fork, where there is one thread, whose heap is `own` (or the one that is
 * none). Returns the common heap if that goes on, as nobody else can have been at work in it: no
 * other thread used it, or this one was `within` a call.  NULL: it is to be taken apart, if there
 * was one. */
struct pm_heap *pm_common_inherit(struct pm_heap *own, bool within);

/* Gives free pages inside the common heap's pools back, and returns the bytes, if it is the calling
 * thread's turn; else the next call that reaches its slow half does. */
size_t pm_common_trim(void);

/* As the functions of alloc.h: for buffers, */
void *pm_common_alloc_slow(size_t size);
void *pm_common_alloc_zeroed_array(size_t count, size_t size);
void *pm_common_realloc(void *block, size_t size, const char *call);

/* and for objects. */
void *pm_common_alloc_object_slow(size_t size);
void *pm_common_alloc_zeroed_objects(size_t count, size_t size);
void *pm_common_realloc_object(void *block, size_t size, const char *call);

void pm_common_free_missed(void *block, size_t size, const char *call);
void pm_common_free_slow(struct pm_heap *heap, void *block, size_t size, const char *call);

PM_INLINE struct pm_heap *pm_common_heap(bool ask)
{
    struct pm_heap *own = pm_tls_heap, *heap = own->common;
    return ask && heap != own ? pm_common_ask(own) : heap;
}

PM_INLINE void *pm_common_alloc(size_t size, bool ask)
{
    if (PM_LIKELY(size <= PM_DIRECT_MAX)) {
        struct pm_pool *pool = pm_heap_direct(pm_common_heap(ask), size);
        if (PM_LIKELY(pool->free != PM_LINK_NONE))
            return pm_pool_pop(pool);
    }
    return pm_common_alloc_slow(size);
}

PM_INLINE void *pm_common_alloc_object(size_t size, bool ask)
{
    if (PM_UNLIKELY(size > PM_OBJECT_MAX))
        return pm_common_alloc(size, ask);
    struct pm_pool *pool = pm_heap_direct_object(pm_common_heap(ask), size);
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_common_alloc_object_slow(size);
}

PM_INLINE void pm_common_free(void *address, const char *call, bool ask)
{
    pm_free_in(pm_common_heap(ask), address, 0, call, pm_common_free_missed, pm_common_free_slow);
}

#endif /* PM_HEAP_COMMON_H */
