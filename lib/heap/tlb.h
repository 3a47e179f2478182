/*
 * tlb.h - finds a pool of a heap's own from an address, in a table of pools by the low bits of
 * their slice's number, as a TLB caches a page table.
 *
 * An entry may be missing, which is NULL, or be another slice's, but a pool found here is the
 * heap's own and near.  The table is for heaps of half a gigabyte, and lies where it is cheapest to
 * read, behind the heap; a page of it serves 8 MiB of addresses, so that a small heap touches one
 * or two, and what is not touched is not resident.
 */
#ifndef PM_HEAP_TLB_H
#define PM_HEAP_TLB_H

#include <stdatomic.h>

#include "pool/pool.h"

#define PM_TLB_SLOTS ((size_t)32768)
#define PM_TLB_GROUPS ((size_t)64)
#define PM_TLB_GROUP (PM_TLB_SLOTS / PM_TLB_GROUPS) /* slots in one: a page of 4 KiB */

struct pm_tlb {
    uint64_t touched; /* groups that may have entries, as bits */
    struct pm_pool *slot[PM_TLB_SLOTS];
};

/* The slot for the slice of `address`. */
PM_INLINE struct pm_pool *const *pm_tlb_slot(const struct pm_tlb *tlb, const void *address)
{
    return &tlb->slot[((uintptr_t)address >> PM_SLICE_SHIFT) % PM_TLB_SLOTS];
}

/* The pool is found there from now on: it is near, and the heap's own. */
PM_INLINE void pm_tlb_enter(struct pm_tlb *tlb, struct pm_pool *pool, const void *address)
{
    size_t slot = ((uintptr_t)address >> PM_SLICE_SHIFT) % PM_TLB_SLOTS;
    tlb->touched |= (uint64_t)1 << slot / PM_TLB_GROUP;
    /* release pairs with the fork of another thread, whose child clears what is touched */
    atomic_thread_fence(memory_order_release);
    tlb->slot[slot] = pool;
}

/* The pool is not found any more. */
void pm_tlb_forget(struct pm_tlb *tlb, const struct pm_pool *pool);

/* No pool is found any more. */
void pm_tlb_clear(struct pm_tlb *tlb);

/* The first entry from slot `*at` on, and the slot behind it; NULL: there are no more. */
struct pm_pool *pm_tlb_next(const struct pm_tlb *tlb, size_t *at);

#endif /* PM_HEAP_TLB_H */
