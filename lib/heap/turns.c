/*
 * turns.c - see turns.h.
 */
#include "heap/turns.h"

#include "heap/common.h"

/* For the duration of a call the heap is the thread's.  Returns the thread's own, for leave();
 * NULL if that is the one which serves, where the call may give it to a thread without any. */
static struct pm_heap *enter(struct pm_heap *heap)
{
    heap = pm_common_choose(heap);
    struct pm_heap *own = pm_tls_heap;
    if (heap == own)
        return NULL;
    pm_tls_heap = heap;
    pm_common_entered(heap);
    return own;
}

static void leave(struct pm_heap *own)
{
    if (PM_LIKELY(own != NULL))
        pm_tls_heap = own;
}

#define IN_TURN(heap, call)                                                                        \
    struct pm_heap *own = enter(heap);                                                             \
    void *result = call;                                                                           \
    leave(own);                                                                                    \
    return result

void *pm_turn_alloc_slow(struct pm_heap *heap, size_t size)
{
    IN_TURN(heap, pm_alloc(size));
}

void *pm_turn_alloc_object_slow(struct pm_heap *heap, size_t size)
{
    IN_TURN(heap, pm_alloc_object(size));
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

void pm_turn_free_slow(struct pm_heap *heap, void *block, const char *call)
{
    struct pm_heap *own = enter(heap);
    pm_free_slow(block, 0, call, pm_tls_heap);
    leave(own);
}
