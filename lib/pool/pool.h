/*
 * pool.h - a pool: a span cut into equal blocks of one size class.
 *
 * Blocks are numbered from `first` on.  All that is known of a block stands in
 * link[], beside the pool's header and outside user memory:
 *
 *   link[b] == pm_link_live(b)   b is in use
 *   otherwise                    b is free; if it is on a list, link[b] is the
 *                                number of the next block on it, PM_LINK_NONE at the end
 *
 * Free blocks are on `free` (the owner's list, last freed first), on the list
 * in `remote` (freed by other threads), were never carved (b >= carved), or are
 * withheld: they begin on a page that has been purged, or is about to be (pool_purge.h).
 *
 * The states of a pool, and who may change them:
 *
 *   current   the pool its owner's heap allocates from, one per class.  Blocks that
 *             are taken are not counted: `used` only falls, and each time it gets to 0
 *             heap.c takes the occasion to see what the time is.  It is counted
 *             anew when the state ends
 *   partial   owned, has free blocks, waits on the owner's list to be current
 *   full      owned, every block is live as far as the owner knows, or was when it became full
 *             and few have come back since; `used` says how many may still do so before the pool is
 *             worth taking from (pm_pool_full_frees): so that free looks like the last, and is
 *             not fast
 *   floating  owned by nobody: full for longer, or left behind by a thread that
 *             ended.  Whoever frees a block into it, or takes it from the shared
 *             list to allocate from it, claims it first
 *
 *   fresh -> current -> full -> partial -> current
 *            current -> partial                       (a used one serves before it is carved on)
 *                       full -> floating -> partial
 *                               floating -> full      (its heap takes it back with few blocks free)
 *                               floating -> current   (taken from the shared list)
 *            any -> floating                          (its thread ends)
 *            any -> gone                              (its last block was freed)
 *
 * Line 0 is for the owner, or who has claimed the pool; but `place` and `listed` belong to
 * whoever holds the lock of the list, and statistics read `used` and `state`.  Line 1 is for all.
 *
 * From an address to a block number: the distance from where block 0 would be,
 * times 2^64 / size rounded up, is the number in the upper half of the product
 * (exact, as distances are far below 2^48), and a number far above every limit
 * for an address before the pool or behind it.
 *
 * A live block's link is the lower half of its distance.  Where no distance
 * exceeds 16 bits (pm_pool_is_near) and every distance is larger than every
 * number, a link that equals the distance of an address therefore says three
 * things at once: the address is the start of a block, the block is one of this
 * pool, and it is live.  That is why numbers begin at `first` and not at 0.  (In a pool that
 * spans more, the number in a free block's link may be the lower half of the distance of an
 * address inside the block: there the distance itself is compared as well.)
 */
#ifndef PM_POOL_POOL_H
#define PM_POOL_POOL_H

#include <stdatomic.h>

#include "arena/span.h"
#include "os/compiler.h"
#include "pool/sizeclass.h"

/* Ends a list: the number of no block.  Not 0, which is what pools of large blocks
 * have as the link of a live one. */
#define PM_LINK_NONE 1

/* So many distances have no more than 16 bits. */
#define PM_NEAR ((size_t)1 << 16)

/* No number is larger: a pool of the smallest blocks on the largest page has these. */
#define PM_POOL_LIMIT_MAX (((size_t)1 << 16) / PM_GRANULE + 1)

/* A full pool is one until one in so many of its blocks, and one more, have come back; of the
 * pools for objects, of which an interpreter has hundreds and replaces few at random: */
#define PM_FULL_SHARE 32
#define PM_FULL_SHARE_OBJECTS 256

enum pm_pool_state {
    PM_POOL_FLOATING,
    PM_POOL_CURRENT,
    PM_POOL_PARTIAL,
    PM_POOL_FULL,
    PM_POOL_BUSY, /* its owner purges it, or gives it up: nobody visits it (visit.h) */
};

/* Where a floating pool stands on the shared lists of its class. */
enum pm_pool_listed {
    PM_POOL_UNLISTED,
    PM_POOL_LISTED_RICH, /* half free or more */
    PM_POOL_LISTED_POOR,
    PM_POOL_LISTED_PURGED, /* its free pages have gone, and no block came back since */
};

struct pm_heap;

/* A pool's place in a list: pool/list.h. */
struct pm_pool_place {
    struct pm_pool_place *next, *prev;
};

/* What follows from a pool's class and the length of its span. */
struct pm_shape {
    uint64_t reciprocal; /* 2^64 / size, rounded up */
    uint16_t size;
    uint16_t lead;  /* bytes before the first block */
    uint16_t first; /* number of the first block, at least 2 */
    uint16_t limit;
};

