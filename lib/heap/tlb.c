/*
 * tlb.c - see tlb.h.
 */
#include "heap/tlb.h"

#include <string.h>

#include "arena/meta.h"

enum {
    GROWTH = 4,    /* times as many slots, where half of them are in use */
    DISPLACED = 4, /* of the slots: so many displace others before it is looked how full it is */
    SHRINK_BELOW = 32, /* of the slots are in use */
};

struct pm_pool *pm_tlb_nothing[1];

/* Of the thread's heap, perhaps. */
static void use(struct pm_tlb *tlb, struct pm_pool **slot, size_t slots)
{
    bool is_threads = pm_tls.tlb.slot == tlb->now.slot;
    tlb->now = (struct pm_tlb_slots){slot, slots - 1};
    tlb->displaced = 0;
    if (is_threads)
        pm_tls.tlb = tlb->now;
}

void pm_tlb_lose(struct pm_tlb *tlb)
{
    memset(tlb->first, 0, PM_TLB_FIRST * sizeof *tlb->first);
    use(tlb, tlb->first, PM_TLB_FIRST);
}

static size_t slots_of(const struct pm_tlb *tlb)
{
    return tlb->now.mask + 1;
}

void pm_tlb_reset(struct pm_tlb *tlb)
{
    struct pm_pool **slot = tlb->now.slot;
    size_t slots = slots_of(tlb);
    pm_tlb_lose(tlb);
    if (slots > PM_TLB_FIRST)
        pm_meta_free(slot, slots * sizeof *slot);
}

static size_t count_entries(const struct pm_tlb *tlb)
{
    size_t count = 0;
    for (size_t i = 0; i < slots_of(tlb); i++)
        count += tlb->now.slot[i] != NULL;
    return count;
}

/* Those there are come back as blocks are freed into them. */
static void grow(struct pm_tlb *tlb)
{
    size_t slots = slots_of(tlb) * GROWTH;
    struct pm_pool **slot = pm_meta_alloc(slots * sizeof *slot);
    if (slot == NULL)
        return;
    pm_tlb_reset(tlb);
    use(tlb, slot, slots);
}

/* (Pools of two arenas may share slots however many there are.) */
static PM_NOINLINE void grow_if_full(struct pm_tlb *tlb)
{
    size_t slots = slots_of(tlb);
    tlb->displaced = 0;
    if (slots < PM_TLB_MOST && count_entries(tlb) >= slots / 2)
        grow(tlb);
}

void pm_tlb_enter(struct pm_tlb *tlb, struct pm_pool *pool, const void *address)
{
    struct pm_pool **slot = pm_tlb_slot(&tlb->now, address);
    if (*slot != NULL && ++tlb->displaced > tlb->now.mask / DISPLACED) {
        grow_if_full(tlb);
        slot = pm_tlb_slot(&tlb->now, address);
    }
    *slot = pool;
}

void pm_tlb_forget(struct pm_tlb *tlb, const struct pm_pool *pool)
{
    for (size_t i = 0; i < pool->span.slices; i++) {
        struct pm_pool **slot = pm_tlb_slot(&tlb->now, (void *)(pool->span.start + i * PM_SLICE));
        if (*slot == pool)
            *slot = NULL;
    }
}

void pm_tlb_shrink(struct pm_tlb *tlb)
{
    size_t slots = slots_of(tlb);
    if (slots > PM_TLB_FIRST && count_entries(tlb) < slots / SHRINK_BELOW)
        pm_tlb_reset(tlb);
}
