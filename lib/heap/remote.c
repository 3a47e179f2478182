/*
 * remote.c - see remote.h.  All ordering between threads that share blocks is
 * here and in floating.c.
 *
 * The first block of a batch is marked free by an atomic exchange, the others that join it are
 * not: an exchange would wait for the links' cache line each time, where the processor can
 * fetch several at once.
 *
 * A batch is bounded in number and in bytes, as its blocks are of use to nobody
 * meanwhile.  It goes when it is full, when another slice needs its slot, and every so
 * many refills of its heap.
 */
#include "heap/remote.h"

#include "heap/floating.h"
#include "heap/thread.h"
#include "heap/tlb.h"
#include "os/fatal.h"

enum {
    BATCH_BLOCKS = 32,
    BATCH_BYTES = 4096,
    LOOK_SENDS = 16, /* between two looks at the clock */
};

atomic_bool pm_remote_seen PM_READ_MOSTLY;

/* Written once: its cache line is read by all. */
void pm_remote_see(void)
{
    if (!pm_remote_is_seen())
        atomic_store_explicit(&pm_remote_seen, true, memory_order_relaxed);
}

/*
 * Leads the end of the list on.  The owner may have freed the block there just as it was taken
 * over, and its list leads on from it then: that must not be overwritten unseen.
 */
static void lead_on(const struct pm_batch *list, uint16_t from, uint16_t to)
{
    if (pm_link_exchange(list->pool, list->last, to) != from)
        pm_fatal_broken("a block is freed by one thread", list->pool);
}

static uint32_t count(const struct pm_batch *list)
{
    return (uint32_t)(list->most - list->room);
}

