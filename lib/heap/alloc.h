/*
 * alloc.h - the fast path: what every malloc and free runs.
 *
 * malloc: size -> current pool -> first free block.
 * free:   address -> pool of one's own -> block number -> back on its list.
 * Anything else (a first call, a full pool, a large block, somebody else's
 * pool, a wrong pointer) is answered by the slow functions of alloc.c.
 *
 * The table that finds one's own pools holds near ones only.  So one comparison tells
 * free that the address may lie in the pool, and a second that it is the start of a
 * block there, and that the block is live (pool.h says why).
 */
#ifndef PM_HEAP_ALLOC_H
#define PM_HEAP_ALLOC_H

#include <string.h>

#include "heap/thread.h"
#include "heap/tlb.h"
#include "os/tls.h"

/*
 * In all of these: NULL with errno ENOMEM when memory runs out or `size` is
 * above PTRDIFF_MAX; `call` is the public function's name, for the message
 * that ends the process when the pointer is not a live block.
 */
void *pm_alloc_medium(size_t size);
void *pm_alloc_next(size_t size, struct pm_pool *exhausted);
void *pm_alloc_next_object(size_t size, struct pm_pool *exhausted);
void pm_free_slow(void *block, size_t size, const char *call, struct pm_heap *heap);

/* `size` bytes, zeroed; pages known to be zero are not touched. */
void *pm_alloc_zeroed(size_t size);

/* `count` elements of `size` bytes, zeroed; a product that overflows is refused. */
void *pm_alloc_zeroed_array(size_t count, size_t size);
void *pm_alloc_zeroed_objects(size_t count, size_t size);

/* `align` is a power of two. */
void *pm_alloc_aligned(size_t size, size_t align);
void *pm_alloc_aligned_zeroed(size_t size, size_t align);

/* NULL as `block` allocates; a zero `size` is one byte. On failure the block is intact. */
void *pm_realloc(void *block, size_t size, const char *call);
void *pm_realloc_object(void *block, size_t size, const char *call);

/* The result is aligned to `align`, whatever `block` was aligned to. */
void *pm_realloc_aligned(void *block, size_t size, size_t align, const char *call);

/* The bytes that may be used at `block`. */
size_t pm_usable_size(const void *block, const char *call);

/* Too large for anybody when the product overflows. */
PM_INLINE size_t pm_product(size_t count, size_t size)
{
    size_t bytes;
    return PM_UNLIKELY(__builtin_mul_overflow(count, size, &bytes)) ? SIZE_MAX : bytes;
}

/* `block` is one of `size`, if there is memory for it. */
PM_INLINE void *pm_zeroed(void *block, size_t size)
{
    return block != NULL ? memset(block, 0, size != 0 ? size : 1) : NULL;
}

PM_INLINE void *pm_alloc(size_t size)
{
    struct pm_heap *heap = pm_tls_heap;
    if (PM_UNLIKELY(size > PM_DIRECT_MAX))
        return pm_alloc_medium(size);
    struct pm_pool *pool = pm_heap_direct(heap, size);
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_alloc_next(size, pool);
}

/* The same for what the program itself calls: with the thread's own pools first, whatever heap
 * a call that has led here is at work in (turns.h). */
PM_INLINE void *pm_alloc_own(size_t size)
{
    if (PM_EMBEDDED)
        return pm_alloc(size);
    if (PM_UNLIKELY(size > PM_DIRECT_MAX))
        return pm_alloc_medium(size);
    struct pm_pool *pool = pm_tls_direct[pm_direct_index(size)];
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_alloc_next(size, pool);
}

/* As pm_alloc(), for an interpreter's object: sizeclass.h. */
PM_INLINE void *pm_alloc_object(size_t size)
{
    if (PM_UNLIKELY(size > PM_OBJECT_MAX))
        return pm_alloc(size);
    struct pm_pool *pool = pm_heap_direct_object(pm_tls_heap, size);
    if (PM_LIKELY(pool->free != PM_LINK_NONE))
        return pm_pool_pop(pool);
    return pm_alloc_next_object(size, pool);
}

/* Puts back a live block of one of the heap's near pools, as `tlb` finds them, which has `size`
 * bytes (0: or any other number).  NULL is the thread's heap, which is not looked for unless there
 * is need.  False: it is another's, and pm_free_slow() gets what is in `*address` then. */
PM_INLINE bool pm_free_fast(struct pm_heap *heap, struct pm_pool *const *tlb, void **address,
                            size_t size)
{
    struct pm_pool *pool = pm_tlb_get(tlb, *address);
    if (PM_UNLIKELY(pool == NULL))
        return false;
    uint64_t distance = (uintptr_t)*address - pool->block0;
    PM_OPAQUE(distance); /* it takes the place of `*address` */
    uint64_t block = pm_multiply_high(distance, pool->reciprocal);
    if (PM_UNLIKELY(block >= pool->limit) ||
        PM_UNLIKELY(pm_link_get(pool, block) != (uint16_t)distance) ||
        PM_UNLIKELY(size > pool->size)) {
        PM_OPAQUE(pool); /* nor is block0 kept for this */
        *address = (void *)(pool->block0 + distance);
        return false;
    }
    PM_OPAQUE(block);
    if (PM_UNLIKELY(pm_pool_push(pool, block)))
        pm_heap_pushed(heap != NULL ? heap : pm_tls_heap, pool);
    return true;
}

PM_INLINE void pm_free_sized(void *address, size_t size, const char *call)
{
    if (PM_UNLIKELY(!pm_free_fast(NULL, pm_tls_tlb, &address, size)))
        pm_free_slow(address, size, call, pm_tls_heap);
}

PM_INLINE void pm_free(void *address, const char *call)
{
    pm_free_sized(address, 0, call);
}

#endif /* PM_HEAP_ALLOC_H */
