/*
 * ownermap.h - from any address to the span that owns it, without touching the
 * memory at that address.
 *
 * Two levels: a root in .bss and leaves of 2 GiB of address space each, mapped
 * when first needed and never given back.  A pool is entered for each of its
 * slices, a large block only for its first.
 *
 * Reads take no lock: an entry is written before the span's first block is
 * handed out and cleared after its last one came back, so whoever rightly
 * holds a block sees it.
 */
#ifndef PM_ARENA_OWNERMAP_H
#define PM_ARENA_OWNERMAP_H

#include <stdatomic.h>

#include "arena/span.h"
#include "os/compiler.h"
#include "os/lock.h"

#define PM_ADDRESS_BITS 48
#define PM_OWNERMAP_LEAF_BITS (31 - PM_SLICE_SHIFT)
#define PM_OWNERMAP_LEAF ((size_t)1 << PM_OWNERMAP_LEAF_BITS)
#define PM_OWNERMAP_ROOT ((size_t)1 << (PM_ADDRESS_BITS - PM_SLICE_SHIFT - PM_OWNERMAP_LEAF_BITS))

struct pm_ownermap_leaf {
    _Atomic(struct pm_span *) span[PM_OWNERMAP_LEAF];
};

extern _Atomic(struct pm_ownermap_leaf *) pm_ownermap_root[PM_OWNERMAP_ROOT];
extern struct pm_lock pm_ownermap_lock;

/* Makes room for the entries of [start, start + size); false when memory runs out. */
bool pm_ownermap_prepare(uintptr_t start, size_t size);

/*
 * Makes sure that one leaf is at hand, so that a pm_ownermap_prepare() of one address
 * succeeds: for mappings that have moved and cannot move back.  (It is one for all: a thread that
 * reserves it at the same moment, when there is no memory left, may find it taken.)
 */
bool pm_ownermap_reserve(void);

/* Enters `span` (or NULL) for `slices` slices from `start`; room was made before. */
void pm_ownermap_set(uintptr_t start, size_t slices, struct pm_span *span);

/* Clears the entry of `address` and returns it: of two callers one gets the span. */
struct pm_span *pm_ownermap_take(uintptr_t address);

/* The span at `address`, any bit pattern; NULL when it is not ours. */
PM_INLINE struct pm_span *pm_ownermap_get(const void *address)
{
    uintptr_t slice = (uintptr_t)address >> PM_SLICE_SHIFT;
    if (PM_UNLIKELY(slice >> (PM_ADDRESS_BITS - PM_SLICE_SHIFT) != 0))
        return NULL;
    /* acquire pairs with the release in ownermap.c: leaf_for() */
    struct pm_ownermap_leaf *leaf = atomic_load_explicit(
        &pm_ownermap_root[slice >> PM_OWNERMAP_LEAF_BITS], memory_order_acquire);
    if (PM_UNLIKELY(leaf == NULL))
        return NULL;
    /* acquire pairs with the release in pm_ownermap_set() */
    return atomic_load_explicit(&leaf->span[slice & (PM_OWNERMAP_LEAF - 1)], memory_order_acquire);
}

#endif /* PM_ARENA_OWNERMAP_H */
