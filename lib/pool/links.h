/*
 * links.h - what is done with many links of a pool in a row, eight at a time: a pool that is built
 * up and dropped has each of its blocks carved once and asked once whether it is live, which took a
 * fifth of all that its malloc and free took.
 *
 * Both know the links by their first value and the step from each to the next; sums wrap around.
 */
#ifndef PM_POOL_LINKS_H
#define PM_POOL_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "os/compiler.h"

#define PM_LINKS_AT_ONCE 8

/* They begin at any link. */
typedef uint16_t pm_links __attribute__((vector_size(16), aligned(2), may_alias));

PM_INLINE pm_links pm_links_from(uint16_t first, uint16_t step)
{
    const pm_links steps = {0, 1, 2, 3, 4, 5, 6, 7};
    return steps * step + first;
}

/* Sets them. */
PM_INLINE void pm_links_set(uint16_t *link, uint32_t count, uint16_t first, uint16_t step)
{
    pm_links values = pm_links_from(first, step);
    uint16_t *end = link + count;
    for (; end - link >= PM_LINKS_AT_ONCE; link += PM_LINKS_AT_ONCE) {
        *(pm_links *)link = values;
        values += (uint16_t)(PM_LINKS_AT_ONCE * step);
    }
    for (uint16_t value = values[0]; link < end; link++, value += step)
        *link = value;
}

/* Is any of them what it would be? */
PM_INLINE bool pm_links_any(const uint16_t *link, uint32_t count, uint16_t first, uint16_t step)
{
    pm_links values = pm_links_from(first, step);
    const uint16_t *end = link + count;
    for (; end - link >= PM_LINKS_AT_ONCE; link += PM_LINKS_AT_ONCE) {
        union {
            pm_links each;
            uint64_t half[2];
        } same = {(pm_links)(*(const pm_links *)link == values)};
        if ((same.half[0] | same.half[1]) != 0)
            return true;
        values += (uint16_t)(PM_LINKS_AT_ONCE * step);
    }
    for (uint16_t value = values[0]; link < end; link++, value += step) {
        if (*link == value)
            return true;
    }
    return false;
}

#endif /* PM_POOL_LINKS_H */
