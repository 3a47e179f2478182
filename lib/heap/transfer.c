/*
 * transfer.c - see transfer.h.
 */
#include "heap/transfer.h"

#include "heap/spare.h"
#include "os/alone.h"

struct pm_lock pm_transfer_lock = PM_LOCK_INIT;

/* Under the lock; what it says of itself is also written where it can be read without. */
static struct pm_spare_lists held;
static _Atomic uint32_t held_lengths;
static _Atomic size_t held_slices;

/* Relaxed: who reads it without the lock looks once more under it, or may be mistaken. */
static void publish(void)
{
    atomic_store_explicit(&held_lengths, held.lengths, memory_order_relaxed);
    atomic_store_explicit(&held_slices, held.slices, memory_order_relaxed);
}

static uint32_t lengths_now(void)
{
    return atomic_load_explicit(&held_lengths, memory_order_relaxed);
}

bool pm_transfer_is_empty(void)
{
    return lengths_now() == 0;
}

bool pm_transfer_has_room(size_t slices)
{
    size_t now = atomic_load_explicit(&held_slices, memory_order_relaxed);
    return !pm_alone() && now + slices <= pm_spare_share();
}

static void put_list(struct pm_spare_lists *from, size_t slices)
{
    while (from->list[slices] != NULL)
        pm_spare_lists_push(&held, pm_spare_lists_pop(from, slices));
}

void pm_transfer_put(struct pm_spare_lists *from, uint32_t lengths)
{
    lengths &= from->lengths;
    if (lengths == 0)
        return;
    pm_lock(&pm_transfer_lock);
    for (; lengths != 0; lengths &= lengths - 1)
        put_list(from, (size_t)__builtin_ctz(lengths));
    publish();
    pm_unlock(&pm_transfer_lock);
}

size_t pm_transfer_take(struct pm_spare_lists *to, size_t slices, size_t most)
{
    if (pm_spare_lists_find(lengths_now(), slices) == 0)
        return 0;
    size_t taken = 0;
    pm_lock(&pm_transfer_lock);
    size_t found = pm_spare_lists_find(held.lengths, slices);
    for (; found != 0 && held.list[found] != NULL && taken < most; taken++)
        pm_spare_lists_push(to, pm_spare_lists_pop(&held, found));
    publish();
    pm_unlock(&pm_transfer_lock);
    return taken;
}

/* Some at a time: if another thread forks before they have gone, they are lost to the child. */
static size_t take_some(struct pm_span **spans)
{
    size_t count = 0;
    pm_lock(&pm_transfer_lock);
    while (held.lengths != 0 && count < PM_SPARE_GIVEN)
        spans[count++] = &pm_spare_lists_pop(&held, pm_spare_lists_longest(&held))->span;
    publish();
    pm_unlock(&pm_transfer_lock);
    return count;
}

void pm_transfer_flush(void)
{
    struct pm_span *spans[PM_SPARE_GIVEN];
    size_t count;
    while (!pm_transfer_is_empty() && (count = take_some(spans)) != 0)
        pm_spare_lists_give(spans, count);
}

void pm_transfer_check(void)
{
    pm_lock(&pm_transfer_lock);
    pm_spare_lists_check(&held);
    pm_unlock(&pm_transfer_lock);
}
