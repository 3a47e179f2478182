/*
 * heap.c - heaps off the fast path: which pool a thread allocates from next,
 * and what becomes of pools that fill up or run empty.
 */
#include "heap/tlb.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/floating.h"
#include "heap/idle.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "heap/spare.h"
#include "heap/transfer.h"
#include "os/fatal.h"
#include "os/os.h"

#include "config.h"

enum {
    LOOK_REFILLS = 4,          /* refills between two looks at the clock, */
    FLUSH_REFILLS = 16,        /* and between two times that remote frees are sent */
    DEBUG_CHECK_REFILLS = 256, /* refills between two full checks in debug builds */
    PARTIAL_LOOKED = 8,        /* partial pools asked for a block before fresh memory is used */
    FULL_KEPT_BY_ALL = 64,     /* full pools of a class that all heaps keep, but for one each, */
    FULL_KEPT_REMOTE = 4,      /* that one keeps when it is others who free into them, */
    FULL_KEPT_MAX = 60000,     /* when it is the heap itself, into more than were kept; */
    FULL_LET_GO = 256,         /* when one more comes, and others wait for the next, */
    FULL_LOOKED = 128,         /* asked for what others have freed when blocks are needed, */
    FULL_GATHERED = 4096,      /* and each decay time, when so many may go, too */
    POOL_SLICES = 4,           /* of a new pool, about */
    POOL_SHARE = 128,          /* of what is in use, for a pool of large blocks */
};

/* Makes `pool` the one that the table names for every size of the class. */
PM_INLINE void set_current(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    bin->current = pool;
    for (size_t i = bin->direct_first; i <= bin->direct_last; i++)
        heap->direct[i] = pool;
    if (heap->tls_direct == NULL || bin->direct_last >= PM_DIRECT_OBJECTS)
        return;
    for (size_t i = bin->direct_first; i <= bin->direct_last; i++)
        heap->tls_direct[i] = pool;
}

PM_INLINE void to_current(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    pm_pool_set_current(pool);
    set_current(heap, bin, pool);
}

static void from_current(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    pm_pool_unset_current(pool);
    set_current(heap, bin, &pm_pool_none);
}

/* A full pool leaves its list. */
PM_INLINE void unlist_full(struct pm_bin *bin, struct pm_pool *pool)
{
    pm_list_take_out(pool);
    bin->full_count--;
    pm_pool_unset_full(pool);
}

static void pool_gone(struct pm_heap *heap, struct pm_pool *pool)
{
    pm_tlb_forget(heap, pool);
    pm_pool_destroy(pool);
}

/* Too few are kept. */
static void keep_more(struct pm_bin *bin)
{
    if (bin->full_kept < PM_FULL_KEPT)
        bin->full_kept = bin->full_kept * 2 < PM_FULL_KEPT ? bin->full_kept * 2 : PM_FULL_KEPT;
    else if (bin->full_kept < FULL_KEPT_MAX)
        bin->full_kept++;
}

void pm_heap_drop_current(struct pm_heap *heap, struct pm_bin *bin)
{
    struct pm_pool *pool = bin->current;
    from_current(heap, bin, pool);
    pool_gone(heap, pool);
}

static void let_float(struct pm_heap *heap, struct pm_pool *pool)
{
    pm_tlb_forget(heap, pool);
    pm_floating_release(pool, true, false);
}

/* A partial pool that is in no list, with free blocks or with nothing in use. */
PM_INLINE void keep_or_go(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    if (PM_UNLIKELY(pool->used == 0))
        pool_gone(heap, pool);
    else
        pm_list_append(&bin->partial, pool);
}

static void full_to_floating(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    unlist_full(bin, pool);
    pm_tlb_forget(heap, pool);
    if (!pm_floating_release(pool, false, true)) { /* blocks came back just now */
        pm_pool_set_owner(pool, heap);
        pm_pool_set_state(pool, PM_POOL_PARTIAL);
        keep_or_go(heap, bin, pool);
    }
}

/*
 * Full pools are kept for a next free of the heap's own, which then is fast.  Where it is others
 * who free into them, they had better float: then every thread of the class may take what comes
 * back, and less memory circulates.
 */
