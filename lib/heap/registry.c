/*
 * registry.c - see registry.h.
 */
#include "heap/registry.h"

#include "arena/meta.h"

struct pm_lock pm_registry_lock = PM_LOCK_INIT;

/* Under the lock. */
static struct pm_heap *last, *idle;
static size_t in_use;

struct pm_heap *pm_registry_last_locked(void)
{
    return last;
}

static struct pm_heap *make_locked(void)
{
    void *memory = pm_meta_alloc(PM_HEAP_BYTES);
    if (memory == NULL)
        return NULL;
    struct pm_heap *heap = pm_heap_in(memory);
    heap->next = last;
    last = heap;
    return heap;
}

static struct pm_heap *find_locked(const void *thread)
{
    struct pm_heap *heap = thread == NULL ? NULL : last;
    while (heap != NULL && !(heap->in_use && heap->thread == thread))
        heap = heap->next;
    return heap;
}

static struct pm_heap *take_idle_locked(void)
{
    struct pm_heap *heap = idle;
    if (heap != NULL)
        idle = heap->next_idle;
    return heap;
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
            in_use++;
        }
    }
    pm_unlock(&pm_registry_lock);
    return heap;
}

void pm_registry_return(struct pm_heap *heap)
{
    pm_lock(&pm_registry_lock);
    heap->in_use = false;
    heap->next_idle = idle;
    idle = heap;
    in_use--;
    pm_unlock(&pm_registry_lock);
}

size_t pm_registry_count(void)
{
    pm_lock(&pm_registry_lock);
    size_t count = in_use;
    pm_unlock(&pm_registry_lock);
    return count;
}
