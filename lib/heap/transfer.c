/*
 * transfer.c - see transfer.h.
 */
#include "heap/transfer.h"

#include "heap/registry.h"
#include "heap/spare.h"

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

static size_t slices_now(void)
{
    return atomic_load_explicit(&held_slices, memory_order_relaxed);
}

/* As many slices as one heap may keep; but where there is only one, nobody takes what it puts. */
static size_t room_now(void)
{
    return pm_registry_count() > 1 ? pm_spare_share() : 0;
}

static void put_list(struct pm_spare_lists *from, size_t slices, size_t most)
{
    while (from->list[slices] != NULL && held.slices + slices <= most)
        pm_spare_lists_push(&held, pm_spare_lists_pop(from, slices));
}

void pm_transfer_put(struct pm_spare_lists *from, uint32_t lengths)
{
    size_t most = room_now();
    lengths &= from->lengths;
    if (lengths == 0 || slices_now() >= most)
        return;
    pm_lock(&pm_transfer_lock);
    for (; lengths != 0; lengths &= lengths - 1)
        put_list(from, (size_t)__builtin_ctz(lengths), most);
    publish();
    pm_unlock(&pm_transfer_lock);
}

bool pm_transfer_put_one(struct pm_large *large)
{
    size_t most = room_now(), slices = large->span.slices;
    if (slices_now() + slices > most)
        return false;
    pm_lock(&pm_transfer_lock);
    bool has_room = held.slices + slices <= most;
    if (has_room)
        pm_spare_lists_push(&held, large);
    publish();
    pm_unlock(&pm_transfer_lock);
    return has_room;
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

/* Some blocks, of so many slices or more; returns how many slices. */
static size_t take_some(struct pm_span **spans, size_t *count, size_t least)
{
    pm_lock(&pm_transfer_lock);
    size_t taken = pm_spare_lists_pop_longest(&held, spans, count, least);
    publish();
    pm_unlock(&pm_transfer_lock);
    return taken;
}

/* Some at a time: if another thread forks before they have gone, they are lost to the child. */
void pm_transfer_give_back(size_t least)
{
    struct pm_span *spans[PM_SPARE_GIVEN];
    size_t count, left = slices_now();
    if (left > least)
        left = least;
    for (size_t taken; left != 0; left -= taken < left ? taken : left) {
        taken = take_some(spans, &count, left);
        if (count == 0)
            return;
        pm_spare_lists_give(spans, count);
    }
}

void pm_transfer_make_room(size_t slices)
{
    if (!pm_transfer_is_empty())
        pm_transfer_give_back(pm_spare_excess(slices));
}

void pm_transfer_check(void)
{
    pm_lock(&pm_transfer_lock);
    pm_spare_lists_check(&held);
    pm_unlock(&pm_transfer_lock);
}
