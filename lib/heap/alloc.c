/*
 * alloc.c - the slow half of alloc.h: everything a call does that is not
 * popping or pushing a block of the thread's own current pools.
 */
#include "heap/alloc.h"

#include <errno.h>
#include <string.h>

#include "arena/ownermap.h"
#include "arena/provider.h"
#include "arena/purge.h"
#include "heap/large.h"
#include "heap/misuse.h"
#include "heap/remote.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/fatal.h"

PM_INLINE void *alloc_in_heap(struct pm_heap *heap, unsigned class)
{
    struct pm_pool *pool = heap->bin[class].current;
    if (PM_UNLIKELY(pool->free == PM_LINK_NONE)) {
        pool = pm_heap_refill(heap, class);
        if (pool == NULL)
            return NULL;
    }
    return pm_pool_pop(pool);
}

/*
 * For a thread that has ended as far as we are concerned, yet allocates; perhaps
 * in an arena allocator that this very call has led to.
 */
static void *alloc_late(unsigned class)
{
    if (pm_provider_am_inside())
        return pm_large_alloc(pm_class_size(class), PM_GRANULE, false);
    struct pm_heap *heap = pm_thread_lock_late_heap();
    void *block = heap == NULL ? NULL : alloc_in_heap(heap, class);
    pm_thread_unlock_late_heap();
    return block;
}

static PM_NOINLINE void *alloc_without_heap(unsigned class)
{
    if (pm_tls_heap == &pm_heap_ended)
        return alloc_late(class);
    struct pm_heap *heap = pm_thread_begin();
    return heap == NULL ? NULL : alloc_in_heap(heap, class);
}

PM_INLINE void *alloc_of_class(unsigned class)
{
    struct pm_heap *heap = pm_tls_heap;
    if (PM_UNLIKELY(!pm_thread_has_heap(heap)))
        return alloc_without_heap(class);
    return alloc_in_heap(heap, class);
}

PM_INLINE void *try_alloc(size_t size, size_t align, bool zero)
{
    return size > PM_POOL_SIZE_MAX ? pm_large_alloc(size, align, zero)
                                   : alloc_of_class(pm_class_of(size));
}

/* What nobody can have asked for in earnest: half of all addresses. */
#define ABSURD ((size_t)1 << (PM_ADDRESS_BITS - 1))

/*
 * Arenas that hold nothing may stand in the way of what is asked for, and pools that hold nothing
 * keep arenas.  (A replaced provider that allocates is answered by what there is: the heap may be
 * about to use a pool it has found.)
 */
static PM_COLD void *alloc_again(size_t size, size_t align, bool zero)
{
    void *block = NULL;
    if (size < ABSURD && !pm_provider_am_inside()) {
        if (pm_thread_has_heap(pm_tls_heap))
            pm_heap_gather(pm_tls_heap);
        pm_transfer_give_back(SIZE_MAX);
        pm_purge_address_space();
        block = try_alloc(size, align, zero);
    }
    if (block == NULL)
        errno = ENOMEM;
    return block;
}

PM_INLINE void *alloc(size_t size, size_t align, bool zero)
{
    void *block = try_alloc(size, align, zero);
    return PM_LIKELY(block != NULL) ? block : alloc_again(size, align, zero);
}

static PM_NOINLINE void *alloc_slow(size_t size)
{
    return alloc(size, PM_GRANULE, false);
}

/* The current pool of the same class is another one from now on. */
PM_INLINE void *alloc_from_next(size_t size, const struct pm_pool *exhausted)
{
    struct pm_pool *next = pm_heap_refill(pm_tls_heap, exhausted->class);
    return PM_LIKELY(next != NULL) ? pm_pool_pop(next) : alloc_again(size, PM_GRANULE, false);
}

void *pm_alloc_next(size_t size, struct pm_pool *exhausted)
{
    if (PM_UNLIKELY(exhausted == &pm_pool_none))
        return alloc_slow(size);
    return alloc_from_next(size, exhausted);
}