static void keep_fewer(struct pm_bin *bin)
{
    uint16_t half = bin->full_kept / 2;
    bin->full_kept = half > FULL_KEPT_REMOTE ? half : FULL_KEPT_REMOTE;
}

/*
 * Of many threads most sleep at any time, and what others free into full pools of theirs is of no
 * use to anybody: so the more heaps there are the fewer each keeps.  (But for those that a heap has
 * been found to free into itself.)
 */
static uint32_t may_keep(struct pm_bin *bin)
{
    size_t heaps = pm_registry_count();
    if (PM_LIKELY(heaps <= FULL_KEPT_BY_ALL / PM_FULL_KEPT))
        return bin->full_kept;
    uint32_t share = heaps < FULL_KEPT_BY_ALL ? FULL_KEPT_BY_ALL / (uint32_t)heaps : 1;
    if (bin->full_kept > PM_FULL_KEPT)
        return bin->full_kept - PM_FULL_KEPT + share;
    return bin->full_kept < share ? bin->full_kept : share;
}

/* Those that have been full for longest, until `left` remain, but no more than `most`. */
static PM_NOINLINE void let_some_float(struct pm_heap *heap, struct pm_bin *bin, uint32_t left,
                                       uint32_t most)
{
    for (uint32_t some = 0; bin->full_count > left && some < most; some++)
        full_to_floating(heap, bin, pm_list_first(&bin->full));
}

/* Which are more than may be kept. */
PM_INLINE void let_surplus_float(struct pm_heap *heap, struct pm_bin *bin, uint32_t most)
{
    uint32_t kept = may_keep(bin);
    if (PM_UNLIKELY(bin->full_count > kept))
        let_some_float(heap, bin, kept, most);
}

PM_INLINE void list_full(struct pm_bin *bin, struct pm_pool *pool)
{
    pm_list_append(&bin->full, pool);
    bin->full_count++;
}

void pm_heap_take_back(struct pm_heap *heap, struct pm_pool *pool)
{
    struct pm_bin *bin = &heap->bin[pool->class];
    keep_more(bin);
    pm_pool_set_owner(pool, heap);
    if (pm_pool_set_full_again(pool)) {
        list_full(bin, pool);
    } else {
        pm_pool_set_state(pool, PM_POOL_PARTIAL);
        pm_list_append(&bin->partial, pool);
    }
}

void pm_heap_taken_back(struct pm_heap *heap, unsigned class)
{
    let_surplus_float(heap, &heap->bin[class], FULL_LET_GO);
}

/* Unless others free into pools of heaps at all, the lines of theirs are left alone. */
PM_INLINE bool has_remote(const struct pm_pool *pool)
{
    return pm_remote_is_seen() && pm_pool_has_remote(pool);
}

/* A block that was used before: memory that is resident already. */
PM_INLINE bool has_used_block(struct pm_pool *pool)
{
    return pool->free != PM_LINK_NONE || (has_remote(pool) && pm_pool_collect(pool));
}

/*
 * The partial pool that has waited longest, and so has gathered most blocks
 * (comparing for the fullest was measured: the looking costs more time than it
 * saves memory).  NULL when none of the first few has a block used before.
 */
PM_INLINE struct pm_pool *take_partial(struct pm_bin *bin)
{
    struct pm_pool *pool = pm_list_first(&bin->partial);
    for (int looked = 0; pool != NULL && looked < PARTIAL_LOOKED; looked++) {
        if (has_used_block(pool)) {
            pm_list_take_out(pool);
            return pool;
        }
        pool = pm_list_next(&bin->partial, pool);
    }
    return NULL;
}

/* A full pool into which other threads have freed. */
static struct pm_pool *take_full(struct pm_bin *bin)
{
    struct pm_pool *pool = pm_remote_is_seen() ? pm_list_first(&bin->full) : NULL;
    for (int looked = 0; pool != NULL && looked < FULL_LOOKED; looked++) {
        if (pm_pool_has_remote(pool)) {
            unlist_full(bin, pool);
            pm_pool_collect(pool);
            keep_fewer(bin);
            return pool;
        }
        pool = pm_list_next(&bin->full, pool);
    }
    return NULL;
}