struct pm_pool {
    /* Line 0. The first four are constant while the pool exists. */
    uintptr_t block0;    /* where block 0 would be */
    uint64_t reciprocal; /* 2^64 / size, rounded up */
    uint64_t limit;      /* number of the last block, plus one */
    uint32_t size;       /* bytes in a block */
    uint32_t used;       /* blocks not on `free` and carved, but see current and full */
    uint32_t free;       /* head of the owner's list */
    uint16_t carved;     /* blocks first..carved - 1 have been on a list */
    uint16_t withheld;   /* blocks */
    uint8_t class;
    uint8_t state;         /* enum pm_pool_state */
    uint8_t listed;        /* enum pm_pool_listed; under that list's lock */
    bool purged_since;     /* has been purged, and its use has not changed as far as was seen */
    uint16_t rested;       /* `used` at the last look; of a floating pool, when it came back */
    uint16_t used_current; /* what `used` is set to when the pool becomes current */
    struct pm_pool_place place; /* in the owner's list or the shared one */

    /* Line 1. What other threads need is here, so that line 0 stays in its owner's cache. */
    _Atomic uint64_t remote PM_CACHE_ALIGNED; /* see PM_REMOTE_ below */
    _Atomic uintptr_t owner;                  /* see pm_pool_is_owned_by() */
    struct pm_span span;                      /* a clean page holds no block in use */
    struct pm_shape shape;

