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

#include "heap/heap.h"

#define PM_TLB_GROUPS ((size_t)64)
#define PM_TLB_GROUP (PM_TLB_SLOTS / PM_TLB_GROUPS) /* slots in one: a page of 4 KiB */

/* Of the heaps that never have a pool. */
extern struct pm_pool *pm_tlb_none[PM_TLB_SLOTS];

/* The slot for the slice of an address. */
PM_INLINE size_t pm_tlb_index(uintptr_t address)
{
    return (address >> PM_SLICE_SHIFT) % PM_TLB_SLOTS;
}

PM_INLINE struct pm_pool *pm_tlb_get(struct pm_pool *const *tlb, const void *address)
{
    return tlb[pm_tlb_index((uintptr_t)address)];
}

/* The pool is found there from now on: it is near, and the heap's own. */
PM_INLINE void pm_tlb_enter(struct pm_heap *heap, struct pm_pool *pool, const void *address)
{
    size_t slot = pm_tlb_index((uintptr_t)address);
    heap->tlb_touched |= (uint64_t)1 << slot / PM_TLB_GROUP;
    /* release pairs with the fork of another thread, whose child clears what is touched */
    atomic_thread_fence(memory_order_release);
    heap->tlb[slot] = pool;
}

/* The pool is not found any more. */
void pm_tlb_forget(struct pm_heap *heap, const struct pm_pool *pool);

/* No pool is found any more. */
void pm_tlb_clear(struct pm_heap *heap);

/* The first entry from slot `*at` on, and the slot behind it; NULL: there are no more. */
struct pm_pool *pm_tlb_next(const struct pm_heap *heap, size_t *at);

#endif /* PM_HEAP_TLB_H */
