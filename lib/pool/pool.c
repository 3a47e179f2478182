/*
 * pool.c - pools off the fast path: making and unmaking them, carving fresh
 * blocks, collecting remote frees, and checking it all.
 */
#include "pool/pool.h"

#include "arena/meta.h"
#include "arena/ownermap.h"
#include "arena/spans.h"
#include "os/fatal.h"

enum {
    BLOCKS_MIN = 8,     /* a pool of large blocks spans enough slices for these */
    CARVE_BYTES = 4096, /* how much memory is made ready at one time */
};

struct pm_pool pm_pool_none;

static size_t slices_for(uint32_t size)
{
    return size * BLOCKS_MIN <= PM_SLICE ? 1 : pm_div_up(size * BLOCKS_MIN, PM_SLICE);
}

static uint64_t limit_for(uint32_t size)
{
    return slices_for(size) * PM_SLICE / size + 1;
}

static size_t descriptor_size(uint32_t size)
{
    return sizeof(struct pm_pool) + limit_for(size) * sizeof(uint16_t);
}

/* By Newton's method: each step doubles the number of right bits, from three. */
static uint64_t inverse_of(uint64_t odd)
{
    uint64_t inverse = odd;
    for (int bits = 3; bits < 64; bits *= 2)
        inverse *= 2 - odd * inverse;
    return inverse;
}

static void shape(struct pm_pool *pool, unsigned class)
{
    uint32_t size = pm_class_size(class);
    pool->class = (uint8_t) class;
    pool->size = size;
    pool->rotate = (uint8_t)__builtin_ctz(size);
    pool->inverse = inverse_of(size >> pool->rotate);
    pool->limit = limit_for(size);
}

struct pm_pool *pm_pool_create(unsigned class, struct pm_heap *owner)
{
    size_t size = descriptor_size(pm_class_size(class));
    struct pm_pool *pool = pm_meta_alloc(size);
    if (pool == NULL)
        return NULL;
    shape(pool, class);
    if (!pm_spans_take(&pool->span, slices_for(pool->size), PM_SLICE)) {
        pm_meta_free(pool, size);
        return NULL;
    }
    pool->block0 = pool->span.start - pool->size;
    pool->clean = pool->span.zeroed ? ~(uint64_t)0 : 0;
    pool->span.kind = PM_SPAN_POOL;
    pool->origin = owner;
    atomic_store_explicit(&pool->owner, owner, memory_order_relaxed);
    atomic_store_explicit(&pool->remote, PM_REMOTE_OWNED, memory_order_relaxed);
    pm_ownermap_set(pool->span.start, pool->span.slices, &pool->span);
    return pool;
}

/* Two threads that free a block at one time may count it twice; no live block goes for that. */
static void check_empty(struct pm_pool *pool)
{
    bool live = false;
    for (uint32_t block = 1; block <= pool->carved; block++)
        live |= pm_link_get(pool, block) == PM_LINK_LIVE;
    if (live)
        pm_fatal_broken("a pool that goes has no live block", pool);
}

void pm_pool_destroy(struct pm_pool *pool)
{
    check_empty(pool);
    pm_spans_give(&pool->span);
    pm_meta_free(pool, descriptor_size(pool->size));
}

bool pm_pool_collect(struct pm_pool *pool)
{
    if (!pm_pool_has_remote(pool))
        return false;
    /* acquire pairs with the release in remote.c: push() */
    uint64_t word = atomic_exchange_explicit(&pool->remote, PM_REMOTE_OWNED, memory_order_acquire);
    uint32_t count = PM_REMOTE_COUNT(word);
    uint16_t head = PM_REMOTE_HEAD(word), last = head;
    for (uint32_t i = 1; i < count; i++)
        last = pm_link_get(pool, last);
    if (pm_link_get(pool, last) != PM_LINK_NONE)
        pm_fatal_broken("a remote list is as long as its count", pool);
    pm_link_set(pool, last, (uint16_t)pool->free);
    pool->free = head;
    pool->used -= count;
    return true;
}

