/*
 * spare_lists.c - see spare_lists.h.
 */
#include "heap/spare_lists.h"

#include "arena/spans.h"

_Static_assert(PM_SPARE_LENGTHS < 32, "each length has a bit in pm_spare_lists.lengths");

size_t pm_spare_lists_pop_longest(struct pm_spare_lists *lists, struct pm_span **spans,
                                  size_t *count, size_t least)
{
    size_t taken = 0;
    for (*count = 0; lists->lengths != 0 && *count < PM_SPARE_GIVEN && taken < least; ++*count) {
        size_t longest = pm_spare_lists_longest(lists);
        spans[*count] = &pm_spare_lists_pop(lists, longest)->span;
        taken += longest;
    }
    return taken;
}

void pm_spare_lists_give(struct pm_span *const *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pm_large_leave(pm_large_of_span(spans[i]));
    pm_spans_give_all(spans, count);
    for (size_t i = 0; i < count; i++)
        pm_large_forget(pm_large_of_span(spans[i]));
}

void pm_spare_lists_check(const struct pm_spare_lists *lists)
{
    size_t counted = 0;
    for (size_t slices = 0; slices <= PM_SPARE_LENGTHS; slices++) {
        const struct pm_large *large = lists->list[slices];
        if ((large != NULL) != (lists->lengths >> slices & 1))
            pm_fatal_broken("the lengths of spare blocks are known", lists);
        for (; large != NULL; large = large->next) {
            counted += large->span.slices;
            if (large->span.slices != slices)
                pm_fatal_broken("a spare block is as long as its list says", large);
            if (!pm_large_is_spare(large))
                pm_fatal_broken("a spare block is free", large);
        }
    }
    if (counted != lists->slices)
        pm_fatal_broken("as many slices are spare as are counted", lists);
}
