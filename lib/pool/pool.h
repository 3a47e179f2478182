/*
 * pool.h - a pool: a span cut into equal blocks of one size class.
 *
 * Blocks are numbered from 1.  All that is known of a block stands in link[],
 * beside the pool's header and outside user memory:
 *
 *   link[b] == PM_LINK_LIVE   b is in use
 *   otherwise                 b is free; if it is on a list, link[b] is the
 *                             number of the next block on it, 0 at the end
 *
 * Free blocks are on `free` (the owner's list, last freed first), on the list
 * in `remote` (freed by other threads), were never carved (b > carved), or are
 * withheld: they begin on a page that has been purged (pool_purge.c).
 *
 * The states of a pool, and who may change them:
 *
 *   current   the pool its owner's heap allocates from, one per class; counted
 *             once more in `used`, so that it never looks empty
 *   partial   owned, has free blocks, waits on the owner's list to be current
 *   full      owned, every block is live as far as the owner knows; `used` is 1,
 *             so that its next free looks like the last and is not fast
 *   floating  owned by nobody: full for longer, or left behind by a thread that
 *             ended.  Whoever frees a block into it, or takes it from the shared
 *             list to allocate from it, claims it first
 *
 *   fresh -> current -> full -> partial -> current
 *                       full -> floating -> partial
 *                               floating -> current   (taken from the shared list)
 *            partial, floating -> gone                (its last block was freed)
 *
 * The owner alone reads and writes line 0; `remote` is for all.
 *
 * Turning an address into a block number needs no division: the distance from
 * block 0 is multiplied by the inverse of the block size's odd part modulo
 * 2^64 and rotated by its power of two.  The product is the block's number if
 * the distance is a multiple of the size, and more than 2^64 / size otherwise
 * (Granlund and Montgomery, "Division by Invariant Integers using
 * Multiplication", 1994, section 9).  One comparison with `limit` therefore
 * refuses interior pointers and every address outside the pool.
 */
#ifndef PM_POOL_POOL_H
#define PM_POOL_POOL_H

#include <stdatomic.h>

#include "arena/span.h"
#include "os/compiler.h"
#include "pool/sizeclass.h"

#define PM_LINK_NONE 0
#define PM_LINK_LIVE 0xffff

enum pm_pool_state {
    PM_POOL_FLOATING,
    PM_POOL_CURRENT,
    PM_POOL_PARTIAL,
    PM_POOL_FULL,
};

struct pm_heap;

struct pm_pool {
    /* Line 0. The first four are constant while the pool exists. */
    uintptr_t block0; /* where block 0 would be: a block's size before the span */
    uint64_t inverse; /* of the odd part of `size`, modulo 2^64 */
    uint64_t limit;   /* number of the last block, plus one */
    uint32_t size;    /* bytes in a block */
    uint32_t used;    /* blocks not on `free` and carved, but see current and full */
    uint32_t free;    /* head of the owner's list */
    uint16_t carved;  /* blocks 1..carved have been on a list */
    uint8_t rotate;   /* power of two in `size` */
    uint8_t class;
    uint8_t state;               /* enum pm_pool_state */
    bool listed;                 /* on the shared list of its class; under that list's lock */
    uint16_t withheld;           /* blocks */
    uint16_t rested;             /* `used` when heap_purge.c last looked, and */
    bool purged_since;           /* whether the pool has been purged since that changed */
    struct pm_pool *next, *prev; /* in the owner's list or the shared one */

    /* Line 1. */
    _Atomic uint64_t remote PM_CACHE_ALIGNED; /* see PM_REMOTE_ below */
    _Atomic(struct pm_heap *) owner;          /* relaxed: only the owner finds itself here */
    struct pm_heap *origin;                   /* the last owner; only to be compared */
    struct pm_span span;
    uint64_t clean; /* the owner's: pages that hold no block in use and are not resident */

    /* `limit` entries, link[0] never live; pm_link_ below says who may read which. */
    uint16_t link[] PM_CACHE_ALIGNED;
} PM_CACHE_ALIGNED;

_Static_assert(offsetof(struct pm_pool, remote) == PM_CACHE_LINE, "line 0 is the owner's alone");
_Static_assert(offsetof(struct pm_pool, link) == 2 * PM_CACHE_LINE, "two lines and the links");

/*
 * `remote`: the list of blocks freed by threads that do not own the pool, and
 * whether somebody owns it at all.
 */
#define PM_REMOTE_HEAD(word) ((uint16_t)(word))
#define PM_REMOTE_COUNT(word) ((uint32_t)((word) >> 16) & 0xffff)
#define PM_REMOTE_OWNED ((uint64_t)1 << 32)
#define PM_REMOTE_ONE ((uint64_t)1 << 16)

/* A pool without blocks: what every search finds where there is nothing. */
extern struct pm_pool pm_pool_none;

PM_INLINE struct pm_pool *pm_pool_of_span(struct pm_span *span)
{
    return (struct pm_pool *)((char *)span - offsetof(struct pm_pool, span));
}

