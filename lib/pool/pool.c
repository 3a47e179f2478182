/*
 * pool.c - pools off the fast path: making and unmaking them, carving fresh
 * blocks, collecting remote frees, and checking it all.
 */
#include "pool/pool.h"

#include "arena/arena.h"
#include "arena/bitmap.h"
#include "arena/meta.h"
#include "arena/ownermap.h"
#include "arena/spans.h"
#include "os/fatal.h"
#include "pool/links.h"

enum {
    BLOCKS_GOOD = 32,           /* a pool spans enough slices for these, if two are enough; */
    BLOCKS_ENOUGH = 8,          /* if they are not, for these, where that much is to spare, */
    BLOCKS_MIN = 2,             /* and for these where not; */
    LONG_BYTES = 3 * PM_SLICE,  /* and so much where two would be enough, */
    LONG_ROOM = 8 * LONG_BYTES, /* but this is to spare: fewer pools to know, and all near */
    CARVE_BYTES = 4096,         /* how much memory is made ready at one time */
    FREES_MIN = 64,             /* frees into a current pool between two looks at the clock */
    FREES_MAX = 128,
};

struct pm_pool pm_pool_none = {.free = PM_LINK_NONE};

/*
 * The collector's two words precede an object.  With them at the end of the line before, lists,
 * dicts and other objects of six words lie in a line each; and the collector, which goes from
 * header to header, is 1.2 times as fast in large heaps as with both in one line (the
 * processor then fetches neighbours in time: doc/design.md).
 */
static uint16_t lead_for(unsigned class)
{
    bool fills_line = class >= PM_CLASS_OBJECTS && pm_class_size(class) == PM_CACHE_LINE;
    return fills_line ? PM_CACHE_LINE - 2 * sizeof(void *) : 0;
}

static size_t at_least(size_t bytes, size_t least)
{
    return bytes > least ? bytes : least;
}

static size_t slices_for(uint32_t size, size_t room)
{
    size_t good = size * BLOCKS_GOOD;
    if (good > 2 * PM_SLICE) {
        good = at_least(2 * PM_SLICE, size * BLOCKS_ENOUGH);
        if (good > room)
            good = at_least(room / size * size, size * BLOCKS_MIN);
    } else if (room >= LONG_ROOM) {
        good = LONG_BYTES;
    }
    return pm_spans_slices(good);
}

/* So many that every distance is larger than every number, and neither is PM_LINK_NONE. */
static uint32_t first_for(uint32_t size, uint32_t blocks)
{
    uint32_t first = blocks / (size - 1) + 1;
    return first > PM_LINK_NONE ? first : PM_LINK_NONE + 1;
}

/* Without a lead, blocks whose size is a multiple of a power of two lie at multiples of it. */
static size_t align_for(uint32_t size)
{
    size_t natural = size & -size;
    return natural < PM_SLICE ? PM_SLICE : natural;
}

static struct pm_shape shape_of(unsigned class, size_t slices)
{
    uint32_t size = pm_class_size(class);
    uint16_t lead = lead_for(class);
    uint32_t blocks = (uint32_t)(((slices << PM_SLICE_SHIFT) - lead) / size);
    uint32_t first = first_for(size, blocks);
    uint32_t limit = first + blocks, near = PM_NEAR / size;
    if (limit > near && limit - near <= blocks / 8) /* few enough to do without them */
        limit = near;
    return (struct pm_shape){
        .reciprocal = UINT64_MAX / size + 1,
        .size = (uint16_t)size,
        .lead = lead,
        .first = (uint16_t)first,
        .limit = (uint16_t)limit,
    };
}

static size_t descriptor_size(const struct pm_shape *shape)
{
    return sizeof(struct pm_pool) + shape->limit * sizeof(uint16_t);
}

/* The links of a fresh pool are 0, which must not say that a block is live: as it would where the
 * distance ends in 0, for number 0, and for others in pools that are not near. */
static void clear_links(struct pm_pool *pool)
{
    pm_link_set(pool, 0, UINT16_MAX);
    for (uint32_t block = pool->shape.first; !pm_pool_is_near(pool) && block < pool->limit; block++)
        pm_link_set(pool, block, PM_LINK_NONE);
}

/* After so many frees the heap looks at the clock: that is not to be what frees into a pool of few
 * blocks cost, nor is a program that wakes up to have to make thousands of them. */
static uint16_t used_current_for(const struct pm_shape *shape)
{
    uint32_t twice = 2u * (uint32_t)(shape->limit - shape->first);
    return (uint16_t)(twice < FREES_MIN ? FREES_MIN : twice > FREES_MAX ? FREES_MAX : twice);
}

static void fill_in(struct pm_pool *pool, unsigned class, const struct pm_shape *shape)
{
    pool->class = (uint8_t) class;
    pool->shape = *shape;
    pool->block0 = pm_pool_block0(pool);
    pool->reciprocal = shape->reciprocal;
    pool->limit = shape->limit;
    pool->size = shape->size;
    pool->free = PM_LINK_NONE;
    pool->carved = shape->first;
    pool->used_current = used_current_for(shape);
    pm_pool_set_current(pool);
    clear_links(pool);
}

