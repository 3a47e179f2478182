/*
 * test_batches.c - blocks on their way to the pools of other heaps: which travel together, when
 * they go, and that all arrive.
 */
#include "pools.h"

#include "arena/mapping.h"
#include "arena/provider.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/floating.h"
#include "heap/remote.h"

enum { SIZE = 100 };

/* As in remote.c: what a batch holds when it goes, and how many go between two looks. */
enum { BATCH_BLOCKS = 32, BATCH_BYTES = 4096, LOOK_SENDS = 16 };

UNIT_HEAP(owner);
UNIT_HEAP(other);

static void setup(void)
{
    pm_heap_clear(&owner);
    pm_heap_clear(&other);
}

static struct pm_batch *batch_of(const struct pm_pool *pool)
{
    return pm_remote_batch(&other, pm_pool_address(pool, unit_nth(pool, 0)));
}

/* Every class: blocks travel together until they are many, or much memory. */
START_TEST(a_batch_goes_when_it_is_full)
{
    uint32_t size = pm_class_size((unsigned)_i);
    uint32_t full = (uint32_t)pm_div_up(BATCH_BYTES, size);
    if (full > BATCH_BLOCKS)
        full = BATCH_BLOCKS;
    struct pm_pool *pool = unit_used_pool(&owner, (unsigned)_i, full + 1);
    for (uint32_t i = 0; i < full; i++) {
        ck_assert_uint_eq(unit_remote_count(pool), 0);
        unit_free_from(&other, pool, i);
        ck_assert(!pm_link_is_live(pool, unit_nth(pool, i)));
        pm_pool_check(pool);
    }
    ck_assert_uint_eq(unit_remote_count(pool), full);
    unit_free_from(&other, pool, full);
    ck_assert_uint_eq(unit_remote_count(pool), size >= BATCH_BYTES ? 2 : full);
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_remote_count(pool), full + 1);
    ck_assert(pm_pool_collect(pool));
    ck_assert_uint_eq(pm_pool_used(pool), 0);
    pm_pool_check(pool);
}
END_TEST

/* As it allocates nothing, it has no other occasion; and its batches go when the time has come. */
START_TEST(a_heap_that_only_frees_looks_at_the_clock)
{
    static const struct {
        size_t size;
        uint32_t blocks;
    } sends[] = {{BATCH_BYTES, 1}, {SIZE, BATCH_BLOCKS}};
    struct pm_pool *waits = unit_used_pool(&owner, pm_class_of(SIZE), 3);
    for (uint32_t i = 0; i < UNIT_COUNT_OF(sends); i++) {
        pm_heap_clear(&other);
        other.tick_ms = 0;
        unit_free_from(&other, waits, i);
        for (int sent = 0; sent < LOOK_SENDS; sent++) {
            unsigned class = pm_class_of(sends[i].size);
            struct pm_pool *pool = unit_used_pool(&owner, class, sends[i].blocks + 1);
            for (uint32_t j = 0; j < sends[i].blocks; j++)
                unit_free_from(&other, pool, j);
        }
        ck_assert_uint_ne(other.look_ms, 0);
        ck_assert_uint_eq(unit_remote_count(waits), i + 1);
    }
}
END_TEST

/* Sets `pools` to two whose batches want the same slot. */
static void find_rivals(struct pm_pool *pools[2])
{
    struct pm_pool *at[PM_BATCH_SLOTS] = {NULL};
    for (;;) {
        struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 3);
        struct pm_pool **slot = &at[batch_of(pool) - other.batch];
        if (*slot != NULL) {
            pools[0] = *slot;
            pools[1] = pool;
            return;
        }
        *slot = pool;
    }
}

START_TEST(a_batch_goes_when_another_needs_its_slot)
{
    struct pm_pool *pools[2];
    find_rivals(pools);
    unit_free_from(&other, pools[0], 0);
    unit_free_from(&other, pools[0], 1);
    ck_assert_uint_eq(unit_remote_count(pools[0]), 0);
    unit_free_from(&other, pools[1], 0);
    ck_assert_uint_eq(unit_remote_count(pools[0]), 2);
    ck_assert_uint_eq(unit_remote_count(pools[1]), 0);
    unit_free_from(&other, pools[0], 2);
    ck_assert_uint_eq(unit_remote_count(pools[0]), 2);
    ck_assert_uint_eq(unit_remote_count(pools[1]), 1);
    for (int i = 0; i < 2; i++)
        pm_pool_check(pools[i]);
}
END_TEST

