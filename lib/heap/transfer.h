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

/* Takes what is on some of the lists, whose lengths are given as bits; as much as there is room
 * for: none for the process's only heap. */
void pm_transfer_put(struct pm_spare_lists *from, uint32_t lengths);

/* The same of a block that is on no list; false if there is no room. */
bool pm_transfer_put_one(struct pm_large *large);

/* Moves up to `most` blocks of a length that will do for so many slices; returns how many. */
size_t pm_transfer_take(struct pm_spare_lists *to, size_t slices, size_t most);

/* Without the lock: what another thread does at this moment may not be seen. */
bool pm_transfer_is_empty(void);

/* Gives at least so many slices back, the longest blocks first, but no more than there are when it
 * begins. */
void pm_transfer_give_back(size_t least);

/* So many slices more are to be used: gives back as many as pm_spare_excess() says. */
void pm_transfer_make_room(size_t slices);

/* Asserts the invariants of spare_lists.h. */
void pm_transfer_check(void);

#endif /* PM_HEAP_TRANSFER_H */