/* As pm_alloc(), but the class is worked out: a table for all sizes would take too many lines. */
void *pm_alloc_medium(size_t size)
{
    if (PM_LIKELY(size <= PM_POOL_SIZE_MAX)) {
        struct pm_pool *pool = pm_heap_direct_medium(pm_tls_heap, pm_class_by_eighths(size));
        if (PM_LIKELY(pool->free != PM_LINK_NONE))
            return pm_pool_pop(pool);
        return pm_alloc_next(size, pool);
    }
    return alloc_slow(size);
}

static PM_NOINLINE void *alloc_object_slow(size_t size)
{
    void *block = alloc_of_class(pm_class_of_object(size));
    return PM_LIKELY(block != NULL) ? block : alloc_again(size, PM_GRANULE, false);
}

void *pm_alloc_next_object(size_t size, struct pm_pool *exhausted)
{
    if (PM_UNLIKELY(exhausted == &pm_pool_none))
        return alloc_object_slow(size);
    return alloc_from_next(size, exhausted);
}

/* Who believes that the block has more bytes than it has will have written to them. */
static PM_COLD _Noreturn void refuse_size(const void *address, size_t size, const char *call)
{
    struct pm_block block;
    if (pm_block_find(address, &block))
        pm_fatal_size(call, address, size, block.usable);
    pm_misuse(address, call);
}

PM_INLINE void push(struct pm_heap *heap, struct pm_pool *pool, uint64_t block)
{
    if (PM_UNLIKELY(pm_pool_push(pool, block)))
        pm_heap_pushed(heap, pool);
}

static PM_NOINLINE void enter_and_push(struct pm_heap *heap, struct pm_pool *pool, uint64_t block,
                                       const void *address)
{
    pm_tlb_enter(heap, pool, address);
    push(heap, pool, block);
}

/* The pool is ours, but was not in the table. */
static PM_NOINLINE void free_in_own(struct pm_heap *heap, struct pm_pool *pool, void *address,
                                    const char *call)
{
    uint64_t block = pm_pool_own_live_at(pool, address);
    if (PM_UNLIKELY(block == pool->limit))
        pm_misuse(address, call);
    if (pm_pool_is_near(pool))
        enter_and_push(heap, pool, block, address);
    else
        push(heap, pool, block);
}

/* The pool is another thread's, or nobody's. */
static PM_NOINLINE void free_in_others(struct pm_heap *heap, struct pm_pool *pool, void *address,
                                       const char *call)
{
    uint64_t block = pm_pool_block_at(pool, address);
    if (PM_UNLIKELY(block >= pool->shape.limit))
        pm_misuse(address, call);
    pm_remote_free(heap, pool, block, call); /* and whether it is live */
}

/*
 * Nothing of ours is known at the address: no span, or a large block that begins behind it
 * (which remapping puts wherever pages are free, so libc's may lie just before).
 */
static bool may_be_foreign(const struct pm_span *span, const void *address)
{
    return span == NULL || (span->kind == PM_SPAN_LARGE && span->start > (uintptr_t)address);
}

/* Nothing of ours begins there. */
static PM_NOINLINE void free_elsewhere(const struct pm_span *span, void *address, const char *call)
{
    if (address == NULL)
        return;
    if (may_be_foreign(span, address) && pm_foreign.free != NULL && pm_foreign.free(address))
        return;
    pm_misuse(address, call);
}

static void free_large(struct pm_span *span, void *address, size_t size, const char *call)
{
    struct pm_large *large = pm_large_of_span(span);
    if (PM_UNLIKELY(span->start != (uintptr_t)address))
        free_elsewhere(span, address, call);
    else if (PM_UNLIKELY(size > pm_large_usable(large)))
        refuse_size(address, size, call);
    else
        pm_large_free(large, address, call);
}

/* Of a pool that is not in the table, a large block, or none.  Each case is a jump: what is
 * needed of a stack frame is set up where it goes. */
static PM_NOINLINE void free_by_ownermap(struct pm_heap *heap, void *address, size_t size,
                                         const char *call)
{
    struct pm_span *span = pm_ownermap_get(address);
    if (PM_UNLIKELY(span == NULL)) {
        free_elsewhere(span, address, call);
        return;
    }
    if (span->kind == PM_SPAN_LARGE) {
        free_large(span, address, size, call);
        return;
    }
    struct pm_pool *pool = pm_pool_of_span(span);
    if (PM_UNLIKELY(size > pool->shape.size))
        refuse_size(address, size, call);
    if (pm_pool_is_owned_by(pool, heap))
        free_in_own(heap, pool, address, call);
    else
        free_in_others(heap, pool, address, call);
}