/* Where there is no fresh memory: a full pool with a block that had to wait for more. */
static PM_COLD struct pm_pool *take_waiting(struct pm_bin *bin)
{
    struct pm_pool *pool = pm_list_first(&bin->full);
    while (pool != NULL && pool->free == PM_LINK_NONE)
        pool = pm_list_next(&bin->full, pool);
    if (pool != NULL)
        unlist_full(bin, pool);
    return pool;
}

/* The partial pool that came last: one that waits for its fresh blocks to be carved. */
static struct pm_pool *take_last_partial(struct pm_bin *bin)
{
    struct pm_pool *pool = pm_list_last(&bin->partial);
    if (pool != NULL)
        pm_list_take_out(pool);
    return pool;
}

_Static_assert(FLUSH_REFILLS % LOOK_REFILLS == 0 && DEBUG_CHECK_REFILLS % LOOK_REFILLS == 0,
               "what is rarer has its turn with the look at the clock");

static PM_NOINLINE void on_some_refills(struct pm_heap *heap)
{
    if (heap->refills % FLUSH_REFILLS == 0)
        pm_remote_flush(heap);
    pm_heap_look(heap);
    if (PM_DEBUG && heap->refills % DEBUG_CHECK_REFILLS == 0)
        pm_heap_check(heap);
}

PM_INLINE void on_refill(struct pm_heap *heap)
{
    if (PM_UNLIKELY(++heap->refills % LOOK_REFILLS == 0))
        on_some_refills(heap);
}

/* Where blocks are to be had that cost no fresh memory. */
static struct pm_pool *take_used(struct pm_heap *heap, struct pm_bin *bin, unsigned class)
{
    struct pm_pool *pool = take_partial(bin);
    if (pool == NULL) {
        pool = pm_floating_take(class);
        if (pool != NULL)
            pm_pool_set_owner(pool, heap);
    }
    return pool;
}

static struct pm_pool *take_fresh(struct pm_heap *heap, struct pm_bin *bin, unsigned class)
{
    struct pm_pool *pool = take_last_partial(bin);
    if (pool == NULL)
        pool = take_full(bin);
    if (pool != NULL)
        return pool;
    pm_idle_look(heap);
    pm_spare_make_room(heap, POOL_SLICES);
    bool is_only = bin->current == &pm_pool_none && pm_list_is_empty(&bin->full);
    pool = pm_pool_create(class, is_only ? 0 : pm_arena_used() / POOL_SHARE, heap);
    if (pool == NULL)
        return take_waiting(bin);
    if (is_only)
        heap->made_bytes += pm_span_bytes(&pool->span);
    return pool;
}

/* A pool that was current and is in no list now. */
PM_INLINE void set_aside(struct pm_heap *heap, struct pm_bin *bin, struct pm_pool *pool)
{
    if (PM_LIKELY(pm_pool_is_exhausted(pool) && !has_remote(pool))) {
        pm_pool_set_full(pool);
        list_full(bin, pool);
        let_surplus_float(heap, bin, FULL_LET_GO);
    } else {
        pm_pool_unset_current(pool);
        keep_or_go(heap, bin, pool);
    }
}

struct pm_pool *pm_heap_refill(struct pm_heap *heap, unsigned class)
{
    struct pm_bin *bin = &heap->bin[class];
    PM_OPAQUE(bin); /* one register for all of it */
    on_refill(heap);
    if (has_used_block(bin->current))
        return bin->current;
    struct pm_pool *next = take_used(heap, bin, class);
    if (next == NULL && pm_pool_carve(bin->current))
        return bin->current;
    if (next == NULL)
        next = take_fresh(heap, bin, class);
    if (next == NULL)
        return NULL;
    /* An arena allocator that allocates may have refilled this class meanwhile. */
    struct pm_pool *pool = bin->current;
    to_current(heap, bin, next);
    if (!has_used_block(next) && !pm_pool_carve(next))
        pm_fatal_broken("a pool that becomes current has a free block", next);
    if (pool != &pm_pool_none)
        set_aside(heap, bin, pool);
    /* It may also take what has just been found, when a pool that goes calls it. */
    next = bin->current;
    return next->free != PM_LINK_NONE ? next : pm_heap_refill(heap, class);
}

