/*
 * heap.h - a heap: the pools of one owner, by size class.  Every thread that
 * allocates has one.
 *
 * A heap is read and written by its owner only.  What others may touch (the
 * `remote` word of its pools) is in pool.h.
 */
#ifndef PM_HEAP_HEAP_H
#define PM_HEAP_HEAP_H

#include "heap/spare_lists.h"
#include "pool/list.h"
#include "pool/pool.h"

/* Sizes up to this find their pool by one table look-up, without a class. */
#define PM_DIRECT_MAX ((size_t)1024)
#define PM_CLASS_MEDIUM 32 /* the first class of larger ones */

/* The entries of that table: for a size in granules; from here on, for an object's in steps;
 * and from here on for the classes above PM_DIRECT_MAX. */
#define PM_DIRECT_OBJECTS (PM_DIRECT_MAX / PM_GRANULE + 1)
#define PM_DIRECT_MEDIUM (PM_DIRECT_OBJECTS + PM_OBJECT_MAX / PM_OBJECT_STEP + 1)
#define PM_DIRECT_COUNT (PM_DIRECT_MEDIUM + PM_CLASS_OBJECTS - PM_CLASS_MEDIUM)

/* Full pools of a class that stay with the heap, as long as nothing speaks for more or fewer. */
#define PM_FULL_KEPT 16

struct pm_bin {
    struct pm_pool *current; /* pm_pool_none when there is none */
    struct pm_pool_list partial, full;
    uint16_t full_count, full_kept;     /* how many are full, and how many of these may be kept */
    uint16_t direct_first, direct_last; /* the entries of direct[] that name `current` */
};

/*
 * Blocks of one slice of a pool that this heap's thread has freed and does not own.  They
 * travel together: see remote.c.  What says whether a block may join is here as well: the pool's
 * own line wanders from thread to thread.
 */
struct pm_batch {
    struct pm_pool *pool; /* NULL: there are none */
    uintptr_t block0;     /* as the pool's, and the next */
    uint64_t reciprocal;
    uint16_t limit; /* 0: nothing may join */
    uint16_t head, last;
    uint8_t most, room; /* blocks it may have, and how many more may join */
};

/* Batches under way at one time; a block's slice says which is its. */
#define PM_BATCH_SLOTS ((size_t)256)

struct pm_heap {
    struct pm_pool *direct[PM_DIRECT_COUNT]; /* current pools by what is asked for; never NULL */
    struct pm_pool **tls_direct;             /* where they also stand, or NULL: thread.h */
    struct pm_bin *bin;                      /* PM_CLASS_COUNT */
    struct pm_batch *batch;                  /* PM_BATCH_SLOTS */
    bool has_batches;                        /* some may have begun since all were sent */
    struct pm_pool *sending; /* that gets a block without a batch just now, or NULL */
    struct pm_heap *common;  /* where its thread asks, what serves MEM and OBJ: common.h */

    struct pm_spare_lists spare; /* the large blocks that it keeps: spare.h, */
    size_t spare_room;           /* and how many slices they may have; */
    uint32_t spare_missed;       /* how many blocks it had not when they were sought, */
    uint32_t spare_freed;        /* and how many came back in this thread; */
    atomic_bool spare_busy;      /* the owner is at work on them, */
    atomic_bool spare_visited;   /* or another thread */
    uint32_t larges_kept;        /* so far; for what is done every so many */
    uint32_t descriptors;        /* for large blocks to come, */
    struct pm_large *descriptor; /* and their list */

    uint32_t refills;    /* so far; for what is done every so many of them */
    uint32_t sends;      /* the same for remote frees that went to their pools */
    size_t idle_below;   /* idle pools may stay until the arenas' peak exceeds this */
    size_t made_bytes;   /* in pools of classes that had none, since idle ones were looked at */
    size_t tidy_below;   /* free pages inside pools may stay until the peak exceeds this */
    uint64_t tick_ms;    /* when heap_purge.c looked at its pools last, */
    unsigned look_class; /* and the class that it begins with the next time */
    _Atomic uint64_t look_ms; /* when it looked at the clock last; relaxed, as others read it */

    /* sleeping.c's, under its lock. */
    bool is_visited;        /* in this round, */
    uint64_t visit_look_ms; /* as it had not looked at the clock since then; */
    uint64_t visit_due_ms;  /* and if it still has not, once more then */

    /* registry.c's, under its lock. */
    struct pm_heap *next;       /* of all heaps ever made */
    struct pm_heap *next_alike; /* of those without a thread, or in use in the same place */
    const void *thread;         /* pm_tls_self() of the thread; NULL: no thread's own */
    bool in_use;

    /* tlb.h's. */
    uint64_t tlb_touched;    /* groups of it that may have entries, as bits */
    struct pm_pool **tlb_at; /* tlb, or pm_tlb_none */
    struct pm_pool *tlb[];   /* PM_TLB_SLOTS: its pools by their slices */
};

#define PM_TLB_SLOTS ((size_t)32768)
#define PM_TLB_BYTES (PM_TLB_SLOTS * sizeof(struct pm_pool *))

/* With all that belongs to it: pm_heap_in(). */
#define PM_HEAP_BYTES                                                                              \
    (PM_BATCH_SLOTS * sizeof(struct pm_batch) + PM_CLASS_COUNT * sizeof(struct pm_bin) +           \
     sizeof(struct pm_heap) + PM_TLB_BYTES)

