/*
 * fork.h - fork() in a process with several threads.
 *
 * The forking thread takes every lock first, in the order of lock.h, so that
 * the child's copies of all shared tables are whole; and before these that of libc's list
 * of streams (os.h says why).  The other threads' heaps
 * are copied as they happen to be, perhaps in the middle of a push; the child
 * rebuilds their pools from link[], which says of every block whether it is
 * live, and lets them float.
 */
#ifndef PM_HEAP_FORK_H
#define PM_HEAP_FORK_H

/* Installs the handlers; once. */
void pm_fork_register(void);

#endif /* PM_HEAP_FORK_H */
