/*
 * tlb.c - see tlb.h.
 */
#include "heap/tlb.h"

#include "arena/meta.h"

enum {
    GROWTH = 4,    /* times as many slots, where half of them are in use */
    DISPLACED = 4, /* of the slots: so many displace others before it is looked how full it is */
    SHRINK_BELOW = 32, /* of the slots are in use */
};

struct pm_pool *pm_tlb_nothing[1] = {&pm_pool_none};

static void clear(struct pm_pool **slot, size_t slots)
{
    for (size_t i = 0; i < slots; i++)
        slot[i] = &pm_pool_none;
}

void pm_tlb_lose(struct pm_tlb *tlb)
{
    clear(tlb->first, PM_TLB_FIRST);
    tlb->mask = PM_TLB_FIRST - 1;
    tlb->slot = tlb->first;
    tlb->displaced = 0;
}

void pm_tlb_reset(struct pm_tlb *tlb)
{
    struct pm_pool **slot = tlb->slot;
    size_t slots = tlb->mask + 1;
    pm_tlb_lose(tlb);
    if (slots > PM_TLB_FIRST)
        pm_meta_free(slot, slots * sizeof *slot);
}

static size_t count_entries(const struct pm_tlb *tlb)
{
    size_t count = 0;
    for (size_t i = 0; i <= tlb->mask; i++)
        count += tlb->slot[i] != &pm_pool_none;
    return count;
}

/* Those there are come back as blocks are freed into them. */
static void grow(struct pm_tlb *tlb)
{
    size_t slots = (tlb->mask + 1) * GROWTH;
    struct pm_pool **slot = pm_meta_alloc(slots * sizeof *slot);
    if (slot == NULL)
        return;
    clear(slot, slots);
    pm_tlb_reset(tlb);
    tlb->slot = slot;
    tlb->mask = slots - 1;
}

/* (Pools of two arenas may share slots however many there are.) */
static PM_NOINLINE void grow_if_full(struct pm_tlb *tlb)
{
    size_t slots = tlb->mask + 1;
    tlb->displaced = 0;
    if (slots < PM_TLB_MOST && count_entries(tlb) >= slots / 2)
        grow(tlb);
}

void pm_tlb_enter(struct pm_tlb *tlb, struct pm_pool *pool, const void *address)
{
    struct pm_pool **slot = pm_tlb_slot(tlb, address);
    if (*slot != &pm_pool_none && ++tlb->displaced > tlb->mask / DISPLACED) {
        grow_if_full(tlb);
        slot = pm_tlb_slot(tlb, address);
    }
    *slot = pool;
}

void pm_tlb_forget(struct pm_tlb *tlb, const struct pm_pool *pool)
{
    for (size_t i = 0; i < pool->span.slices; i++) {
        struct pm_pool **slot = pm_tlb_slot(tlb, (void *)(pool->span.start + i * PM_SLICE));
        if (*slot == pool)
            *slot = &pm_pool_none;
    }
}

void pm_tlb_shrink(struct pm_tlb *tlb)
{
    size_t slots = tlb->mask + 1;
    if (slots > PM_TLB_FIRST && count_entries(tlb) < slots / SHRINK_BELOW)
        pm_tlb_reset(tlb);
}
