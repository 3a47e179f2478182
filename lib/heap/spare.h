/*
 * spare.h - the large blocks that a heap has freed last and keeps for its next ones: so threads
 * that take and free buffers of 32 to 256 KiB all the time, as those of servers do, need no lock.
 *
 * They are a part of what is in use.  Before the process uses more at one time than it ever did a
 * heap lets as many of its own go as that is too much, and before it takes fresh memory all of
 * them, so with one thread its peak is not theirs; all go each decay time.  A spare block is in no
 * owner map; its slices are taken.
 */
#ifndef PM_HEAP_SPARE_H
#define PM_HEAP_SPARE_H

#include "heap/heap.h"
#include "heap/large.h"

/* A block may be longer than it need be, by a quarter. */
#define PM_SPARE_SLACK ((size_t)4)

/* The calling thread keeps the block, which is in the owner map no more, and gets a heap for that
 * if it has none; false when the block is to be given back. */
bool pm_spare_keep(struct pm_large *large);

/* Takes one from a list that is not empty. */
PM_INLINE struct pm_large *pm_spare_pop(struct pm_heap *heap, size_t slices)
{
    struct pm_large *large = heap->spare[slices];
    heap->spare[slices] = large->next;
    if (large->next == NULL)
        heap->spare_lengths &= ~(1u << slices);
    heap->spare_slices -= slices;
    return large;
}

/* The shortest spare block that will do: of so many slices, or up to a quarter more, which is
 * resident as it is; NULL if there is none. */
PM_INLINE struct pm_large *pm_spare_take(struct pm_heap *heap, size_t slices)
{
    uint32_t lengths = slices <= PM_SPARE_LENGTHS ? heap->spare_lengths >> slices : 0;
    size_t surplus = lengths != 0 ? (size_t)__builtin_ctz(lengths) : SIZE_MAX;
    return surplus <= slices / PM_SPARE_SLACK ? pm_spare_pop(heap, slices + surplus) : NULL;
}

/* There is none: one that comes from the arenas with some others, where there are other threads and
 * the length is sought in vain time and again; or NULL, and an arena is to be asked: then those
 * that are spare have made room. */
struct pm_large *pm_spare_seek(struct pm_heap *heap, size_t slices);

/* So many slices more are to be used: gives all back if fresh memory would be taken for them; if
 * they make a record, as many as there are too many. */
void pm_spare_make_room(struct pm_heap *heap, size_t slices);

/* Gives all back, and begins anew to count what is sought in vain. */
void pm_spare_flush(struct pm_heap *heap);

/* The same in the child of a fork, for a heap whose thread was elsewhere: it may have been changing
 * a list, so the count and the lengths may be wrong. */
void pm_spare_inherit(struct pm_heap *heap);

/*
 * The invariants, asserted by the owner:
 *   a spare block is as long as its list says, and in no owner map
 *   as many slices are spare as are counted
 *   the lengths of spare blocks are known
 */
void pm_spare_check(const struct pm_heap *heap);

#endif /* PM_HEAP_SPARE_H */
