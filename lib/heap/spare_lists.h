/*
 * spare_lists.h - large blocks that are free and have not been given back, by their length. Whoever
 * has such lists changes each by one store, as another thread may fork at any moment: what the
 * child finds on them is spare, and what is on its way from or to a list is lost to it.
 */
#ifndef PM_HEAP_SPARE_LISTS_H
#define PM_HEAP_SPARE_LISTS_H

#include "heap/large.h"
#include "os/fatal.h"

/* Blocks of up to so many slices. */
#define PM_SPARE_LENGTHS ((size_t)16)

/* One may be longer than it need be, by a quarter. */
#define PM_SPARE_SLACK ((size_t)4)

struct pm_spare_lists {
    struct pm_large *list[PM_SPARE_LENGTHS + 1]; /* by slices, linked by `next` */
    uint32_t lengths;                            /* which of them are not empty, as bits */
    size_t slices;                               /* on them */
};

PM_INLINE void pm_spare_lists_push(struct pm_spare_lists *lists, struct pm_large *large)
{
    size_t slices = large->span.slices;
    large->next = lists->list[slices];
    /* release pairs with the forking thread's look at all memory: the list goes on behind it */
    atomic_thread_fence(memory_order_release);
    lists->list[slices] = large;
    lists->lengths |= 1u << slices;
    lists->slices += slices;
}

/* From a list that is not empty. */
PM_INLINE struct pm_large *pm_spare_lists_pop(struct pm_spare_lists *lists, size_t slices)
{
    struct pm_large *large = lists->list[slices];
    /* Two threads may have freed it at the same moment. */
    if (PM_UNLIKELY(!pm_large_is_spare(large)) || PM_UNLIKELY(large->span.slices != slices))
        pm_fatal_broken("a spare block is free, and as long as its list says", large);
    lists->list[slices] = large->next;
    if (large->next == NULL)
        lists->lengths &= ~(1u << slices);
    lists->slices -= slices;
    return large;
}

/* How long the shortest blocks are that will do for so many slices, or 0. */
PM_INLINE size_t pm_spare_lists_find(uint32_t lengths, size_t slices)
{
    if (slices > PM_SPARE_LENGTHS || lengths >> slices == 0)
        return 0;
    size_t surplus = (size_t)__builtin_ctz(lengths >> slices);
    return surplus <= slices / PM_SPARE_SLACK ? slices + surplus : 0;
}

PM_INLINE size_t pm_spare_lists_longest(const struct pm_spare_lists *lists)
{
    return 31 - (size_t)__builtin_clz(lists->lengths);
}

/*
 * The invariants, asserted by whoever has the lists:
 *   a spare block is free, and as long as its list says
 *   as many slices are spare as are counted
 *   the lengths of spare blocks are known
 */
void pm_spare_lists_check(const struct pm_spare_lists *lists);

/* So many are given back at a time: each time takes a lock. */
#define PM_SPARE_GIVEN ((size_t)8)

/* Takes the longest blocks until they have so many slices, or are PM_SPARE_GIVEN, or none is left;
 * returns how many slices they have. */
size_t pm_spare_lists_pop_longest(struct pm_spare_lists *lists, struct pm_span **spans,
                                  size_t *count, size_t least);

/* Gives back so many blocks that are on no list any more. */
void pm_spare_lists_give(struct pm_span *const *spans, size_t count);

#endif /* PM_HEAP_SPARE_LISTS_H */