/*
 * A link belongs to whoever holds the block: the program while it is live (so it
 * is the one thread that frees it which reads and writes the link), then the
 * owner of the list it is on.  Plain accesses are therefore enough, except
 * where a program may be wrong about that: remote frees take the link over by an
 * exchange, and questions about any address use pm_link_peek().
 */
PM_INLINE uint16_t pm_link_get(const struct pm_pool *pool, uint64_t block)
{
    return pool->link[block];
}

PM_INLINE void pm_link_set(struct pm_pool *pool, uint64_t block, uint16_t value)
{
    pool->link[block] = value;
}

PM_INLINE uint16_t pm_link_peek(const struct pm_pool *pool, uint64_t block)
{
    return __atomic_load_n(&pool->link[block], __ATOMIC_RELAXED);
}

PM_INLINE uint16_t pm_link_exchange(struct pm_pool *pool, uint64_t block, uint16_t value)
{
    return __atomic_exchange_n(&pool->link[block], value, __ATOMIC_RELAXED);
}

/* The number of the block that starts at `address`; at least `limit` if none does. */
PM_INLINE uint64_t pm_pool_block_at(const struct pm_pool *pool, const void *address)
{
    uint64_t distance = (uintptr_t)address - pool->block0;
    return pm_rotate_right(distance * pool->inverse, pool->rotate);
}

PM_INLINE void *pm_pool_address(const struct pm_pool *pool, uint32_t block)
{
    return (void *)(pool->block0 + (size_t)(block * pool->size));
}

/* Takes the last freed block; the pool has one on `free`. */
PM_INLINE void *pm_pool_pop(struct pm_pool *pool)
{
    uint32_t block = pool->free;
    pool->free = pm_link_get(pool, block);
    pm_link_set(pool, block, PM_LINK_LIVE);
    pool->used++;
    return pm_pool_address(pool, block);
}

/* Puts a live block on `free`; true when the pool is empty now, or was full. */
PM_INLINE bool pm_pool_push(struct pm_pool *pool, uint64_t block)
{
    pm_link_set(pool, block, (uint16_t)pool->free);
    pool->free = (uint32_t)block;
    return --pool->used == 0;
}

/* Blocks not on `free` and carved: live, or freed by other threads. */
PM_INLINE uint32_t pm_pool_used(const struct pm_pool *pool)
{
    if (pool->state == PM_POOL_FULL)
        return (uint32_t)pool->limit - 1;
    return pool->used - (pool->state == PM_POOL_CURRENT);
}

/* Have other threads freed blocks since the last pm_pool_collect()? */
PM_INLINE bool pm_pool_has_remote(const struct pm_pool *pool)
{
    return PM_REMOTE_COUNT(atomic_load_explicit(&pool->remote, memory_order_relaxed)) != 0;
}

/* Every block is live: the next free of the owner's is reported by pm_pool_push(). */
PM_INLINE void pm_pool_set_full(struct pm_pool *pool)
{
    pool->state = PM_POOL_FULL;
    pool->used = 1;
}

/* Counts `used` as ever; `freed` of the blocks are on `free` by now. */
PM_INLINE void pm_pool_unset_full(struct pm_pool *pool, uint32_t freed)
{
    pool->state = PM_POOL_PARTIAL;
    pool->used = (uint32_t)pool->limit - 1 - freed;
}

/* A new pool of `class`, owned by `owner`; NULL when memory runs out. */
struct pm_pool *pm_pool_create(unsigned class, struct pm_heap *owner);

/* Gives an empty pool's span back; nobody has it in a list. */
void pm_pool_destroy(struct pm_pool *pool);

/*
 * Takes in what other threads have freed; true when that gave the owner's list a
 * block.  Not of a full pool.
 */
bool pm_pool_collect(struct pm_pool *pool);

/*
 * Puts a page's worth of blocks on `free` that are withheld or were never used;
 * false when there are none.
 */
bool pm_pool_carve(struct pm_pool *pool);

/*
 * Gives the pages on which no block is in use back to the system and withholds
 * the blocks there; returns the bytes given back.  The pool is the caller's.
 */
size_t pm_pool_purge(struct pm_pool *pool);

/* For pm_pool_carve(): the withheld blocks of one page are on `free` again; false: none. */
bool pm_pool_unwithhold(struct pm_pool *pool);

/* The pages of the pool that the blocks [first, end) lie on, as bits. */
uint64_t pm_pool_pages(const struct pm_pool *pool, uint32_t first, uint32_t end);

/* Makes `free` and `used` anew from link[], whatever state they are in. */
void pm_pool_rebuild(struct pm_pool *pool);

/*
 * The pool's invariants, asserted by the owner:
 *   pm_pool_used() == blocks live + blocks on `remote`
 *   carved == blocks live + blocks on `free` + blocks on `remote` + withheld
 *   a withheld block is free and begins on a clean page; no other carved one does
 *   a full pool has none on `free`, and `used` is 1
 *   no list reaches a live block, one never carved, or itself again
 */
void pm_pool_check(struct pm_pool *pool);

#endif /* PM_POOL_POOL_H */
