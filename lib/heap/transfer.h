/*
 * transfer.h - spare large blocks on their way from threads that free more of them than they take
 * to those that take more: so neither asks the arenas.  Nobody's heap has them; they are a part of
 * what is in use, as those of heaps are (spare.h), and go at the same times.
 */
#ifndef PM_HEAP_TRANSFER_H
#define PM_HEAP_TRANSFER_H

#include "heap/spare_lists.h"
#include "os/lock.h"

extern struct pm_lock pm_transfer_lock;

/* Is there room for so many slices more?  Never in a process with one thread. */
bool pm_transfer_has_room(size_t slices);

/* Takes all that is on some of the lists, whose lengths are given as bits. */
void pm_transfer_put(struct pm_spare_lists *from, uint32_t lengths);

/* Moves up to `most` blocks of a length that will do for so many slices; returns how many. */
size_t pm_transfer_take(struct pm_spare_lists *to, size_t slices, size_t most);

/* Without the lock: what another thread does at this moment may not be seen. */
bool pm_transfer_is_empty(void);

/* Gives all back. */
void pm_transfer_flush(void);

/* Asserts the invariants of spare_lists.h. */
void pm_transfer_check(void);

#endif /* PM_HEAP_TRANSFER_H */
