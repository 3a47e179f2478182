/*
 * tlb.c - see tlb.h.
 */
#include "heap/tlb.h"

#include <string.h>

void pm_tlb_forget(struct pm_tlb *tlb, const struct pm_pool *pool)
{
    size_t first = pool->span.start >> PM_SLICE_SHIFT;
    for (size_t i = 0; i < pool->span.slices; i++) {
        struct pm_pool **slot = &tlb->slot[(first + i) % PM_TLB_SLOTS];
        if (*slot == pool)
            *slot = NULL;
    }
}

static bool is_touched(const struct pm_tlb *tlb, size_t group)
{
    return (tlb->touched >> group & 1) != 0;
}

/* The other pages stay as they are, untouched or shared. */
void pm_tlb_clear(struct pm_tlb *tlb)
{
    for (size_t group = 0; group < PM_TLB_GROUPS; group++) {
        if (is_touched(tlb, group))
            memset(tlb->slot + group * PM_TLB_GROUP, 0, PM_TLB_GROUP * sizeof *tlb->slot);
    }
    tlb->touched = 0;
}

struct pm_pool *pm_tlb_next(const struct pm_tlb *tlb, size_t *at)
{
    while (*at < PM_TLB_SLOTS) {
        if (!is_touched(tlb, *at / PM_TLB_GROUP)) {
            *at += PM_TLB_GROUP - *at % PM_TLB_GROUP;
            continue;
        }
        struct pm_pool *pool = tlb->slot[(*at)++];
        if (pool != NULL)
            return pool;
    }
    return NULL;
}