    /* `limit` entries; pm_link_ below says who may read which. */
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
#define PM_REMOTE_EMPTY ((uint64_t)PM_LINK_NONE) /* a list without blocks */

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

/* What the link of a live block says. */
PM_INLINE uint16_t pm_link_live(const struct pm_pool *pool, uint64_t block)
{
    return (uint16_t)(block * pool->shape.size);
}

PM_INLINE bool pm_link_is_live(const struct pm_pool *pool, uint64_t block)
{
    return pm_link_peek(pool, block) == pm_link_live(pool, block);
}

/* Any thread may ask: the owner is the only one who finds itself here (so relaxed will do).
 * A pool that floats names its last owner, with bit 0 set. */
PM_INLINE bool pm_pool_is_owned_by(const struct pm_pool *pool, const struct pm_heap *heap)
{
    return atomic_load_explicit(&pool->owner, memory_order_relaxed) == (uintptr_t)heap;
}

PM_INLINE bool pm_pool_was_owned_by(const struct pm_pool *pool, const struct pm_heap *heap)
{
    return atomic_load_explicit(&pool->owner, memory_order_relaxed) == ((uintptr_t)heap | 1);
}

/* NULL while it floats. */
PM_INLINE struct pm_heap *pm_pool_owner(const struct pm_pool *pool)
{
    uintptr_t owner = atomic_load_explicit(&pool->owner, memory_order_relaxed);
    return (owner & 1) == 0 ? (struct pm_heap *)owner : NULL;
}

PM_INLINE void pm_pool_set_owner(struct pm_pool *pool, const struct pm_heap *heap)
{
    atomic_store_explicit(&pool->owner, (uintptr_t)heap, memory_order_relaxed);
}

PM_INLINE void pm_pool_unset_owner(struct pm_pool *pool)
{
    uintptr_t last = atomic_load_explicit(&pool->owner, memory_order_relaxed);
    atomic_store_explicit(&pool->owner, last | 1, memory_order_relaxed);
}

/* How many blocks the pool is cut into. */
PM_INLINE uint32_t pm_pool_blocks(const struct pm_pool *pool)
{
    return (uint32_t)(pool->shape.limit - pool->shape.first);
}

/* No distance in it needs more than 16 bits: free's fast path may serve the pool. */
PM_INLINE bool pm_pool_is_near(const struct pm_pool *pool)
{
    return (size_t)pool->shape.limit * pool->shape.size <= PM_NEAR;
}

/* As `block0`, for any thread. */
PM_INLINE uintptr_t pm_pool_block0(const struct pm_pool *pool)
{
    return pool->span.start + pool->shape.lead - (size_t)pool->shape.first * pool->shape.size;
}

/* The number of the live block that starts at `address`; `limit` if none does.  For the owner, as
 * line 0 says all that is needed. */
PM_INLINE uint64_t pm_pool_own_live_at(const struct pm_pool *pool, const void *address)
{
    uint64_t distance = (uintptr_t)address - pool->block0;
    uint64_t block = pm_multiply_high(distance, pool->reciprocal);
    bool is_live = block < pool->limit && block * pool->size == distance &&
                   pm_link_get(pool, block) == (uint16_t)distance;
    return is_live ? block : pool->limit;
}

/* The number of the block that starts at `address`; `limit` if none does. For any thread. */
PM_INLINE uint64_t pm_pool_block_at(const struct pm_pool *pool, const void *address)
{
    struct pm_shape shape = pool->shape;
    uint64_t distance = (uintptr_t)address - pm_pool_block0(pool);
    uint64_t block = pm_multiply_high(distance, shape.reciprocal);
    bool is_start = block >= shape.first && block < shape.limit && block * shape.size == distance;
    return is_start ? block : shape.limit;
}

PM_INLINE void *pm_pool_address(const struct pm_pool *pool, uint32_t block)
{
    return (void *)(pm_pool_block0(pool) + (size_t)block * pool->shape.size);
}

/* Takes the last freed block; the pool has one on `free`. */
PM_INLINE void *pm_pool_pop(struct pm_pool *pool)
{
    uint32_t block = pool->free;
    uint32_t distance = block * pool->size;
    pool->free = pm_link_get(pool, block);
    pm_link_set(pool, block, (uint16_t)distance);
    return (void *)(pool->block0 + distance);
}

/* Puts a live block on `free`; true when pm_heap_pushed() is to know. */
PM_INLINE bool pm_pool_push(struct pm_pool *pool, uint64_t block)
{
    pm_link_set(pool, block, (uint16_t)pool->free);
    pool->free = (uint32_t)block;
    return --pool->used == 0;
}

/* So many blocks have to come back to a full pool before it is worth taking from again: with one it
 * would be full at once, and where blocks are replaced at random nearly every call is one of that
 * kind.  Less than a page at any rate. */
PM_INLINE uint32_t pm_pool_full_frees(const struct pm_pool *pool)
{
    uint32_t share = pool->class < PM_CLASS_OBJECTS ? PM_FULL_SHARE : PM_FULL_SHARE_OBJECTS;
    return (uint32_t)pool->limit / share + 1;
}

/* As pm_pool_used() says of a full pool. */
PM_INLINE uint32_t pm_pool_used_of_full(const struct pm_pool *pool)
{
    return pm_pool_blocks(pool) - (pm_pool_full_frees(pool) - pool->used);
}

/* Blocks not on `free` and carved: live, or freed by other threads. For the owner, or who has
 * claimed the pool, only; of a current pool it takes a walk along the list. */
uint32_t pm_pool_used(const struct pm_pool *pool);

/* Blocks that are live, whoever asks: a walk along the links, racy but for the owner. */
uint32_t pm_pool_count_live(const struct pm_pool *pool);

/* Is any block live?  Of one that another thread frees at this moment it may say either; those
 * freed but not yet pushed are not, though pm_pool_used() counts them. */
bool pm_pool_has_live(const struct pm_pool *pool);

/* Have other threads freed blocks since the last pm_pool_collect()? */
PM_INLINE bool pm_pool_has_remote(const struct pm_pool *pool)
{
    return PM_REMOTE_COUNT(atomic_load_explicit(&pool->remote, memory_order_relaxed)) != 0;
}

/* Is there nothing for pm_pool_carve() to do? */
PM_INLINE bool pm_pool_is_carved(const struct pm_pool *pool)
{
    return pool->carved == pool->limit && pool->withheld == 0;
}

/* Has the owner no block left to take, nor to carve, unless others have freed some? */
PM_INLINE bool pm_pool_is_exhausted(const struct pm_pool *pool)
{
    return pool->free == PM_LINK_NONE && pm_pool_is_carved(pool);
}

/* Whether the pool has been purged since its use changed; read without a claim, too. */
PM_INLINE bool pm_pool_is_purged(const struct pm_pool *pool)
{
    return __atomic_load_n(&pool->purged_since, __ATOMIC_RELAXED);
}

PM_INLINE void pm_pool_set_purged(struct pm_pool *pool, bool purged)
{
    __atomic_store_n(&pool->purged_since, purged, __ATOMIC_RELAXED);
}

/* Release pairs with the acquire in visit.c: is_at_rest(), who sees no block as free that was taken
 * before. */
PM_INLINE void pm_pool_set_state(struct pm_pool *pool, enum pm_pool_state state)
{
    __atomic_store_n(&pool->state, (uint8_t)state, __ATOMIC_RELEASE);
}

/* Another thread may be visiting pools just now: visit.h. */
extern atomic_bool pm_visiting;
void pm_visit_wait(const struct pm_pool *pool);

/* No more partial or full: once nobody visits it.  Who does has made known that it will before it
 * looks at the state, and had all threads execute a barrier in between. */
PM_INLINE void pm_pool_leave_rest(struct pm_pool *pool, enum pm_pool_state state)
{
    pm_pool_set_state(pool, state);
    atomic_signal_fence(memory_order_seq_cst); /* pairs with pm_os_barrier() in visit.c */
    /* acquire pairs with the release in visit.c: pm_visit_end() */
    if (PM_UNLIKELY(atomic_load_explicit(&pm_visiting, memory_order_acquire)))
        pm_visit_wait(pool);
}

/* As `rested`: the pool is in use. */
#define PM_NEVER_RESTED UINT16_MAX

/* So many blocks are in use now: another number than at the last look, or others. */
PM_INLINE void pm_pool_rest(struct pm_pool *pool, uint32_t used)
{
    pool->rested = (uint16_t)used;
    pm_pool_set_purged(pool, false);
}

/* From now on blocks may be popped; or were, since somebody looked. */
PM_INLINE void pm_pool_set_current(struct pm_pool *pool)
{
    pm_pool_rest(pool, PM_NEVER_RESTED); /* as many may be in use later, but others */
    pm_pool_leave_rest(pool, PM_POOL_CURRENT);
    pool->used = pool->used_current; /* (statistics know by the state what it means) */
}

/* Counts `used`. */
PM_INLINE void pm_pool_unset_current(struct pm_pool *pool)
{
    pool->used = pm_pool_used(pool);
    pm_pool_set_state(pool, PM_POOL_PARTIAL);
}

/* Every block is live: the owner's next frees are counted down, and pm_pool_push() reports the one
 * that makes them enough. */
PM_INLINE void pm_pool_set_full(struct pm_pool *pool)
{
    pm_pool_set_state(pool, PM_POOL_FULL);
    pool->used = pm_pool_full_frees(pool);
}

/* The same for one that was full before and has got few blocks back; false: they are enough. */
PM_INLINE bool pm_pool_set_full_again(struct pm_pool *pool)
{
    uint32_t freed = pm_pool_blocks(pool) - pool->used, frees = pm_pool_full_frees(pool);
    if (!pm_pool_is_carved(pool) || freed >= frees)
        return false;
    pm_pool_set_state(pool, PM_POOL_FULL);
    pool->used = frees - freed;
    return true;
}

/* Counts `used` as ever. */
PM_INLINE void pm_pool_unset_full(struct pm_pool *pool)
{
    pool->used = pm_pool_used_of_full(pool);
    pm_pool_set_state(pool, PM_POOL_PARTIAL);
}

/* A new pool of `class`, owned by `owner`, with no block carved, in the state of a current
 * one; NULL when memory runs out.  If the blocks are large and more than `room` bytes would be
 * needed for a fair number of them it has fewer, and it has more than that if `room` is large; 0 is
 * for as few as may be. */
struct pm_pool *pm_pool_create(unsigned class, size_t room, struct pm_heap *owner);

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

/* For pm_pool_carve(): the withheld blocks of one page are on `free` again; false: none. */
bool pm_pool_unwithhold(struct pm_pool *pool);

/* The pages of the pool that the blocks [first, end) lie on, as bits. */
uint64_t pm_pool_pages(const struct pm_pool *pool, uint32_t first, uint32_t end);

/* All that it has, as bits. */
uint64_t pm_pool_all_pages(const struct pm_pool *pool);

/* The pages that may have been written: those that are not clean, and behind each as many more as
 * the end of a block may lie on. */
uint64_t pm_pool_touched(const struct pm_pool *pool);

/* Makes `free` and `used` anew from link[], whatever state they are in. */
void pm_pool_rebuild(struct pm_pool *pool);

/*
 * For the child after a fork: blocks that a thread had freed but not yet pushed
 * anywhere are pushed on `remote`.  True if there were any.
 */
bool pm_pool_recover(struct pm_pool *pool);

/*
 * The pool's invariants, asserted by the owner:
 *   carved blocks == blocks used + blocks on `free` + withheld
 *   blocks used == blocks live + blocks on `remote` + blocks on their way there (remote.c)
 *   a withheld block is free and begins on a clean page; no other carved one does
 *   a full pool's blocks are all carved, and none is withheld
 *   `used` of a full pool is at least 1 and at most pm_pool_full_frees(), of a current
 *   one at most `used_current`
 *   no list reaches a live block, one never carved, or itself again
 */
void pm_pool_check(struct pm_pool *pool);

#endif /* PM_POOL_POOL_H */