struct pm_pool *pm_pool_create(unsigned class, size_t room, struct pm_heap *owner)
{
    size_t slices = slices_for(pm_class_size(class), room);
    struct pm_shape shape = shape_of(class, slices);
    size_t size = descriptor_size(&shape);
    struct pm_pool *pool = pm_meta_alloc(size);
    if (pool == NULL)
        return NULL;
    if (!pm_spans_take(&pool->span, PM_SPAN_POOL, slices, align_for(shape.size))) {
        pm_meta_free(pool, size);
        return NULL;
    }
    fill_in(pool, class, &shape);
    pm_pool_set_owner(pool, owner);
    atomic_store_explicit(&pool->remote, PM_REMOTE_OWNED | PM_REMOTE_EMPTY, memory_order_relaxed);
    pm_ownermap_set(pool->span.start, pool->span.slices, &pool->span);
    return pool;
}

/* Two threads that free a block at one time may count it twice; no live block goes for that. */
static void check_empty(struct pm_pool *pool)
{
    if (pm_pool_has_live(pool))
        pm_fatal_broken("a pool that goes has no live block", pool);
}

void pm_pool_destroy(struct pm_pool *pool)
{
    check_empty(pool);
    pm_pool_leave_rest(pool, PM_POOL_BUSY);
    pm_arena_take_in(&pool->span);
    pm_arena_use(&pool->span, pm_pool_touched(pool));
    size_t size = descriptor_size(&pool->shape);
    pm_spans_give(&pool->span);
    pm_meta_free(pool, size);
}

static uint32_t count_listed(const struct pm_pool *pool)
{
    uint32_t count = 0;
    for (uint32_t block = pool->free; block != PM_LINK_NONE; block = pm_link_get(pool, block))
        count++;
    return count;
}

uint32_t pm_pool_used(const struct pm_pool *pool)
{
    if (pool->state == PM_POOL_FULL)
        return pm_pool_used_of_full(pool);
    if (pool->state == PM_POOL_CURRENT)
        return pool->carved - pool->shape.first - pool->withheld - count_listed(pool);
    return pool->used;
}

PM_RACY_READ uint32_t pm_pool_count_live(const struct pm_pool *pool)
{
    uint32_t count = 0;
    for (uint32_t block = pool->shape.first; block < pool->carved; block++)
        count += pm_link_is_live(pool, block);
    return count;
}

PM_RACY_READ bool pm_pool_has_live(const struct pm_pool *pool)
{
    uint32_t first = pool->shape.first;
    return pm_links_any(pool->link + first, pool->carved - first, pm_link_live(pool, first),
                        (uint16_t)pool->size);
}

bool pm_pool_collect(struct pm_pool *pool)
{
    if (!pm_pool_has_remote(pool))
        return false;
    /* acquire pairs with the release in remote.c: push() */
    uint64_t word = atomic_exchange_explicit(&pool->remote, PM_REMOTE_OWNED | PM_REMOTE_EMPTY,
                                             memory_order_acquire);
    uint32_t count = PM_REMOTE_COUNT(word);
    uint16_t head = PM_REMOTE_HEAD(word), last = head;
    for (uint32_t i = 1; i < count && last < pool->limit; i++)
        last = pm_link_get(pool, last);
    if (last >= pool->limit || pm_link_get(pool, last) != PM_LINK_NONE)
        pm_fatal_broken("a remote list is as long as its count", pool);
    pm_link_set(pool, last, (uint16_t)pool->free);
    pool->free = head;
    /* of a current pool it is a countdown, which must not pass 0 unnoticed */
    pool->used = pool->state == PM_POOL_CURRENT && count >= pool->used ? 1 : pool->used - count;
    return true;
}

bool pm_pool_carve(struct pm_pool *pool)
{
    if (pool->withheld != 0)
        return pm_pool_unwithhold(pool);
    uint32_t first = pool->carved, limit = (uint32_t)pool->limit;
    if (first == limit)
        return false;
    uint32_t batch = CARVE_BYTES / pool->size;
    uint32_t end = first + (batch != 0 ? batch : 1);
    if (end > limit)
        end = limit;
    pm_links_set(pool->link + first, end - first, (uint16_t)(first + 1), 1);
    pm_link_set(pool, end - 1, (uint16_t)pool->free);
    pool->free = first;
    pool->carved = (uint16_t)end;
    pm_arena_use(&pool->span, pm_pool_pages(pool, first, end));
    return true;
}