/* Pushes a list, whose links are already taken over; true when that claimed the pool. */
static bool push(const struct pm_batch *list)
{
    uint64_t pushed, word = atomic_load_explicit(&list->pool->remote, memory_order_relaxed);
    uint64_t owned_list = PM_REMOTE_OWNED | list->head;
    uint16_t behind = PM_LINK_NONE;
    do {
        lead_on(list, behind, PM_REMOTE_HEAD(word));
        behind = PM_REMOTE_HEAD(word);
        pushed = owned_list | (PM_REMOTE_COUNT(word) + count(list)) * PM_REMOTE_ONE;
        /* release pairs with the acquire in pm_pool_collect(); acquire pairs with the
         * release in floating.c: unclaim(), for the case that this claims the pool */
    } while (!atomic_compare_exchange_weak_explicit(&list->pool->remote, &word, pushed,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if ((word & PM_REMOTE_OWNED) == 0)
        return true;
    pm_remote_see();
    return false;
}

static void look_after(struct pm_heap *heap, struct pm_pool *claimed)
{
    unsigned class = claimed->class;
    if (!pm_floating_claimed(claimed, heap))
        return;
    pm_heap_take_back(heap, claimed);
    pm_heap_taken_back(heap, class);
}

/* A thread that only frees what others have allocated has no other occasion to look. */
static void on_sent(struct pm_heap *heap)
{
    if (++heap->sends % LOOK_SENDS == 0)
        pm_heap_look(heap);
}

/*
 * Two threads that free a block at the same moment may both have found it live; unless it
 * begins the batches of both, which the exchange excludes.  The link then says what
 * the second has written: the batch of the first leads into that of the second, or does not end.
 */
static void check_list(const struct pm_batch *list)
{
    uint16_t block = list->head;
    for (uint32_t i = 1; i < count(list) && block < list->pool->shape.limit; i++)
        block = pm_link_get(list->pool, block);
    if (block != list->last || pm_link_get(list->pool, block) != PM_LINK_NONE)
        pm_fatal_broken("a block is freed by one thread", list->pool);
}

/* A fork finds the blocks in the slot or in the pool; what follows may lead back here. */
void pm_remote_send(struct pm_heap *heap, struct pm_batch *batch)
{
    struct pm_batch list = *batch;
    check_list(&list);
    bool claimed = push(&list);
    *batch = (struct pm_batch){.pool = NULL};
    if (claimed)
        look_after(heap, list.pool);
    on_sent(heap);
}

void pm_remote_flush(struct pm_heap *heap)
{
    if (!heap->has_batches) /* of a program with one thread */
        return;
    heap->has_batches = false;
    for (size_t i = 0; i < PM_BATCH_SLOTS; i++) {
        if (heap->batch[i].pool != NULL)
            pm_remote_send(heap, &heap->batch[i]);
    }
}

static PM_COLD void refuse(struct pm_pool *pool, uint64_t block, const char *call)
{
    pm_fatal_free(call, pm_pool_address(pool, (uint32_t)block));
}

/* Marks a block free that nothing leads to yet; of two threads one may. */
static void take_over(struct pm_pool *pool, uint64_t block, const char *call)
{
    uint16_t before = pm_link_get(pool, block);
    if (pm_alone())
        pm_link_set(pool, block, PM_LINK_NONE);
    else
        before = pm_link_exchange(pool, block, PM_LINK_NONE);
    if (before != pm_link_live(pool, block))
        refuse(pool, block, call);
}

/* A block that was taken over; true when that claimed the pool. */
static bool push_one(struct pm_pool *pool, uint64_t block)
{
    struct pm_batch list = {
        .pool = pool, .head = (uint16_t)block, .last = (uint16_t)block, .most = 1};
    return push(&list);
}

/* The same, where the pool floats and was this heap's last: it is the heap's again, and the block
 * on its list.  (A cache that has more full pools than its heap keeps, so far, does little else.)
 */
static bool take_back(struct pm_heap *heap, struct pm_pool *pool, uint64_t block)
{
    if (!pm_floating_reclaim(pool, heap))
        return false;
    pm_heap_take_back(heap, pool);
    heap->sending = NULL;
    if (pm_link_get(pool, block) != PM_LINK_NONE) /* as check_list() */
        pm_fatal_broken("a block is freed by one thread", pool);
    if (pm_pool_is_near(pool))
        pm_tlb_enter(heap, pool, pm_pool_address(pool, (uint32_t)block));
    unsigned class = pool->class; /* it may be gone in a moment */
    if (PM_UNLIKELY(pm_pool_push(pool, block)))
        pm_heap_pushed(heap, pool);
    pm_heap_taken_back(heap, class);
    return true;
}

/* For a fork, `sending` says meanwhile where the block is. */
static void send_one(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call)
{
    heap->sending = pool;
    take_over(pool, block, call);
    if (take_back(heap, pool, block)) {
        on_sent(heap);
        return;
    }
    bool claimed = push_one(pool, block);
    heap->sending = NULL;
    if (claimed)
        look_after(heap, pool);
    on_sent(heap);
}

/* A thread that has ended, or for whose heap there was no memory: all such share one. */
static void send_late(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call)
{
    take_over(pool, block, call);
    if (push_one(pool, block))
        look_after(heap, pool);
}

/* How many blocks travel together: the last goes at once when it makes BATCH_BYTES. */
static uint8_t most_of(const struct pm_pool *pool)
{
    uint32_t blocks = (BATCH_BYTES - 1) / pool->shape.size + 1;
    return blocks < BATCH_BLOCKS ? (uint8_t)blocks : BATCH_BLOCKS;
}

/* The block begins a batch, perhaps once another has gone. */
static void begin(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call)
{
    struct pm_batch *batch = pm_remote_batch(heap, pm_pool_address(pool, (uint32_t)block));
    while (batch->pool != NULL) /* what sending leads to may fill it again */
        pm_remote_send(heap, batch);
    uint8_t most = most_of(pool);
    *batch = (struct pm_batch){
        .pool = pool,
        .block0 = pm_pool_block0(pool),
        .reciprocal = pool->shape.reciprocal,
        .limit = pm_pool_is_near(pool) ? pool->shape.limit : 0,
        .head = (uint16_t)block,
        .last = (uint16_t)block,
        .most = most,
        .room = most - 1,
    };
    heap->has_batches = true;
    take_over(pool, block, call);
}

/* A thread that only frees what others have allocated gets a heap all the same, for its batches.
 * One that has ended has no use for them; a pool that was ours last becomes ours again with the
 * first block: then frees are fast. */
void pm_remote_free(struct pm_heap *heap, struct pm_pool *pool, uint64_t block, const char *call)
{
    /* If it is in a batch, to send that may destroy the pool. */
    if (PM_UNLIKELY(!pm_link_is_live(pool, block)))
        refuse(pool, block, call);
    struct pm_heap *own = heap == &pm_heap_none ? pm_thread_begin() : heap;
    if (own == NULL || own == &pm_heap_ended)
        send_late(heap, pool, block, call);
    else if (pm_pool_was_owned_by(pool, heap) || most_of(pool) == 1)
        send_one(own, pool, block, call);
    else
        begin(own, pool, block, call);
}
