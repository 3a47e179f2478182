/*
 * pool_purge.h - giving pages inside a pool back while some of its blocks live.
 *
 * What goes of several pools goes together (pm_os_purge()).  Its blocks are withheld before, lest
 * somebody use them in between: for that while pages are called clean that are not yet, which
 * pm_pool_rebuild() puts right in the child of a fork.
 */
#ifndef PM_POOL_POOL_PURGE_H
#define PM_POOL_POOL_PURGE_H

#include "os/os.h"
#include "pool/pool.h"

enum { PM_POOL_PURGE_RUNS = 64 }; /* what pm_os_purge() takes */

/* What is about to go. */
struct pm_pool_purge {
    size_t bytes; /* gone so far */
    size_t count;
    struct pm_os_run run[PM_POOL_PURGE_RUNS];
    struct {
        struct pm_pool *pool;
        uint64_t used; /* the run's pages that were not clean */
    } of[PM_POOL_PURGE_RUNS];
};

/* Nothing is. */
PM_INLINE void pm_pool_purge_begin(struct pm_pool_purge *purge)
{
    purge->bytes = purge->count = 0;
}

/*
 * Withholds the blocks on the pages on which none is in use, and notes that these are to go; until
 * they have, the pool may neither carve nor go.  The pool is the caller's.
 */
void pm_pool_purge(struct pm_pool_purge *purge, struct pm_pool *pool);

/* Gives what is noted back to the system; where that refuses, the blocks are on `free` again.
 * Returns the bytes of all that has gone since the beginning. */
size_t pm_pool_purge_noted(struct pm_pool_purge *purge);

/* The same for who visits the pools, at once and without withholding anything: the pages are
 * counted as gone, but are the pool's as before.  Returns the bytes. */
size_t pm_pool_purge_visited(struct pm_pool *const *pools, size_t count);

#endif /* PM_POOL_POOL_PURGE_H */
