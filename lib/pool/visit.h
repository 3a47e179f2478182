/*
 * visit.h - another thread than a pool's owner, which sleeps say, gives its free pages back.
 *
 * A pool that is partial or full is at rest: its owner may free into it, which marks blocks free in
 * link[], but takes none.  So a page of it on which no block is live stays such until the pool is
 * current again, floats or goes; and who changes its state to that looks whether somebody visits
 * it, and waits (pm_pool_leave_rest).  The owner's calls are not held up otherwise, and no lock is
 * theirs.
 *
 * The pages of a visited pool are purged and that is all: its list may lead to blocks there, whose
 * pages come back as they are taken.  Only the arenas count them as unused (`away`), until the
 * owner purges the pool itself, or gives it back.
 */
#ifndef PM_POOL_VISIT_H
#define PM_POOL_VISIT_H

#include "os/lock.h"
#include "pool/pool.h"

/* Pools that are visited at a time: their owners may have to wait until all are left. */
#define PM_VISIT_MAX 16

/* One thread visits at a time; it had better stop when an owner waits. */
extern struct pm_lock pm_visit_lock;
bool pm_visit_is_waited_for(void);

/* Waits until nobody visits. */
void pm_visit_wait_for_end(void);

/* For who is about to wait for the lock, and does no more. */
void pm_visit_begin_wait(void);
void pm_visit_end_wait(void);

/*
 * Makes known that these are visited, at most PM_VISIT_MAX.  Those that are not at rest leave the
 * array, whose length is returned.  Under the lock, and under pm_arena_lock, so that none is gone
 * before.
 */
size_t pm_visit_begin(struct pm_pool **pools, size_t count);

/* All are left. */
void pm_visit_end(void);

/* In a new child, where nobody visits: nor does anybody wait. */
void pm_visit_forget(void);

#endif /* PM_POOL_VISIT_H */
