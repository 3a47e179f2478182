/*
 * common.h - the heap that an interpreter's threads have in common, for the MEM and OBJ domains.
 *
 * They take turns, under the interpreter's lock.  With a heap for each, forty threads that
 * handle a request in turn would keep forty sets of pools, and each object that another thread
 * drops would be a remote free.  In a heap that all use, whoever makes a call has it to himself.
 *
 * Where whoever calls has the lock (CPython up to 3.11) the common heap is granted: it serves all
 * threads from the first call on, without a look at who calls, and is never given back.
 *
 * Where there may be interpreters with locks of their own in the process (from 3.12 on), a
 * thread may run the one now and another later, so it asks before each call whether it is its turn
 * in the one that the common heap is for, and uses its own heap when not.  As that takes time,
 * the first few threads stay with their own.  heap->common says which it is, for the thread whose
 * heap that is: pm_heap_none before its first call.  The last thread that leaves lets the common
 * heap's pools float, as those of a thread that ends.
 *
 * In the child of a fork the common heap's pools float, too, when a thread that is gone may have
 * been at work in it.
 */
#ifndef PM_HEAP_COMMON_H
#define PM_HEAP_COMMON_H

#include "heap/heap.h"
#include "os/lock.h"
#include "os/tls.h"

extern struct pm_lock pm_common_lock;

/*
 * Of these two one is called, once, before the interpreter makes calls; in programs without one
 * none.  `is_turn` says whether the calling thread has the lock.
 *
 * Makes the heap that is granted; NULL: no memory.  Only a thread that forks asks.
 */
struct pm_heap *pm_common_grant(bool (*is_turn)(void));

/* Threads ask before each call; so many of them have their own heap. */
void pm_common_let_ask(bool (*is_turn)(void), size_t own_heaps);

/* Where threads ask: the heap that serves this one without; pm_heap_none: it has to ask, in the
 * slow half of each call. */
extern __thread struct pm_heap *pm_tls_common PM_TLS;

/* The heap that this call is for then; pm_heap_none or pm_heap_ended: none of its own. */
struct pm_heap *pm_common_ask(void);

/* A call is about to work in it: does what had to wait for somebody's turn. */
void pm_common_entered(struct pm_heap *common);

/* The thread of `heap` ends. */
void pm_common_leave(struct pm_heap *heap);

/* The thread has looked at the clock in `heap`.  Where the common heap is granted and there is no
 * other thread, purges what is due there, lest it wait for an interpreter that is gone. */
void pm_common_look(const struct pm_heap *heap, uint64_t now);

/* Gives free pages inside the common heap's pools back, and returns the bytes, if the calling
 * thread has it to itself; else the next call that reaches its slow half does. */
size_t pm_common_trim(void);

/* For the child of a fork, where there is one thread, whose heap is `own` (or the one that is
 * none).  It was the only one before, or not, and `within` a call into the common heap, or not.
 * Returns the common heap if that goes on, as nobody else can have been at work in it.  NULL: it
 * is to be taken apart, if there is one. */
struct pm_heap *pm_common_inherit(struct pm_heap *own, bool was_alone, bool within);

/* Is it the one that is never given back? */
bool pm_common_is_granted(const struct pm_heap *heap);

#endif /* PM_HEAP_COMMON_H */
