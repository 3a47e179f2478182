/*
 * test_full.c - what becomes of pools whose blocks are all in use: how many stay with their heap,
 * and what others free into them.
 */
#include "pools.h"

#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/registry.h"
#include "heap/remote.h"

/* The last as in heap.c. */
enum { CLASS = 20, FULL_KEPT = PM_FULL_KEPT, FULL_KEPT_REMOTE = 4 };

/* Pools of one slice, of two, and of one with many blocks. */
static const unsigned classes[] = {CLASS, 26, 0};
enum { COUNT = UNIT_COUNT_OF(classes) };

static unsigned class = CLASS;

UNIT_HEAP(heap);
UNIT_HEAP(other);

static void setup(void)
{
    pm_purge_set_decay(-1); /* no tick, whatever the time is */
    pm_heap_clear(&heap);
    pm_heap_clear(&other);
}

/* Takes blocks until the pool that was current first is not; returns that. */
static struct pm_pool *fill_one(void)
{
    struct pm_pool *pool = pm_heap_refill(&heap, class);
    while (heap.bin[class].current == pool)
        ck_assert_ptr_nonnull(unit_pop(&heap, class));
    return pool;
}

/* Frees blocks of a full pool, from its third on, until they are enough; returns how many. */
static uint32_t unfill(struct pm_pool *full)
{
    uint32_t freed = 0;
    size_t live = unit_live();
    while (!pm_pool_push(full, unit_nth(full, 2 + freed++))) {
        ck_assert_int_eq(full->state, PM_POOL_FULL);
        ck_assert_uint_eq(unit_live(), live - freed);
        ck_assert_uint_eq(pm_pool_used(full), pm_pool_blocks(full) - freed);
        pm_heap_check(&heap);
    }
    pm_heap_pushed(&heap, full);
    return freed;
}

START_TEST(a_full_pool_waits_until_enough_is_freed)
{
    class = classes[_i];
    struct pm_pool *full = fill_one();
    ck_assert_int_eq(full->state, PM_POOL_FULL);
    ck_assert(pm_pool_is_owned_by(full, &heap));
    ck_assert_uint_eq(pm_pool_used(full), pm_pool_blocks(full));
    pm_heap_check(&heap);
    uint32_t freed = unfill(full);
    ck_assert_uint_eq(freed, pm_pool_full_frees(full));
    ck_assert_uint_gt(freed, 1);
    ck_assert_int_eq(full->state, PM_POOL_PARTIAL);
    ck_assert_uint_eq(full->used, pm_pool_blocks(full) - freed);
    ck_assert(!pm_pool_push(full, unit_nth(full, 1)));
    pm_heap_check(&heap);
}
END_TEST

/* Whatever the blocks' size; and what waits for more is less than a page. */
START_TEST(few_frees_are_enough)
{
    for (unsigned i = 0; i < PM_CLASS_COUNT; i++) {
        struct pm_pool *pool = pm_pool_create(i, UNIT_ROOMY, &heap);
        uint32_t enough = pm_pool_full_frees(pool), blocks = pm_pool_blocks(pool);
        ck_assert_uint_ge(enough, 1);
        ck_assert_uint_lt(enough, blocks);
        ck_assert_uint_lt((enough - 1) * pool->size, 4096);
        if (i >= PM_CLASS_OBJECTS) /* of which there are hundreds of pools */
            ck_assert_uint_le(enough - 1, blocks / 200);
    }
}
END_TEST

START_TEST(what_was_full_is_so_again_with_few_blocks_back)
{
    struct pm_pool *pool = pm_pool_create(classes[_i], UNIT_ROOMY, &heap);
    pm_pool_unset_current(pool);
    ck_assert_msg(!pm_pool_set_full_again(pool), "it has blocks to carve");
    pm_pool_set_current(pool);
    while (unit_take(pool) != NULL)
        continue;
    pm_pool_unset_current(pool);
    uint32_t enough = pm_pool_full_frees(pool);
    for (uint32_t freed = 0; freed < enough; freed++) {
        ck_assert(pm_pool_set_full_again(pool));
        ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool) - freed);
        pm_pool_check(pool);
        pm_pool_unset_full(pool);
        pm_pool_push(pool, unit_nth(pool, freed));
    }
    ck_assert(!pm_pool_set_full_again(pool));
    ck_assert_int_eq(pool->state, PM_POOL_PARTIAL);
}
END_TEST

