/*
 * idle.h - when current pools go in which nothing is live.
 */
#ifndef PM_HEAP_IDLE_H
#define PM_HEAP_IDLE_H

#include "heap/heap.h"

/* A pool is about to be made: lets those go that are in the way, and tidies for growth. */
void pm_idle_look(struct pm_heap *heap);

/* Lets all go. */
void pm_idle_drop(struct pm_heap *heap);

#endif /* PM_HEAP_IDLE_H */
