/*
 * hugepages.c - see hugepages.h.
 */
#include "arena/hugepages.h"

#include "os/os.h"

/* Smaller ones belong to processes that would grow by more than they gain. */
#define ARENA_MIN (8 * PM_MIB)

static atomic_bool wanted; /* relaxed: set before there is a second thread */

void pm_hugepages_set(bool use)
{
    atomic_store_explicit(&wanted, use, memory_order_relaxed);
}

static bool serves(size_t bytes)
{
    return atomic_load_explicit(&wanted, memory_order_relaxed) && bytes >= ARENA_MIN;
}

size_t pm_hugepages_align(size_t bytes)
{
    return serves(bytes) ? PM_OS_HUGE_PAGE : PM_SLICE;
}

static void advise(struct pm_arena *arena, bool use)
{
    atomic_store_explicit(&arena->huge, use, memory_order_relaxed);
    pm_os_memory.advise_huge((void *)arena->base, arena->slices << PM_SLICE_SHIFT, use);
}

void pm_hugepages_begin(struct pm_arena *arena)
{
    size_t bytes = arena->slices << PM_SLICE_SHIFT;
    if (!arena->dedicated && serves(bytes) && pm_provider_is_system(&arena->provider))
        advise(arena, true);
}

void pm_hugepages_end(struct pm_arena *arena)
{
    if (PM_UNLIKELY(atomic_load_explicit(&arena->huge, memory_order_relaxed)))
        advise(arena, false);
}

bool pm_hugepages_is_dense_locked(const struct pm_arena *arena)
{
    return atomic_load_explicit(&arena->huge, memory_order_relaxed) &&
           arena->taken_count * 2 >= arena->slices;
}