START_TEST(what_has_come_back_to_a_full_pool_goes_with_it)
{
    class = 0;
    struct pm_pool *full = fill_one();
    ck_assert(!pm_pool_push(full, unit_nth(full, 2)));
    pm_heap_abandon(&heap);
    pm_heap_check(&heap);
    ck_assert_uint_eq(full->used, pm_pool_blocks(full) - 1);
    const char *block = NULL;
    while (other.bin[class].current != full)
        block = unit_pop(&other, class); /* those with more come first */
    ck_assert_ptr_eq(block, pm_pool_address(full, unit_nth(full, 2)));
}
END_TEST

START_TEST(where_there_is_no_memory_it_need_not_wait)
{
    class = 0;
    unit_os_install();
    while (unit_pop(&heap, class) != NULL) {
        if (pm_arena_totals().taken > 2 * PM_MIB)
            unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    }
    struct pm_pool *full = pm_list_first(&heap.bin[class].full);
    ck_assert(!pm_pool_push(full, unit_nth(full, 2)));
    ck_assert_ptr_eq(unit_pop(&heap, class), pm_pool_address(full, unit_nth(full, 2)));
    ck_assert_ptr_null(unit_pop(&heap, class));
    pm_heap_check(&heap);
    unit_os_heal();
}
END_TEST

