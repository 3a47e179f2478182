/*
 * misuse.c - see misuse.h.
 */
#include "heap/misuse.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "os/fatal.h"

struct pm_foreign pm_foreign PM_READ_MOSTLY;

bool pm_block_find(const void *address, struct pm_block *block)
{
    struct pm_span *span = pm_ownermap_get(address);
    if (span == NULL)
        return false;
    if (span->kind == PM_SPAN_LARGE) {
        block->pool = NULL;
        block->large = pm_large_of_span(span);
        block->usable = pm_large_usable(block->large);
        return span->start == (uintptr_t)address && block->usable != 0;
    }
    block->pool = pm_pool_of_span(span);
    block->large = NULL;
    block->usable = block->pool->shape.size;
    uint64_t number = pm_pool_block_at(block->pool, address);
    return number < block->pool->shape.limit && pm_link_is_live(block->pool, number);
}

bool pm_block_is_live(const void *address)
{
    struct pm_block block;
    if (pm_ownermap_get(address) == NULL)
        return false;
    pm_lock(&pm_arena_lock); /* no span comes or goes while it is looked at */
    bool live = pm_block_find(address, &block);
    pm_unlock(&pm_arena_lock);
    return live;
}

/* The span that covers `address`; only a pool is entered for more than its first slice. */
static struct pm_span *covering_span(uintptr_t address)
{
    struct pm_span *span = NULL;
    pm_lock(&pm_arena_lock);
    struct pm_arena *arena = pm_arena_list;
    while (arena != NULL && !pm_arena_holds_locked(arena, address))
        arena = arena->next;
    if (arena != NULL) {
        uintptr_t at = arena->dedicated ? arena->base : address;
        while ((span = pm_ownermap_get((void *)at)) == NULL && at - arena->base >= PM_SLICE)
            at -= PM_SLICE;
    }
    pm_unlock(&pm_arena_lock);
    return span;
}

static _Noreturn void misuse_in_pool(struct pm_pool *pool, uintptr_t address, const char *call)
{
    uint64_t number = (address - pm_pool_block0(pool)) / pool->shape.size;
    if (number < pool->shape.first || number >= pool->shape.limit)
        pm_fatal_foreign(call, (void *)address);
    if (pm_link_is_live(pool, number))
        pm_fatal_interior(call, (void *)address,
                          (uintptr_t)pm_pool_address(pool, (uint32_t)number));
    pm_fatal_free(call, (void *)address);
}

static bool is_live_large(struct pm_span *span)
{
    return span->kind == PM_SPAN_LARGE && pm_large_usable(pm_large_of_span(span)) != 0;
}

_Noreturn void pm_misuse(const void *pointer, const char *call)
{
    uintptr_t address = (uintptr_t)pointer;
    if (!pm_arena_contains(pointer))
        pm_fatal_foreign(call, pointer);
    struct pm_span *span = covering_span(address);
    if (span == NULL)
        pm_fatal_free(call, pointer);
    if (span->kind == PM_SPAN_POOL && address - span->start < pm_span_bytes(span))
        misuse_in_pool(pm_pool_of_span(span), address, call);
    if (is_live_large(span) && address - span->start < pm_arena_span_bytes(span))
        pm_fatal_interior(call, pointer, span->start);
    pm_fatal_free(call, pointer);
}
