/*
 * spare.h - the large blocks that a heap has freed last and keeps for its next ones: so threads
 * that take and free buffers of 32 to 128 KiB all the time, as those of servers do, need no lock.
 *
 * They are little, and they go before the heap asks the arenas for anything, so a process does
 * not grow for their sake.  A spare block is in no owner map; its slices are taken.
 */
#ifndef PM_HEAP_SPARE_H
#define PM_HEAP_SPARE_H

#include "heap/heap.h"
#include "heap/large.h"

/* The calling thread keeps the block, which is in the owner map no more, and gets a heap for that
 * if it has none; false when the block is to be given back. */
bool pm_spare_keep(struct pm_large *large);

/* A spare block of just so many slices; NULL when there is none. */
struct pm_large *pm_spare_take(struct pm_heap *heap, size_t slices);

/* Gives all back. */
void pm_spare_flush(struct pm_heap *heap);

#endif /* PM_HEAP_SPARE_H */