/* `has_batches` is false in a program with one thread. */
void pm_free_slow(void *address, size_t size, const char *call, struct pm_heap *heap)
{
    if (!heap->has_batches || !pm_remote_join(heap, address, size))
        free_by_ownermap(heap, address, size, call);
}

void *pm_alloc_zeroed(size_t size)
{
    if (size > PM_POOL_SIZE_MAX)
        return alloc(size, PM_GRANULE, true);
    return pm_zeroed(pm_alloc(size), size);
}

void *pm_alloc_zeroed_array(size_t count, size_t size)
{
    return pm_alloc_zeroed(pm_product(count, size));
}

void *pm_alloc_zeroed_objects(size_t count, size_t size)
{
    size_t bytes = pm_product(count, size);
    return bytes > PM_OBJECT_MAX ? pm_alloc_zeroed(bytes)
                                 : pm_zeroed(pm_alloc_object(bytes), bytes);
}

/* Where no class is aligned so, a large block: whole slices can be had at any address. */
PM_INLINE void *alloc_aligned(size_t size, size_t align, bool zero)
{
    if (align > PM_GRANULE) {
        unsigned class = pm_class_of_aligned(size, align);
        if (class == PM_CLASS_OBJECTS)
            return alloc(size > PM_POOL_SIZE_MAX ? size : PM_POOL_SIZE_MAX + 1, align, zero);
        size = pm_class_size(class);
    }
    return zero ? pm_alloc_zeroed(size) : pm_alloc(size);
}

void *pm_alloc_aligned(size_t size, size_t align)
{
    return alloc_aligned(size, align, false);
}

void *pm_alloc_aligned_zeroed(size_t size, size_t align)
{
    return alloc_aligned(size, align, true);
}

/* What is copied. */
struct old {
    void *block;
    size_t size;
};

/* `copy` is a new block of `size`, if there is memory for it. */
PM_INLINE void *move(struct old old, void *copy, size_t size, const char *call)
{
    if (copy == NULL)
        return NULL;
    memcpy(copy, old.block, old.size < size ? old.size : size);
    pm_free(old.block, call);
    return copy;
}

/* The size of a block that is not ours but another heap's; else the process ends. */
static size_t foreign_size(const void *address, const char *call)
{
    size_t size = 0;
    if (may_be_foreign(pm_ownermap_get(address), address) && pm_foreign.usable_size != NULL)
        size = pm_foreign.usable_size(address);
    if (size == 0)
        pm_misuse(address, call);
    return size;
}

/*
 * A block that would be three quarters full stays: moving it gains little.  (That is
 * CPython's measure, whose writers ask for more than they need and give the rest back:
 * with a half, a list of 100,000 strings took a quarter more memory.)  And so does one
 * whose class has no neighbour that would do: the smallest are a granule apart.
 */
PM_INLINE bool stays(size_t now, size_t size)
{
    size_t slack = now / 4 > PM_GRANULE ? now / 4 : PM_GRANULE;
    return now - (size + (size == 0)) < slack; /* a size that is too large wraps around */
}

/* The pool of a live block, if that is ours and in the table, as in pm_free(); else NULL. */
PM_INLINE struct pm_pool *own_pool_of(const void *address)
{
    struct pm_pool *pool = pm_tlb_get(pm_tls_tlb, address);
    return pool != NULL && pm_pool_own_live_at(pool, address) != pool->limit ? pool : NULL;
}

/* Who asks for the size of a block frees it next, as databases do that count their bytes, and who
 * moves it does, too: the table knows the pool for that. */
static PM_NOINLINE bool find_by_ownermap(const void *address, struct pm_block *block)
{
    if (!pm_block_find(address, block))
        return false;
    struct pm_heap *heap = pm_tls_heap;
    struct pm_pool *pool = block->pool;
    if (pool != NULL && pm_pool_is_owned_by(pool, heap) && pm_pool_is_near(pool))
        pm_tlb_enter(heap, pool, address);
    return true;
}

