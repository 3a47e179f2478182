/*
 * ownermap.c - see ownermap.h.
 */
#include "arena/ownermap.h"

#include "arena/meta.h"

_Atomic(struct pm_ownermap_leaf *) pm_ownermap_root[PM_OWNERMAP_ROOT] PM_TABLE;
struct pm_lock pm_ownermap_lock = PM_LOCK_INIT;

/* Used only when no other can be had; under pm_ownermap_lock. */
static struct pm_ownermap_leaf *spare;

bool pm_ownermap_reserve(void)
{
    pm_lock(&pm_ownermap_lock);
    if (spare == NULL)
        spare = pm_meta_map(sizeof *spare);
    bool reserved = spare != NULL;
    pm_unlock(&pm_ownermap_lock);
    return reserved;
}

/* The leaf of `slice`, made if it is not there; NULL when memory runs out. */
static struct pm_ownermap_leaf *leaf_for(uintptr_t slice)
{
    _Atomic(struct pm_ownermap_leaf *) *root = &pm_ownermap_root[slice >> PM_OWNERMAP_LEAF_BITS];

    pm_lock(&pm_ownermap_lock);
    struct pm_ownermap_leaf *leaf = atomic_load_explicit(root, memory_order_relaxed);
    if (leaf == NULL) {
        leaf = pm_meta_map(sizeof *leaf);
        if (leaf == NULL) {
            leaf = spare;
            spare = NULL;
        }
        /* release pairs with the acquire in pm_ownermap_get() */
        atomic_store_explicit(root, leaf, memory_order_release);
    }
    pm_unlock(&pm_ownermap_lock);
    return leaf;
}

bool pm_ownermap_prepare(uintptr_t start, size_t size)
{
    uintptr_t last = (start + size - 1) >> PM_SLICE_SHIFT;
    if (last >> (PM_ADDRESS_BITS - PM_SLICE_SHIFT) != 0)
        return false;
    for (uintptr_t slice = pm_align_down(start >> PM_SLICE_SHIFT, PM_OWNERMAP_LEAF); slice <= last;
         slice += PM_OWNERMAP_LEAF) {
        if (leaf_for(slice) == NULL)
            return false;
    }
    return true;
}

void pm_ownermap_set(uintptr_t start, size_t slices, struct pm_span *span)
{
    uintptr_t first = start >> PM_SLICE_SHIFT;
    for (uintptr_t slice = first; slice < first + slices; slice++) {
        struct pm_ownermap_leaf *leaf = atomic_load_explicit(
            &pm_ownermap_root[slice >> PM_OWNERMAP_LEAF_BITS], memory_order_relaxed);
        /* release pairs with the acquire in pm_ownermap_get() */
        atomic_store_explicit(&leaf->span[slice & (PM_OWNERMAP_LEAF - 1)], span,
                              memory_order_release);
    }
}

struct pm_span *pm_ownermap_take(uintptr_t address)
{
    uintptr_t slice = address >> PM_SLICE_SHIFT;
    struct pm_ownermap_leaf *leaf = atomic_load_explicit(
        &pm_ownermap_root[slice >> PM_OWNERMAP_LEAF_BITS], memory_order_relaxed);
    if (leaf == NULL)
        return NULL;
    _Atomic(struct pm_span *) *entry = &leaf->span[slice & (PM_OWNERMAP_LEAF - 1)];
    /* acquire pairs with the release in pm_ownermap_set(); release with the fork of another thread,
     * in whose child no spare block is missing here */
    if (!pm_alone())
        return atomic_exchange_explicit(entry, NULL, memory_order_acq_rel);
    struct pm_span *span = atomic_load_explicit(entry, memory_order_relaxed);
    atomic_store_explicit(entry, NULL, memory_order_relaxed);
    return span;
}
