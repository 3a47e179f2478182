/*
 * sleeping.h - heaps whose threads make no call: what is free inside their pools goes back all the
 * same, on the occasion of another thread's calls.
 *
 * A thread that waits for work keeps pools in which it has freed, or others have.  Its own next
 * call would give their free pages back (heap_purge.c), and may never come.
 */
#ifndef PM_HEAP_SLEEPING_H
#define PM_HEAP_SLEEPING_H

#include "heap/heap.h"

/*
 * For a thread that has just looked at the clock (ms): visits some pools of heaps that have not
 * done so for two decay times; as many as the time since the last such call allows, so that all
 * have been visited within some decay times; with `all`, as no thread of the program is at
 * work, of all that sleep.  A heap that sleeps on is visited again when it has slept twice as long,
 * for what others free into it meanwhile.  With the first of them goes what is handed on from
 * thread to thread (transfer.h).  Returns the bytes given back.
 */
size_t pm_sleeping_purge(uint64_t now, uint64_t decay, bool all);

/* In a new child: what a visitor of the parent was about to give back. */
void pm_sleeping_inherit(void);

#endif /* PM_HEAP_SLEEPING_H */