START_TEST(the_one_that_is_full_for_longest_floats)
{
    struct pm_pool *first = fill_one();
    for (int i = 0; i < FULL_KEPT - 1; i++)
        fill_one();
    ck_assert_int_eq(first->state, PM_POOL_FULL);
    struct pm_pool *second = pm_list_next(&heap.bin[CLASS].full, first);
    fill_one();
    ck_assert_int_eq(first->state, PM_POOL_FLOATING);
    ck_assert(pm_pool_was_owned_by(first, &heap));
    ck_assert_uint_eq(atomic_load(&first->remote), PM_REMOTE_EMPTY);
    ck_assert(!first->listed);
    ck_assert_uint_eq(first->used, pm_pool_blocks(first));
    ck_assert_int_eq(second->state, PM_POOL_FULL);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(what_others_free_into_full_pools_comes_before_fresh_memory)
{
    struct pm_pool *first = fill_one(), *second = fill_one();
    pm_remote_free(&other, second, unit_nth(second, 4), "free");
    pm_remote_flush(&other);
    ck_assert_int_eq(second->state, PM_POOL_FULL);
    size_t before = unit_pools();
    while (heap.bin[CLASS].current != second)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_uint_eq(unit_pools(), before);
    ck_assert_int_eq(first->state, PM_POOL_FULL);
    pm_heap_check(&heap);
}
END_TEST

static void free_all_remotely(struct pm_pool *pool)
{
    for (uint64_t block = pool->shape.first; block < pool->limit; block++)
        pm_remote_free(&other, pool, block, "free");
    pm_remote_flush(&other);
}

/* The one that is full for longest has been emptied by others when its turn to float comes. */
START_TEST(a_full_pool_that_is_empty_goes_instead_of_floating)
{
    struct pm_pool *first = fill_one();
    for (int i = 0; i < FULL_KEPT - 1; i++)
        fill_one();
    free_all_remotely(first);
    struct pm_pool *current = heap.bin[CLASS].current;
    while (pm_pool_used(current) < pm_pool_blocks(current))
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    struct pm_pool *adopted =
        unit_partial_pool(&heap, CLASS);   /* so that no full pool is asked for blocks */
    heap.bin[CLASS].full_kept = FULL_KEPT; /* it was one that floated */
    size_t before = unit_pools();
    while (heap.bin[CLASS].current != adopted)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
    ck_assert_uint_eq(unit_pools(), before - 1);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(full_pools_that_others_have_emptied_go)
{
    struct pm_pool *full = fill_one();
    free_all_remotely(full);
    pm_heap_check(&heap);
    size_t before = unit_pools();
    unit_collect(&heap);
    ck_assert_uint_eq(unit_pools(), before - 1);
    pm_heap_check(&heap);
}
END_TEST

static struct pm_bin *bin(void)
{
    return &heap.bin[class];
}

/* A block of the pool that will be full for longest comes back from another thread, and
 * serves this heap again. */
static void have_one_back(void)
{
    struct pm_pool *pool = pm_list_first(&bin()->full);
    unit_free_from(&other, pool, 0);
    pm_remote_flush(&other);
    while (bin()->current != pool)
        ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
}

START_TEST(fewer_are_kept_where_others_free)
{
    for (int i = 0; i < FULL_KEPT; i++)
        fill_one();
    ck_assert_uint_eq(bin()->full_count, FULL_KEPT);
    for (int i = 0; i < 10; i++)
        have_one_back();
    ck_assert_uint_eq(bin()->full_kept, FULL_KEPT_REMOTE);
    fill_one();
    ck_assert_uint_le(bin()->full_count, FULL_KEPT_REMOTE);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(and_more_where_the_heap_frees_into_those_that_float)
{
    for (int i = 0; i < FULL_KEPT; i++)
        fill_one();
    for (int i = 0; i < 10; i++)
        have_one_back();
    for (uint32_t kept = FULL_KEPT_REMOTE; kept < FULL_KEPT; kept *= 2) {
        ck_assert_uint_eq(bin()->full_kept, kept);
        struct pm_pool *pool = fill_one();
        while (pool->state != PM_POOL_FLOATING)
            ck_assert_ptr_nonnull(unit_pop(&heap, CLASS));
        unit_free_from(&heap, pool, 0);
        ck_assert_int_eq(pool->state, PM_POOL_FULL);
        ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool) - 1);
    }
    struct pm_pool *full = fill_one();
    while (full->state != PM_POOL_FULL)
        full = fill_one();
    unfill(full);
    ck_assert_uint_eq(bin()->full_kept, FULL_KEPT);
    pm_heap_check(&heap);
}
END_TEST

/* Frees one block of a full pool that floats, which then is the heap's again. */
static void take_one_back(void)
{
    struct pm_pool *pool = fill_one();
    while (pool->state != PM_POOL_FLOATING)
        ck_assert_ptr_nonnull(unit_pop(&heap, class));
    unit_free_from(&heap, pool, 0);
    ck_assert_uint_le(bin()->full_count, bin()->full_kept);
}

START_TEST(a_cache_keeps_as_many_as_it_frees_into)
{
    for (int i = 1; i <= 20; i++) {
        take_one_back();
        ck_assert_uint_eq(bin()->full_kept, FULL_KEPT + i);
    }
    for (int i = 0; i < 100; i++)
        fill_one();
    ck_assert_uint_eq(bin()->full_count, FULL_KEPT + 20);
    pm_heap_check(&heap);
}
END_TEST

static void *be_a_cache_among_others(void *unused)
{
    for (int i = 0; i < 100; i++)
        take_one_back();
    ck_assert_uint_eq(bin()->full_kept, FULL_KEPT + 100);
    pm_heap_check(&heap);
    return unused;
}

START_TEST(also_where_there_are_other_threads)
{
    unit_in_thread(be_a_cache_among_others, NULL);
}
END_TEST

/* As many as are kept now. */
static void keep_and_fill(uint32_t pools)
{
    bin()->full_kept = (uint16_t)pools;
    while (bin()->full_count < pools)
        fill_one();
}

START_TEST(of_many_some_go_at_a_time)
{
    enum { LET_GO = 256 };
    keep_and_fill(FULL_KEPT + 2 * LET_GO);
    bin()->full_kept = FULL_KEPT;
    fill_one();
    ck_assert_uint_eq(bin()->full_count, FULL_KEPT + LET_GO + 1);
    pm_heap_check(&heap);
    fill_one();
    ck_assert_uint_eq(bin()->full_count, FULL_KEPT + 2);
    fill_one();
    ck_assert_uint_eq(bin()->full_count, FULL_KEPT);
}
END_TEST

START_TEST(and_some_are_looked_at_for_what_others_have_freed)
{
    enum { GATHERED = 4096, LAST_CLASS = 31 };
    class = LAST_CLASS;
    keep_and_fill(GATHERED + 1);
    pm_remote_see();
    struct pm_pool *last = pm_list_last(&bin()->full);
    unit_free_remotely(last, last->shape.first);
    bin()->full_kept = 60000; /* a quarter fewer each time */
    pm_heap_gather_some(&heap);
    ck_assert_int_eq(last->state, PM_POOL_FULL);
    ck_assert_ptr_eq(pm_list_first(&bin()->full), last);
    pm_heap_gather_some(&heap);
    ck_assert_int_eq(last->state, PM_POOL_PARTIAL);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(as_few_as_ever_where_others_free)
{
    for (int i = 0; i < 5; i++)
        take_one_back();
    for (int i = 0; i < FULL_KEPT; i++)
        fill_one();
    for (int i = 0; i < 6; i++)
        have_one_back();
    ck_assert_uint_eq(bin()->full_kept, FULL_KEPT_REMOTE);
}
END_TEST

START_TEST(and_fewer_again_when_it_rests)
{
    for (int i = 0; i < 20; i++)
        take_one_back();
    for (uint32_t kept = FULL_KEPT + 20; kept > FULL_KEPT; kept = bin()->full_kept) {
        pm_heap_gather(&heap);
        ck_assert_uint_lt(bin()->full_kept, kept);
        ck_assert_uint_le(bin()->full_count, bin()->full_kept);
        ck_assert_uint_ge(bin()->full_kept, FULL_KEPT);
    }
    pm_heap_check(&heap);
}
END_TEST

START_TEST(the_more_heaps_the_fewer_each_keeps)
{
    static const struct {
        size_t heaps;
        uint32_t kept;
    } expected[] = {{4, 16}, {5, 12}, {16, 4}, {40, 1}, {100, 1}};
    for (size_t i = 0; i < UNIT_COUNT_OF(expected); i++) {
        while (pm_registry_count() < expected[i].heaps)
            ck_assert_ptr_nonnull(pm_registry_obtain(NULL));
        for (int pools = 0; pools < 40; pools++)
            fill_one();
        ck_assert_uint_eq(bin()->full_count, expected[i].kept);
        pm_heap_check(&heap);
    }
    for (int i = 0; i < 10; i++)
        take_one_back();
    fill_one();
    fill_one();
    ck_assert_msg(bin()->full_kept == FULL_KEPT + 10, "but those that it frees into itself");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, a_full_pool_waits_until_enough_is_freed, 0, COUNT);
    tcase_add_test(tests, few_frees_are_enough);
    tcase_add_loop_test(tests, what_was_full_is_so_again_with_few_blocks_back, 0, COUNT);
    tcase_add_test(tests, what_has_come_back_to_a_full_pool_goes_with_it);
    tcase_add_test(tests, where_there_is_no_memory_it_need_not_wait);
    tcase_add_test(tests, the_one_that_is_full_for_longest_floats);
    tcase_add_test(tests, what_others_free_into_full_pools_comes_before_fresh_memory);
    tcase_add_test(tests, a_full_pool_that_is_empty_goes_instead_of_floating);
    tcase_add_test(tests, full_pools_that_others_have_emptied_go);
    tcase_add_test(tests, fewer_are_kept_where_others_free);
    tcase_add_test(tests, and_more_where_the_heap_frees_into_those_that_float);
    tcase_add_test(tests, a_cache_keeps_as_many_as_it_frees_into);
    tcase_add_test(tests, also_where_there_are_other_threads);
    tcase_add_test(tests, of_many_some_go_at_a_time);
    tcase_add_test(tests, and_some_are_looked_at_for_what_others_have_freed);
    tcase_add_test(tests, as_few_as_ever_where_others_free);
    tcase_add_test(tests, and_fewer_again_when_it_rests);
    tcase_add_test(tests, the_more_heaps_the_fewer_each_keeps);
}

int main(void)
{
    return unit_run("full", add);
}