static bool find(const void *address, struct pm_block *block)
{
    block->pool = own_pool_of(address);
    if (block->pool == NULL)
        return find_by_ownermap(address, block);
    block->large = NULL;
    block->usable = block->pool->size;
    return true;
}

/* Without copying; NULL when that cannot be. */
static void *resize(const struct pm_block *block, void *address, size_t size, size_t align)
{
    if (PM_UNLIKELY(((uintptr_t)address & (align - 1)) != 0))
        return NULL;
    if (block->large != NULL)
        return pm_large_resize(block->large, size, align);
    return stays(block->usable, size) ? address : NULL;
}

/* There is no room for a copy, but some has been made now; and what is to shrink may stay. */
static PM_COLD void *resize_after_all(const struct pm_block *block, struct old old, size_t size,
                                      size_t align, int saved_errno)
{
    void *resized = resize(block, old.block, size, align);
    if (resized == NULL && size <= old.size && ((uintptr_t)old.block & (align - 1)) == 0)
        resized = old.block;
    if (resized != NULL)
        errno = saved_errno;
    return resized;
}

/*
 * Who asks for a little more each time (CPython's lists: an eighth) has room for the next time,
 * too, but not so much that a block of `size` would not stay there.  Shorter blocks are copied in
 * no time, longer ones grow where they are.
 */
static size_t with_room(size_t now, size_t size)
{
    if (size <= PM_DIRECT_MAX || size > PM_POOL_SIZE_MAX / 5 * 4 || size <= now ||
        size - now > now / 8 + 64)
        return size;
    unsigned class = pm_class_by_eighths(size + size / 4);
    return pm_class_size(stays(pm_class_size(class), size) ? class : class - 1);
}

/* For a block that has `now` bytes, or none; room is had if there is any. */
static void *alloc_grown(size_t now, size_t size)
{
    size_t room = with_room(now, size);
    void *block = room != size ? try_alloc(room, PM_GRANULE, false) : NULL;
    return block != NULL ? block : pm_alloc(size);
}

/* Where the new block comes from is the caller's to say. */
PM_INLINE void *resize_or_move(void *address, size_t size, size_t align, const char *call,
                               void *(*allocate)(size_t now, size_t size, size_t align))
{
    if (address == NULL)
        return allocate(0, size, align);
    struct old old = {.block = address};
    struct pm_block block;
    bool is_ours = find(address, &block);
    void *resized = is_ours ? resize(&block, address, size, align) : NULL;
    if (resized != NULL)
        return resized;
    old.size = is_ours ? block.usable : foreign_size(address, call);
    int saved = errno;
    void *copy = allocate(old.size, size, align);
    if (PM_LIKELY(copy != NULL))
        return move(old, copy, size, call);
    return is_ours ? resize_after_all(&block, old, size, align, saved) : NULL;
}

static void *alloc_grown_aligned(size_t now, size_t size, size_t align)
{
    return align > PM_GRANULE ? pm_alloc_aligned(size, align) : alloc_grown(now, size);
}

void *pm_realloc_aligned(void *address, size_t size, size_t align, const char *call)
{
    return resize_or_move(address, size, align, call, alloc_grown_aligned);
}

/* Most are of one's own blocks, which are short. */
void *pm_realloc(void *address, size_t size, const char *call)
{
    struct pm_pool *pool = own_pool_of(address);
    if (PM_UNLIKELY(pool == NULL))
        return pm_realloc_aligned(address, size, PM_GRANULE, call);
    if (stays(pool->size, size))
        return address;
    if (size < pool->size)
        return pm_realloc_aligned(address, size, PM_GRANULE, call);
    struct old old = {address, pool->size};
    return move(old, alloc_grown(pool->size, size), size, call);
}

static void *alloc_object(size_t now, size_t size, size_t align)
{
    (void)now;
    (void)align; /* a granule */
    return pm_alloc_object(size);
}

void *pm_realloc_object(void *address, size_t size, const char *call)
{
    if (size > PM_OBJECT_MAX)
        return pm_realloc(address, size, call);
    return resize_or_move(address, size, PM_GRANULE, call, alloc_object);
}

size_t pm_usable_size(const void *address, const char *call)
{
    struct pm_block block;
    return find(address, &block) ? block.usable : foreign_size(address, call);
}