void pm_pool_rebuild(struct pm_pool *pool)
{
    uint32_t first = pool->shape.first, live = 0;
    pool->free = PM_LINK_NONE;
    for (uint32_t block = pool->carved; block-- > first;) {
        if (pm_link_is_live(pool, block)) {
            live++;
            continue;
        }
        pm_link_set(pool, block, (uint16_t)pool->free);
        pool->free = block;
    }
    pm_pool_set_state(pool, PM_POOL_PARTIAL);
    pool->used = live;
    pool->withheld = 0;
    pm_pool_set_purged(pool, false);
    pm_arena_take_in(&pool->span);
    pm_arena_use(&pool->span, pm_pool_all_pages(pool)); /* some were about to be purged, perhaps */
    atomic_store_explicit(&pool->remote, PM_REMOTE_OWNED | PM_REMOTE_EMPTY, memory_order_relaxed);
}

static void mark_list(struct pm_pool *pool, uint32_t head, uint64_t *listed)
{
    for (uint32_t block = head; block != PM_LINK_NONE; block = pm_link_get(pool, block))
        pm_bitmap_set(listed, block, 1);
}

bool pm_pool_recover(struct pm_pool *pool)
{
    uint64_t listed[PM_BITMAP_WORDS(PM_POOL_LIMIT_MAX)] = {0};
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_relaxed), before = word;
    mark_list(pool, pool->free, listed);
    mark_list(pool, PM_REMOTE_HEAD(word), listed);
    for (uint32_t block = pool->shape.first; block < pool->carved; block++) {
        uint64_t page = pm_pool_pages(pool, block, block + 1);
        bool withheld = (pool->span.clean & page & -page) != 0; /* by its first page */
        if (withheld || pm_bitmap_test(listed, block) || pm_link_is_live(pool, block))
            continue;
        pm_link_set(pool, block, PM_REMOTE_HEAD(word));
        word = ((word & ~(uint64_t)0xffff) | block) + PM_REMOTE_ONE;
    }
    atomic_store_explicit(&pool->remote, word, memory_order_relaxed);
    return word != before;
}

/* The length of the list from `head`, which must consist of free carved blocks. */
static uint32_t check_list(struct pm_pool *pool, uint32_t head)
{
    uint32_t length = 0;
    for (uint32_t block = head; block != PM_LINK_NONE; block = pm_link_get(pool, block)) {
        if (block < pool->shape.first || block >= pool->carved || pm_link_is_live(pool, block))
            pm_fatal_broken("a free list holds free blocks of its pool only", pool);
        if (++length > pool->limit)
            pm_fatal_broken("a free list ends", pool);
    }
    return length;
}

static void check_withheld(struct pm_pool *pool)
{
    uint32_t withheld = 0;
    for (uint32_t block = pool->shape.first; block < pool->carved; block++) {
        uint64_t page = pm_pool_pages(pool, block, block + 1);
        if ((pool->span.clean & page & -page) == 0) /* its first page */
            continue;
        withheld++;
        if (pm_link_is_live(pool, block))
            pm_fatal_broken("no live block begins on a clean page", pool);
    }
    if (withheld != pool->withheld)
        pm_fatal_broken("the blocks that begin on clean pages are withheld", pool);
}

static void check_counts(struct pm_pool *pool)
{
    /* acquire pairs with the release in remote.c: push() */
    uint64_t word = atomic_load_explicit(&pool->remote, memory_order_acquire);
    uint32_t remote = PM_REMOTE_COUNT(word), used = pm_pool_used(pool);
    uint32_t carved = pool->carved - (uint32_t)pool->shape.first;
    if (check_list(pool, PM_REMOTE_HEAD(word)) != remote)
        pm_fatal_broken("a remote list is as long as its count", pool);
    if (carved != used + check_list(pool, pool->free) + pool->withheld)
        pm_fatal_broken("carved == used + listed + withheld", pool);
    if (pool->carved > pool->limit || used > pm_pool_blocks(pool))
        pm_fatal_broken("no more blocks than the pool has", pool);
    if (used < remote + pm_pool_count_live(pool))
        pm_fatal_broken("blocks live and freed by others are used", pool);
}

/* Whose `used` says how many frees there are until one is reported. */
static void check_countdown(const struct pm_pool *pool)
{
    bool is_full = pool->state == PM_POOL_FULL;
    if (!is_full && pool->state != PM_POOL_CURRENT)
        return;
    if (is_full && !pm_pool_is_carved(pool))
        pm_fatal_broken("a full pool's blocks have all been in use", pool);
    uint32_t most = is_full ? pm_pool_full_frees(pool) : pool->used_current;
    if (pool->used == 0 || pool->used > most)
        pm_fatal_broken("frees into a full or current pool are counted down", pool);
}

void pm_pool_check(struct pm_pool *pool)
{
    check_countdown(pool);
    check_counts(pool);
    if (pm_ownermap_get((void *)pool->span.start) != &pool->span)
        pm_fatal_broken("the owner map leads to the pool", pool);
    if (pm_link_get(pool, 0) != UINT16_MAX)
        pm_fatal_broken("block 0 does not exist", pool);
    check_withheld(pool);
}