static void partial_to_gone(struct pm_heap *heap, struct pm_pool *pool)
{
    pm_list_take_out(pool);
    pool_gone(heap, pool);
}

void pm_heap_pushed(struct pm_heap *heap, struct pm_pool *pool)
{
    if (pool->state == PM_POOL_FULL) {
        struct pm_bin *bin = &heap->bin[pool->class];
        PM_OPAQUE(bin); /* one register for all of it */
        unlist_full(bin, pool);
        keep_or_go(heap, bin, pool);
    } else if (pool->state == PM_POOL_CURRENT) {
        pool->used = pool->used_current - 1; /* not as if nothing had come back */
        pm_heap_look(heap);
    } else {
        partial_to_gone(heap, pool);
    }
}

bool pm_heap_take_in(struct pm_heap *heap, struct pm_pool *pool, struct pm_pool_list *gone)
{
    pm_pool_collect(pool);
    if (pool->used != 0)
        return false;
    pm_list_take_out(pool);
    pm_tlb_forget(heap, pool);
    pm_list_append(gone, pool);
    return true;
}

void pm_heap_drop(struct pm_pool_list *gone)
{
    for (struct pm_pool *pool; (pool = pm_list_first(gone)) != NULL;) {
        pm_list_take_out(pool);
        pm_pool_destroy(pool);
    }
}

/* (What goes may be an arena allocator's to free, which changes the heap's lists.) */
static void take_in_full(struct pm_heap *heap, struct pm_bin *bin, uint32_t most)
{
    struct pm_pool_list found;
    pm_list_clear(&found);
    struct pm_pool *pool = pm_remote_is_seen() ? pm_list_first(&bin->full) : NULL, *next;
    for (uint32_t looked = 0; pool != NULL && looked < most; pool = next, looked++) {
        next = pm_list_next(&bin->full, pool);
        if (!pm_pool_has_remote(pool))
            continue;
        unlist_full(bin, pool);
        pm_pool_collect(pool);
        pm_list_append(&found, pool);
    }
    if (pool != NULL)
        pm_list_begin_with(&bin->full, pool);
    while ((pool = pm_list_first(&found)) != NULL) {
        pm_list_take_out(pool);
        keep_or_go(heap, bin, pool);
    }
}

/* More full pools are kept than usual as long as the heap goes on to free into more. */
static void keep_as_ever(struct pm_heap *heap, struct pm_bin *bin, uint32_t most)
{
    if (bin->full_kept > PM_FULL_KEPT)
        bin->full_kept -= (bin->full_kept - PM_FULL_KEPT + 3) / 4;
    let_surplus_float(heap, bin, most);
}

/* Of each class so many full pools. */
static void gather(struct pm_heap *heap, uint32_t most)
{
    pm_remote_flush(heap);
    pm_spare_flush(heap);
    pm_transfer_give_back(SIZE_MAX);
    pm_idle_drop(heap);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) {
        struct pm_bin *bin = &heap->bin[class];
        take_in_full(heap, bin, most);
        keep_as_ever(heap, bin, most);
    }
}

void pm_heap_gather(struct pm_heap *heap)
{
    gather(heap, UINT32_MAX);
}

void pm_heap_gather_some(struct pm_heap *heap)
{
    gather(heap, FULL_GATHERED);
}

static void abandon_class(struct pm_heap *heap, unsigned class)
{
    struct pm_bin *bin = &heap->bin[class];
    struct pm_pool *pool = bin->current;
    if (pool != &pm_pool_none) {
        from_current(heap, bin, pool);
        let_float(heap, pool);
    }
    while ((pool = pm_list_first(&bin->full)) != NULL) {
        unlist_full(bin, pool);
        let_float(heap, pool);
    }
    while ((pool = pm_list_first(&bin->partial)) != NULL) {
        pm_list_take_out(pool);
        let_float(heap, pool);
    }
}

void pm_heap_abandon(struct pm_heap *heap)
{
    pm_remote_flush(heap);
    pm_spare_flush(heap);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        abandon_class(heap, class);
    pm_heap_fill_in(heap); /* with let_float() the last entry of the TLB has gone */
}