/* Blocks of several slices of a pool are under way apart, and all arrive. */
START_TEST(each_slice_has_a_batch)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(1024), 20);
    ck_assert_uint_ge(pool->span.slices, 2);
    uint32_t second = (uint32_t)(PM_SLICE / 1024);
    unit_free_from(&other, pool, 0);
    unit_free_from(&other, pool, second);
    unit_free_from(&other, pool, 1);
    unit_free_from(&other, pool, second + 1);
    ck_assert_uint_eq(unit_remote_count(pool), 0);
    ck_assert_ptr_eq(batch_of(pool)->pool, pool);
    void *behind = pm_pool_address(pool, unit_nth(pool, second));
    ck_assert_ptr_ne(batch_of(pool), pm_remote_batch(&other, behind));
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_remote_count(pool), 4);
    pm_pool_check(pool);
}
END_TEST

START_TEST(only_a_live_block_of_the_size_joins_a_batch)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 3), *rivals[2];
    find_rivals(rivals);
    char *block[3];
    for (uint32_t i = 0; i < 3; i++)
        block[i] = pm_pool_address(pool, unit_nth(pool, i));
    ck_assert(!pm_remote_join(&other, block[0], 0)); /* there is none */
    unit_free_from(&other, pool, 0);
    ck_assert(!pm_remote_join(&other, block[0], 0));
    ck_assert(!pm_remote_join(&other, block[1] + 1, 0));
    ck_assert(!pm_remote_join(&other, block[1], pool->size + 1));
    ck_assert(pm_remote_join(&other, block[1], pool->size));
    ck_assert(pm_remote_join(&other, block[2], 0));
    ck_assert(!pm_remote_join(&other, block[2] + pool->size, 0)); /* carved, not taken */
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_remote_count(pool), 3);

    unit_free_from(&other, rivals[0], 0);
    ck_assert(!pm_remote_join(&other, pm_pool_address(rivals[1], unit_nth(rivals[1], 0)), 0));
}
END_TEST

/* Nothing goes twice, and a heap without batches has nothing to send. */
START_TEST(a_flush_sends_all)
{
    struct pm_pool *pools[PM_BATCH_SLOTS];
    pm_remote_flush(&other);
    for (size_t i = 0; i < PM_BATCH_SLOTS; i++) {
        pools[i] = unit_used_pool(&owner, pm_class_of(SIZE), 3);
        unit_free_from(&other, pools[i], 0);
        unit_free_from(&other, pools[i], 1);
    }
    for (int round = 0; round < 2; round++) {
        pm_remote_flush(&other);
        for (size_t i = 0; i < PM_BATCH_SLOTS; i++) {
            ck_assert_uint_eq(unit_remote_count(pools[i]), 2);
            pm_pool_check(pools[i]);
        }
    }
}
END_TEST

START_TEST(a_heap_that_is_collected_or_abandoned_sends_all)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 5);
    unit_free_from(&other, pool, 0);
    unit_collect(&other);
    ck_assert_uint_eq(unit_remote_count(pool), 1);
    unit_free_from(&other, pool, 1);
    unit_free_from(&other, pool, 2);
    ck_assert_uint_eq(unit_remote_count(pool), 1);
    pm_heap_abandon(&other);
    ck_assert_uint_eq(unit_remote_count(pool), 3);
    pm_pool_check(pool);
}
END_TEST

/* Who allocates is not kept waiting for what others have done long ago. */
START_TEST(refills_send_what_is_under_way)
{
    pm_purge_set_decay(-1); /* which would look at the heap too */
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 2);
    unit_free_from(&other, pool, 0);
    for (int i = 0; i < 100 && unit_remote_count(pool) == 0; i++) {
        struct pm_pool *current = pm_heap_refill(&other, 0);
        while (current->free != PM_LINK_NONE)
            pm_pool_pop(current);
    }
    ck_assert_uint_eq(unit_remote_count(pool), 1);
}
END_TEST