/* What a thread without a heap points to: it serves nothing, so every call is slow.  It has neither
 * bins nor batches nor slots. */
extern struct pm_heap pm_heap_none;

/* Makes a heap without pools of PM_HEAP_BYTES that are zero. */
struct pm_heap *pm_heap_in(void *memory);

/* Fills in the tables of a heap that has no pools any more, and none of whose batches has a block.
 */
void pm_heap_clear(struct pm_heap *heap);

/* The same, but for the TLB, which names no pool. */
void pm_heap_fill_in(struct pm_heap *heap);

/* A pool of `class` with a block on `free`, current from now on; NULL: no memory. */
struct pm_pool *pm_heap_refill(struct pm_heap *heap, unsigned class);

/* A pool that had floated and that the heap itself has freed into, and so claimed, is full again,
 * or waits to become current; */
void pm_heap_take_back(struct pm_heap *heap, struct pm_pool *pool);

/* and once the caller is done with it, others of its class float, if more are full than are kept.
 */
void pm_heap_taken_back(struct pm_heap *heap, unsigned class);

/* pm_pool_push() has reported that the pool is empty, is full no more, or that it is current
 * and was freed into so often that it is time to look at the clock. */
void pm_heap_pushed(struct pm_heap *heap, struct pm_pool *pool);

PM_INLINE uint64_t pm_heap_look_ms(const struct pm_heap *heap)
{
    return atomic_load_explicit(&heap->look_ms, memory_order_relaxed);
}

PM_INLINE void pm_heap_set_look_ms(struct pm_heap *heap, uint64_t now)
{
    atomic_store_explicit(&heap->look_ms, now, memory_order_relaxed);
}

PM_INLINE size_t pm_direct_index(size_t size)
{
    return (size + PM_GRANULE - 1) / PM_GRANULE;
}

/* Whence comes a block of so many bytes, up to PM_DIRECT_MAX; */
PM_INLINE struct pm_pool *pm_heap_direct(const struct pm_heap *heap, size_t size)
{
    return heap->direct[pm_direct_index(size)];
}

/* an object, up to PM_OBJECT_MAX; */
PM_INLINE struct pm_pool *pm_heap_direct_object(const struct pm_heap *heap, size_t size)
{
    return heap->direct[PM_DIRECT_OBJECTS + (size + PM_OBJECT_STEP - 1) / PM_OBJECT_STEP];
}

/* a block of a class above PM_DIRECT_MAX. */
PM_INLINE struct pm_pool *pm_heap_direct_medium(const struct pm_heap *heap, unsigned class)
{
    return heap->direct[PM_DIRECT_MEDIUM - PM_CLASS_MEDIUM + class];
}

/* A current pool in which nothing is live goes. */
void pm_heap_drop_current(struct pm_heap *heap, struct pm_bin *bin);

/* Each decay time, what pm_heap_gather() does: of many full pools it looks at some, next at others.
 */
void pm_heap_gather_some(struct pm_heap *heap);

/* Sends what is on its way to other owners, takes in remote frees, gives spare large blocks back
 * (those of transfer.h as well), and lets go of pools that hold nothing: all but partial pools,
 * which may be many; */
void pm_heap_gather(struct pm_heap *heap);

/* and for one of those.  If it holds nothing it is on the list `gone` afterwards, and this returns
 * true. */
bool pm_heap_take_in(struct pm_heap *heap, struct pm_pool *pool, struct pm_pool_list *gone);

/* Lets go of these.  (An arena allocator that frees changes the heap's own lists.) */
void pm_heap_drop(struct pm_pool_list *gone);

/*
 * Gives free pages inside the heap's pools back: all of them, or of a bounded number of pools,
 * those whose number of blocks in use has not changed since they were looked at.  Takes in remote
 * frees on the way.  Returns the bytes.
 */
size_t pm_heap_purge(struct pm_heap *heap, bool all);

/* The same for floating pools that stand on the shared lists, whose blocks in use have not changed
 * for a whole period between two calls. */
size_t pm_heap_purge_floating(bool all);

/* All of them, but for the sake of growth: it costs no arena its huge pages. */
void pm_heap_tidy(struct pm_heap *heap);

/* Purging is done on the occasion of calls that are rare and may take some time; this looks at
 * the clock, and does what is due. */
void pm_heap_look(struct pm_heap *heap);

/* The thread has freed a large block, which it keeps or not: looks at the clock, now and then when
 * that was short. */
void pm_heap_freed_large(struct pm_heap *heap, bool kept);

/* Some time has passed: does what the decay time asks for. */
void pm_heap_tick(struct pm_heap *heap, uint64_t now);

/* When some thread has looked at the clock last. */
uint64_t pm_heap_last_call_ms(void);

/* Leaves every pool behind, floating or gone. */
void pm_heap_abandon(struct pm_heap *heap);

/*
 * The heap's invariants, asserted by its owner (aborts with a message):
 *   current, partial and full pools are owned by this heap, in that state, of
 *   their bin's class, and hold their own invariants (pm_pool_check)
 *   partial pools have used > 0
 *   direct[] names the current pool of each size's class
 *   every pool in the TLB is near, owned by this heap and covers its slot
 */
void pm_heap_check(struct pm_heap *heap);

/* The calling thread's heap and all arenas; true, or the process has ended. */
bool pm_check_heap(void);

#endif /* PM_HEAP_HEAP_H */
