/*
 * spare.h - the large blocks that a heap has freed last and keeps for its next ones: so threads
 * that take and free buffers of 32 to 256 KiB all the time, as those of servers do, need no lock.
 *
 * They are a part of what is in use.  Before the process uses more at one time than it ever did a
 * heap lets as many of its own go as that is too much, and before it takes fresh memory all of
 * them, so with one thread its peak is not theirs; all go each decay time, and those of a thread
 * that sleeps are taken from it (sleeping.h).  Those that it has no room for go to other threads
 * (transfer.h).  A spare block is free, and stays in the owner map,
 * whose lines threads that have neighbouring blocks share.
 */
#ifndef PM_HEAP_SPARE_H
#define PM_HEAP_SPARE_H

#include "heap/heap.h"
#include "heap/thread.h"
#include "pool/visit.h"

/* The owner is at work on its lists until pm_spare_leave(); what this returns is for that one, as
 * one such call may lead to another.  Waits for a visitor, who has made itself known before it
 * looks whether the owner is at work, and had all threads execute a barrier in between. */
PM_INLINE bool pm_spare_enter(struct pm_heap *heap)
{
    bool before = atomic_load_explicit(&heap->spare_busy, memory_order_relaxed);
    atomic_store_explicit(&heap->spare_busy, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* pairs with the visitor's pm_os_barrier() */
    /* acquire pairs with the release in pm_spare_end_visit() */
    if (PM_UNLIKELY(atomic_load_explicit(&heap->spare_visited, memory_order_acquire)))
        pm_visit_wait_for_end();
    return before;
}

PM_INLINE void pm_spare_leave(struct pm_heap *heap, bool before)
{
    /* release pairs with the acquire in pm_spare_visit() */
    atomic_store_explicit(&heap->spare_busy, before, memory_order_release);
}

/* The slices that one heap may keep: all together a share of what the process uses. */
size_t pm_spare_share(void);

/* Of so many slices: larger blocks are not kept, and none where all is to go at once. */
bool pm_spare_may_be(size_t slices);

/* The calling thread keeps the block, which is free, and gets a heap for that if it has none; false
 * when the block is to be given back. */
bool pm_spare_keep(struct pm_large *large);

/* The shortest spare block that will do: of so many slices, or up to a quarter more, which is
 * resident as it is; NULL if there is none. */
PM_INLINE struct pm_large *pm_spare_take(struct pm_heap *heap, size_t slices)
{
    if (slices > PM_SPARE_LENGTHS || !pm_thread_has_heap(heap))
        return NULL;
    bool before = pm_spare_enter(heap);
    size_t found = pm_spare_lists_find(heap->spare.lengths, slices);
    struct pm_large *large = found != 0 ? pm_spare_lists_pop(&heap->spare, found) : NULL;
    pm_spare_leave(heap, before);
    return large;
}

/* There is none: one that other threads have left (transfer.h), or that comes from the arenas with
 * some others, where the length is sought in vain time and again; or NULL, and an arena is to be
 * asked: then those that are spare have made room. */
struct pm_large *pm_spare_seek(struct pm_heap *heap, size_t slices);

/* So many slices more are to be used: how many had better go first.  All, if fresh memory would be
 * taken for them; if they make a record, as many as there are too many. */
size_t pm_spare_excess(size_t slices);

/* Gives so many back, those of transfer.h before the heap's. */
void pm_spare_make_room(struct pm_heap *heap, size_t slices);

/* Gives all back, and begins anew to count what is sought in vain. */
void pm_spare_flush(struct pm_heap *heap);

/*
 * For a visitor, under pm_visit_lock: makes known that it visits heaps whose threads sleep; after a
 * pm_os_barrier() takes all from each, unless its owner is at work on them, and returns them,
 * linked by `next`, with those `taken` before; leaves it.
 */
void pm_spare_begin_visit(struct pm_heap *heap);
struct pm_large *pm_spare_visit(struct pm_heap *heap, struct pm_large *taken);
void pm_spare_end_visit(struct pm_heap *heap);

/* Takes as many of them as are given back under one lock; NULL if there are none. */
struct pm_large *pm_spare_split(struct pm_large **taken);

/* Gives these back, if any; under no lock, as that may lead to an arena allocator. */
void pm_spare_give(struct pm_large *taken);

/* The same in the child of a fork, for a heap whose thread was elsewhere: it may have been changing
 * a list, so the count and the lengths may be wrong. */
void pm_spare_inherit(struct pm_heap *heap);

/* Asserts the invariants of spare_lists.h; by the owner. */
void pm_spare_check(struct pm_heap *heap);

#endif /* PM_HEAP_SPARE_H */
