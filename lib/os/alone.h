/*
 * alone.h - what a process with one thread can do without locked instructions.  Each of those waits
 * until all stores before it have left the processor: they are three quarters of the time that a
 * large block takes.  (glibc's malloc does the same.)
 *
 * libc says that the process is alone until pthread_create() is called; the new thread sees all
 * that was stored before.  So what follows is as good as atomic, and without an order of its own
 * there is nothing to pair with.  (Of a thread that was made with clone() libc knows nothing: such
 * cannot use its malloc either.)
 */
#ifndef PM_OS_ALONE_H
#define PM_OS_ALONE_H

#include <stdatomic.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "os/compiler.h"

/* Has the process no other thread?  False where libc does not know. */
PM_INLINE bool pm_alone(void)
{
#if __has_include(<sys/single_threaded.h>)
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

/* If the atomic `*word`, of whatever width, is `from` it becomes `to`; false when it is not. */
#define PM_ALONE_CHANGE(word, from, to)                                                            \
    (atomic_load_explicit(word, memory_order_relaxed) == (from) &&                                 \
     (atomic_store_explicit(word, to, memory_order_relaxed), true))

/* Adds to a counter on which nothing hangs, alone or not; returns what it is now. */
PM_INLINE size_t pm_count_up(_Atomic size_t *counter, size_t more)
{
    if (!pm_alone())
        return atomic_fetch_add_explicit(counter, more, memory_order_relaxed) + more;
    size_t now = atomic_load_explicit(counter, memory_order_relaxed) + more;
    atomic_store_explicit(counter, now, memory_order_relaxed);
    return now;
}

#endif /* PM_OS_ALONE_H */
