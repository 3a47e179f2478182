/*
 * tlb.h - finds a pool of one's own from an address, in a table of pools by the low bits of their
 * slice's number, as a TLB caches a page table.
 *
 * An entry may be missing, or be another slice's, but a pool found here is the heap's own and near.
 * What is missing is NULL.
 *
 * The table grows with the heap: who frees at random into a heap that is larger than what the table
 * covers would find another pool there nearly every time, and wait for that one's line in vain.
 */
#ifndef PM_HEAP_TLB_H
#define PM_HEAP_TLB_H

#include "os/tls.h"
#include "pool/pool.h"

/* Slots of a heap's first table, and of the largest: they cover 4 MiB, and 16 GiB. */
#define PM_TLB_FIRST ((size_t)256)
#define PM_TLB_MOST ((size_t)1 << 20)

struct pm_tlb {
    struct pm_tlb_slots now;
    struct pm_pool **first; /* the first table, which lies in the heap: PM_TLB_FIRST */
    size_t displaced;       /* entries that another took the place of, since they were counted */
};

/* Of a heap that serves nothing: it has one slot, with nothing in it. */
extern struct pm_pool *pm_tlb_nothing[1];

/* The slot for the slice of `address`. */
PM_INLINE struct pm_pool **pm_tlb_slot(const struct pm_tlb_slots *tlb, const void *address)
{
    return &tlb->slot[((uintptr_t)address >> PM_SLICE_SHIFT) & tlb->mask];
}

/* The pool, which was not found there, is from now on: it is near, and the heap's own. */
void pm_tlb_enter(struct pm_tlb *tlb, struct pm_pool *pool, const void *address);

/* The pool is not found any more. */
void pm_tlb_forget(struct pm_tlb *tlb, const struct pm_pool *pool);

/* Each decay time: a table that is much too large for what it holds makes way for a small one. */
void pm_tlb_shrink(struct pm_tlb *tlb);

/* An empty first table; a larger one is given back. */
void pm_tlb_reset(struct pm_tlb *tlb);

/* The same, but a larger one is lost: in the child of a fork, whose thread may have been about to
 * change it. */
void pm_tlb_lose(struct pm_tlb *tlb);

#endif /* PM_HEAP_TLB_H */
