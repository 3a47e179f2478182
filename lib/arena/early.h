/*
 * early.h - which free pages go before their time.
 *
 * Purging waits, for free pages may be wanted again.  Some would raise the process' peak
 * meanwhile: these go at once.
 */
#ifndef PM_ARENA_EARLY_H
#define PM_ARENA_EARLY_H

#include <stddef.h>

/* Why they go. */
enum pm_early {
    PM_EARLY_GROWTH, /* more is in use: they are in the way of growth */
    PM_EARLY_POOLS,  /* a pool has gone: so much was left by it and others */
    PM_EARLY_REASONS,
};

/*
 * All under pm_arena_lock.
 *
 * excess:  bytes that are to be purged now; they are booked as purged.
 * unbook:  so many were not purged after all, as another thread is purging.
 * refused: so many were not purged, as the system refuses or there are no more: it grows before
 *          growth tries again, and what pools leave stays booked.
 */
size_t pm_early_excess_locked(enum pm_early reason);
void pm_early_unbook_locked(enum pm_early reason, size_t bytes);
void pm_early_refused_locked(enum pm_early reason, size_t bytes);

#endif /* PM_ARENA_EARLY_H */
