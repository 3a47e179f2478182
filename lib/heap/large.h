/*
 * large.h - blocks above PM_POOL_SIZE_MAX: a span each, found through the
 * owner map by their first address.  They belong to no heap; any thread frees
 * and resizes them.
 */
#ifndef PM_HEAP_LARGE_H
#define PM_HEAP_LARGE_H

#include <stdatomic.h>

#include "arena/ownermap.h"
#include "arena/span.h"
#include "os/compiler.h"

struct pm_heap;

struct pm_large {
    struct pm_span span;
    _Atomic size_t usable; /* bytes the program may use, at most the span's; 0: it has no block */
    struct pm_large *next; /* of spare blocks, or of descriptors at hand */
};

/* Relaxed: who has the block knows it, and of two who free it one finds 0. */
PM_INLINE size_t pm_large_usable(const struct pm_large *large)
{
    return atomic_load_explicit(&large->usable, memory_order_relaxed);
}

PM_INLINE void pm_large_set_usable(struct pm_large *large, size_t usable)
{
    /* release pairs with the fork of another thread, in whose child no spare block is in use */
    atomic_store_explicit(&large->usable, usable, memory_order_release);
}

PM_INLINE struct pm_large *pm_large_of_span(struct pm_span *span)
{
    return (struct pm_large *)((char *)span - offsetof(struct pm_large, span));
}

/* Freed, and not given back. */
PM_INLINE bool pm_large_is_spare(const struct pm_large *large)
{
    return pm_large_usable(large) == 0 &&
           pm_ownermap_get((void *)large->span.start) == &large->span;
}

/* `align` is a power of two.  `zero`: every byte is to be zero.  NULL: no memory. */
void *pm_large_alloc(size_t size, size_t align, bool zero);

/* Frees the block at `address`; `call` names the public function should another
 * thread free it as well. */
void pm_large_free(struct pm_large *large, void *address, const char *call);

/* Whose span has been taken: the owner map knows it from now on, though it has no block yet. */
void pm_large_enter(struct pm_large *large);

/* Whose span is to be given back: the owner map knows it no more. */
void pm_large_leave(struct pm_large *large);

/* A descriptor to be filled in; NULL: no memory. */
struct pm_large *pm_large_new(void);

/* Frees the descriptor of a block whose slices have been given back. */
void pm_large_forget(struct pm_large *large);

/* For the child of a fork: the descriptors that the heap has at hand are lost, as its thread may
 * have been changing their list. */
void pm_large_lose(struct pm_heap *heap);

/*
 * Resizes without copying: in place, or by moving pages, which may go wherever
 * `align` allows it.  Returns the block's address now, NULL when it takes a copy
 * (nothing has changed then).
 */
void *pm_large_resize(struct pm_large *large, size_t size, size_t align);

#endif /* PM_HEAP_LARGE_H */