bool pm_pool_carve(struct pm_pool *pool)
{
    if (pool->withheld != 0)
        return pm_pool_unwithhold(pool);
    uint32_t last = (uint32_t)pool->limit - 1;
    uint32_t first = pool->carved + 1u;
    if (first > last)
        return false;
    uint32_t batch = CARVE_BYTES / pool->size;
    uint32_t end = first + (batch != 0 ? batch : 1);
    if (end > last + 1)
        end = last + 1;
    for (uint32_t block = first; block + 1 < end; block++)
        pm_link_set(pool, block, (uint16_t)(block + 1));
    pm_link_set(pool, end - 1, (uint16_t)pool->free);
    pool->free = first;
    pool->carved = (uint16_t)(end - 1);
    pool->clean &= ~pm_pool_pages(pool, first, end);
    return true;
}

void pm_pool_rebuild(struct pm_pool *pool)
{
    uint32_t live = 0;
    pool->free = PM_LINK_NONE;
    for (uint32_t block = pool->carved; block > 0; block--) {
        if (pm_link_get(pool, block) == PM_LINK_LIVE) {
            live++;
            continue;
        }
        pm_link_set(pool, block, (uint16_t)pool->free);
        pool->free = block;
    }
    pool->used = live;
    pool->withheld = 0;
    if (pool->carved != 0)
        pool->clean &= ~pm_pool_pages(pool, 1, pool->carved + 1u);
    atomic_store_explicit(&pool->remote, PM_REMOTE_OWNED, memory_order_relaxed);
}

/* The length of the list from `head`, which must consist of free carved blocks. */
static uint32_t check_list(struct pm_pool *pool, uint32_t head)
{
    uint32_t length = 0;
    for (uint32_t block = head; block != PM_LINK_NONE; block = pm_link_get(pool, block)) {
        if (block == PM_LINK_LIVE || block > pool->carved)
            pm_fatal_broken("a free list holds free blocks of its pool only", pool);
        if (++length > pool->carved)
            pm_fatal_broken("a free list ends", pool);
    }
    return length;
}

static void check_withheld(struct pm_pool *pool)
{
    uint32_t withheld = 0;
    for (uint32_t block = 1; block <= pool->carved; block++) {
        uint64_t page = pm_pool_pages(pool, block, block + 1);
        if ((pool->clean & page & -page) == 0) /* its first page */
            continue;
        withheld++;
        if (pm_link_peek(pool, block) == PM_LINK_LIVE)
            pm_fatal_broken("no live block begins on a clean page", pool);
    }
    if (withheld != pool->withheld)
        pm_fatal_broken("the blocks that begin on clean pages are withheld", pool);
}

void pm_pool_check(struct pm_pool *pool)
{
    /* acquire pairs with the release in remote.c: push() */
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_acquire);
    uint32_t remote = PM_REMOTE_COUNT(word);
    uint32_t listed = check_list(pool, pool->free);
    if (check_list(pool, PM_REMOTE_HEAD(word)) != remote)
        pm_fatal_broken("a remote list is as long as its count", pool);
    if (pool->carved != pm_pool_used(pool) + listed + pool->withheld)
        pm_fatal_broken("carved == used + listed + withheld", pool);
    if (pool->carved >= pool->limit || pm_pool_used(pool) >= pool->limit)
        pm_fatal_broken("no more blocks than the pool has", pool);
    if (pool->state == PM_POOL_FULL && pool->used != 1)
        pm_fatal_broken("the next free into a full pool is noticed", pool);
    if (pm_ownermap_get((void *)pool->span.start) != &pool->span)
        pm_fatal_broken("the owner map leads to the pool", pool);
    if (pm_link_get(pool, 0) != 0)
        pm_fatal_broken("block 0 does not exist", pool);
    check_withheld(pool);
}
