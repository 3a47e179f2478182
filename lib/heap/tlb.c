/*
 * tlb.c - see tlb.h.
 */
#include "heap/tlb.h"

#include <string.h>

/* Not of the file: a page of it that is read would have others mapped along. */
struct pm_pool *pm_tlb_none[PM_TLB_SLOTS] PM_TABLE;

void pm_tlb_forget(struct pm_heap *heap, const struct pm_pool *pool)
{
    for (size_t i = 0; i < pool->span.slices; i++) {
        struct pm_pool **slot = &heap->tlb[pm_tlb_index(pool->span.start + i * PM_SLICE)];
        if (*slot == pool)
            *slot = NULL;
    }
}

static bool is_touched(const struct pm_heap *heap, size_t group)
{
    return (heap->tlb_touched >> group & 1) != 0;
}

/* The other pages stay as they are, untouched or shared. */
void pm_tlb_clear(struct pm_heap *heap)
{
    for (size_t group = 0; group < PM_TLB_GROUPS; group++) {
        if (is_touched(heap, group))
            memset(heap->tlb + group * PM_TLB_GROUP, 0, PM_TLB_GROUP * sizeof *heap->tlb);
    }
    heap->tlb_touched = 0;
}

struct pm_pool *pm_tlb_next(const struct pm_heap *heap, size_t *at)
{
    while (*at < PM_TLB_SLOTS) {
        if (!is_touched(heap, *at / PM_TLB_GROUP)) {
            *at += PM_TLB_GROUP - *at % PM_TLB_GROUP;
            continue;
        }
        struct pm_pool *pool = heap->tlb[(*at)++];
        if (pool != NULL)
            return pool;
    }
    return NULL;
}
