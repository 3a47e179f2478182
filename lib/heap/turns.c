/*
 * turns.c - see turns.h.
 */
#include "heap/turns.h"

#include "arena/provider.h"
#include "heap/common.h"

PM_INLINE struct pm_heap *known(struct pm_heap *heap)
{
    return PM_UNLIKELY(heap == &pm_heap_none) ? pm_common_ask() : heap;
}

/* For the duration of a call the heap is the thread's.  Returns the thread's own, for leave();
 * NULL if that is the one which serves, where the call may give it to a thread without any.  (What
 * is called within a call that has led to an arena allocator is served by the same heap; but
 * malloc by the thread's own, if that has a block ready.) */
static struct pm_heap *enter(struct pm_heap *heap)
{
    heap = known(heap);
    struct pm_heap *own = pm_tls_heap;
    if (heap == own || pm_provider_am_inside())
        return NULL;
    pm_tls_set_heap(heap);
    pm_common_entered(heap);
    return own;
}

static void leave(struct pm_heap *own)
{
    if (PM_LIKELY(own != NULL))
        pm_tls_set_heap(own);
}

#define IN_TURN(heap, call)                                                                        \
    struct pm_heap *own = enter(heap);                                                             \
    void *result = call;                                                                           \
    leave(own);                                                                                    \
    return result

static PM_NOINLINE void *alloc_slow(struct pm_heap *heap, size_t size)
{
    IN_TURN(heap, pm_alloc(size));
}

static PM_NOINLINE void *alloc_object_slow(struct pm_heap *heap, size_t size)
{
    IN_TURN(heap, pm_alloc_object(size));
}

static PM_NOINLINE void free_slow(struct pm_heap *heap, void *block, const char *call)
{
    struct pm_heap *own = enter(heap);
    pm_free_slow(block, 0, call, pm_tls_heap);
    leave(own);
}

/* A thread that asks has the fast half of the call now; of these and no others there are many. */
void *pm_turn_alloc_slow(struct pm_heap *heap, size_t size)
{
    struct pm_heap *asked = known(heap);
    return asked != heap ? pm_turn_alloc(asked, size) : alloc_slow(heap, size);
}

void *pm_turn_alloc_object_slow(struct pm_heap *heap, size_t size)
{
    struct pm_heap *asked = known(heap);
    return asked != heap ? pm_turn_alloc_object(asked, size) : alloc_object_slow(heap, size);
}

void pm_turn_free_slow(struct pm_heap *heap, void *block, const char *call)
{
    struct pm_heap *asked = known(heap);
    if (asked != heap)
        pm_turn_free(asked, asked->tlb_at, block, call);
    else
        free_slow(heap, block, call);
}

static PM_NOINLINE void *alloc_zeroed_slow(struct pm_heap *heap, size_t size)
{
    IN_TURN(heap, pm_alloc_zeroed(size));
}

void *pm_turn_alloc_zeroed_array(struct pm_heap *heap, size_t count, size_t size)
{
    size_t bytes = pm_product(count, size);
    if (bytes > PM_POOL_SIZE_MAX)
        return alloc_zeroed_slow(heap, bytes);
    return pm_zeroed(pm_turn_alloc(heap, bytes), bytes);
}

void *pm_turn_alloc_zeroed_objects(struct pm_heap *heap, size_t count, size_t size)
{
    size_t bytes = pm_product(count, size);
    if (bytes > PM_OBJECT_MAX)
        return pm_turn_alloc_zeroed_array(heap, bytes, 1);
    return pm_zeroed(pm_turn_alloc_object(heap, bytes), bytes);
}

void *pm_turn_realloc(struct pm_heap *heap, void *block, size_t size, const char *call)
{
    IN_TURN(heap, pm_realloc(block, size, call));
}

void *pm_turn_realloc_object(struct pm_heap *heap, void *block, size_t size, const char *call)
{
    IN_TURN(heap, pm_realloc_object(block, size, call));
}
