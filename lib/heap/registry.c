/*
 * registry.c - see registry.h.
 */
#include "heap/registry.h"

#include "arena/meta.h"

struct pm_lock pm_registry_lock = PM_LOCK_INIT;
_Atomic size_t pm_registry_in_use;

/* Under the lock. */
static struct pm_heap *last, *idle;

/* Those in use, in as many lists: with thousands of threads each that begins looks into one. */
enum { PLACES = 256 };
static struct pm_heap *by_thread[PLACES] PM_TABLE;

/* What is thread-local lies pages apart. */
static struct pm_heap **place_of(const void *thread)
{
    return &by_thread[((uintptr_t)thread >> 8) * 0x9e3779b97f4a7c15u >> 56];
}

struct pm_heap *pm_registry_last_locked(void)
{
    return last;
}

static struct pm_heap *make_locked(void)
{
    void *memory = pm_meta_map_sparse(PM_HEAP_BYTES, PM_HEAP_BYTES - PM_TLB_BYTES);
    if (memory == NULL)
        return NULL;
    struct pm_heap *heap = pm_heap_in(memory);
    heap->next = last;
    last = heap;
    return heap;
}

static struct pm_heap *find_locked(const void *thread)
{
    struct pm_heap *heap = thread == NULL ? NULL : *place_of(thread);
    while (heap != NULL && heap->thread != thread)
        heap = heap->next_alike;
    return heap;
}

struct pm_heap *pm_registry_find(const void *thread)
{
    pm_lock(&pm_registry_lock);
    struct pm_heap *heap = find_locked(thread);
    pm_unlock(&pm_registry_lock);
    return heap;
}

static struct pm_heap *take_idle_locked(void)
{
    struct pm_heap *heap = idle;
    if (heap != NULL)
        idle = heap->next_alike;
    return heap;
}

static void put(struct pm_heap **list, struct pm_heap *heap)
{
    heap->next_alike = *list;
    *list = heap;
}

static void take_out(struct pm_heap **list, const struct pm_heap *heap)
{
    while (*list != heap)
        list = &(*list)->next_alike;
    *list = heap->next_alike;
}

struct pm_heap *pm_registry_obtain(const void *thread)
{
    pm_lock(&pm_registry_lock);
    struct pm_heap *heap = find_locked(thread);
    if (heap == NULL) {
        heap = take_idle_locked();
        if (heap == NULL)
            heap = make_locked();
        if (heap != NULL) {
            heap->in_use = true;
            heap->thread = thread;
            put(place_of(thread), heap);
            atomic_fetch_add_explicit(&pm_registry_in_use, 1, memory_order_relaxed);
        }
    }
    pm_unlock(&pm_registry_lock);
    return heap;
}

void pm_registry_return(struct pm_heap *heap)
{
    pm_lock(&pm_registry_lock);
    heap->in_use = false;
    take_out(place_of(heap->thread), heap);
    put(&idle, heap);
    atomic_fetch_sub_explicit(&pm_registry_in_use, 1, memory_order_relaxed);
    pm_unlock(&pm_registry_lock);
}