/* The blocks were put together while the pool still had its owner. */
START_TEST(a_batch_may_find_that_its_pool_floats)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 4);
    unit_free_from(&other, pool, 0);
    unit_free_from(&other, pool, 1);
    pm_pool_unset_current(pool);
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert(pool->listed);
    unit_free_from(&other, pool, 2);
    pm_remote_flush(&other);
    ck_assert_uint_eq(pool->used, 1);
    ck_assert_int_eq(pool->state, PM_POOL_FLOATING);
    unit_free_from(&other, pool, 3);
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_live(), 0);
}
END_TEST

/* An arena allocator that frees a block when it gets an arena back. */
static struct pm_pool *freed_within;

static void *provide(void *context, size_t size)
{
    (void)context;
    return pm_os_memory.map(size);
}

static void take_back(void *context, void *start, size_t size)
{
    (void)context;
    struct pm_pool *pool = freed_within;
    freed_within = NULL;
    if (pool != NULL)
        unit_free_from(&other, pool, 0);
    pm_os_memory.unmap(start, size);
}

/* Sets `rivals` to three pools in arenas of their own whose batches want the same slot. */
static void find_three_rivals(struct pm_pool *rivals[3])
{
    struct pm_pool *at[PM_BATCH_SLOTS][2] = {{NULL}};
    for (;;) {
        struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 1);
        struct pm_pool **slot = at[batch_of(pool) - other.batch];
        if (slot[1] != NULL) {
            rivals[0] = slot[0];
            rivals[1] = slot[1];
            rivals[2] = pool;
            return;
        }
        slot[slot[0] != NULL] = pool;
    }
}

START_TEST(a_flush_may_lead_to_frees_that_fill_the_slot_again)
{
    struct pm_provider own = {NULL, provide, take_back}, before;
    struct pm_pool *rivals[3];
    pm_provider_get(&before);
    pm_provider_set(&own);
    pm_purge_set_decay(0);
    pm_mapping_set_arena_max(PM_SLICE);
    find_three_rivals(rivals);
    pm_pool_unset_current(rivals[0]);
    ck_assert(pm_floating_release(rivals[0], true, false));
    unit_free_from(&other, rivals[0], 0); /* its last block: when it is sent the arena goes */
    freed_within = rivals[1];
    unit_free_from(&other, rivals[2], 0);
    ck_assert_ptr_null(freed_within);
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_remote_count(rivals[1]), 1);
    ck_assert_uint_eq(unit_remote_count(rivals[2]), 1);
    pm_provider_set(&before);
}
END_TEST

static char *last_block;

static void tell_what_is_gone(int signal)
{
    (void)signal;
    if (pm_ownermap_get(last_block) == NULL)
        fputs("the pool is gone\n", stderr);
}

static void free_last_block(void *unused)
{
    (void)unused;
    signal(SIGABRT, tell_what_is_gone);
    pm_free_slow(last_block, 0, "free", &other);
}

/* The last block of a pool that floats is under way: to send it would destroy the pool. */
START_TEST(a_second_free_is_told_before_anything_is_sent)
{
    struct pm_pool *pool = unit_used_pool(&owner, pm_class_of(SIZE), 1);
    last_block = pm_pool_address(pool, unit_nth(pool, 0));
    pm_pool_unset_current(pool);
    ck_assert(pm_floating_release(pool, true, false));
    pm_free_slow(last_block, 0, "free", &other);
    char line[100];
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", (void *)last_block);
    unit_child_aborts(free_last_block, NULL, line);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_heap_that_only_frees_looks_at_the_clock);
    tcase_add_loop_test(tests, a_batch_goes_when_it_is_full, 0, PM_CLASS_COUNT);
    tcase_add_test(tests, a_batch_goes_when_another_needs_its_slot);
    tcase_add_test(tests, each_slice_has_a_batch);
    tcase_add_test(tests, only_a_live_block_of_the_size_joins_a_batch);
    tcase_add_test(tests, a_second_free_is_told_before_anything_is_sent);
    tcase_add_test(tests, a_flush_sends_all);
    tcase_add_test(tests, a_heap_that_is_collected_or_abandoned_sends_all);
    tcase_add_test(tests, refills_send_what_is_under_way);
    tcase_add_test(tests, a_batch_may_find_that_its_pool_floats);
    tcase_add_test(tests, a_flush_may_lead_to_frees_that_fill_the_slot_again);
}

int main(void)
{
    return unit_run("batches", add);
}
