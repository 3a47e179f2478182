/*
 * test_heap_purge.c - when a heap gives pages inside its pools back: after two
 * looks without a change, at once after a quiet time, never with the option off.
 */
#include "pools.h"

#include "arena/purge.h"
#include "heap/floating.h"
#include "heap/heap.h"
#include "heap/remote.h"

enum { CLASS = 3, POOLS = 6 };

UNIT_HEAP(heap);
static void *kept[POOLS];

/* A partial pool with one live block, whose address is returned. */
static void *add_partial(void)
{
    struct pm_pool *pool = pm_pool_create(CLASS, UNIT_ROOMY, &heap);
    while (pool->free != PM_LINK_NONE || pm_pool_carve(pool))
        memset(pm_pool_pop(pool), 1, pool->size);
    uint32_t first = pool->shape.first;
    for (uint32_t block = first + 1; block < pool->limit; block++)
        pm_pool_push(pool, block);
    pm_pool_unset_current(pool);
    pm_heap_take_back(&heap, pool);
    return pm_pool_address(pool, first);
}

/* Partial pools and a current one. */
static void setup(void)
{
    pm_heap_clear(&heap);
    unit_os_install();
    pm_purge_set_decay(1000);
    for (int i = 0; i < POOLS; i++)
        kept[i] = add_partial();
    ck_assert_ptr_nonnull(pm_heap_refill(&heap, CLASS));
}

/* Takes blocks from a partial pool, as if it had been current for a moment. */
static void take(struct pm_pool *pool, uint32_t blocks)
{
    pm_pool_set_current(pool);
    for (uint32_t i = 0; i < blocks; i++)
        pm_pool_pop(pool);
    pm_pool_unset_current(pool);
}

static size_t withheld(void)
{
    size_t pools = 0;
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    for (; pool != NULL; pool = pm_list_next(&heap.bin[CLASS].partial, pool))
        pools += pool->withheld != 0;
    return pools;
}

static void check_kept(void)
{
    for (int i = 0; i < POOLS; i++)
        ck_assert_int_eq(*(char *)kept[i], 1);
}

START_TEST(what_rests_is_purged_at_the_second_look)
{
    pm_heap_purge(&heap, false);
    ck_assert_uint_eq(withheld(), 0);
    pm_heap_purge(&heap, false);
    ck_assert_uint_eq(withheld(), POOLS - 1); /* one is current */
    pm_heap_check(&heap);
    unsigned long calls = unit_os_calls(UNIT_PURGE);
    pm_heap_purge(&heap, false);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), calls);
    check_kept();
}
END_TEST

START_TEST(what_is_in_use_is_left_alone)
{
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    pm_heap_purge(&heap, false);
    take(pool, 1);
    pm_heap_purge(&heap, false);
    ck_assert_uint_eq(pool->withheld, 0);
    ck_assert_uint_eq(withheld(), POOLS - 2);
    pm_heap_purge(&heap, false);
    ck_assert_uint_ne(pool->withheld, 0);
}
END_TEST

START_TEST(all_means_at_once)
{
    pm_heap_purge(&heap, true);
    ck_assert_uint_eq(withheld(), POOLS - 1);
    pm_heap_check(&heap);
}
END_TEST

START_TEST(growth_has_all_of_them)
{
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    take(pool, pm_pool_blocks(pool) / 2);
    pm_heap_tidy(&heap);
    ck_assert_uint_ne(pool->withheld, 0);
    ck_assert_uint_eq(withheld(), POOLS - 1);
    pm_heap_check(&heap);
    check_kept();
}
END_TEST

START_TEST(ticks_follow_the_decay)
{
    pm_heap_tick(&heap, 10000);
    ck_assert_uint_eq(withheld(), 0);
    pm_heap_tick(&heap, 10900); /* too early */
    ck_assert_uint_eq(withheld(), 0);
    pm_heap_tick(&heap, 11000);
    ck_assert_uint_eq(withheld(), POOLS - 1);
}
END_TEST

START_TEST(a_quiet_time_purges_at_once)
{
    pm_heap_tick(&heap, 10000);
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    take(pool, 1);
    pm_heap_tick(&heap, 11500);
    ck_assert_uint_eq(withheld(), POOLS - 1);
    ck_assert_uint_ne(pool->withheld, 0);
}
END_TEST

/* A slow program looks at the clock, if not often; what it uses stays. */
START_TEST(a_slow_time_is_not_quiet)
{
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    for (uint64_t now = 10000; now < 20000; now += 900) {
        take(pool, 1);
        pm_heap_tick(&heap, now);
        ck_assert_uint_eq(pool->withheld, 0);
    }
    ck_assert_uint_eq(withheld(), POOLS - 2);
}
END_TEST

/* As many blocks are in use as before, but not the same. */
START_TEST(what_was_current_meanwhile_is_left_alone)
{
    struct pm_pool *pool = pm_list_first(&heap.bin[CLASS].partial);
    pm_heap_purge(&heap, false);
    pm_pool_set_current(pool);
    uint32_t block = pool->free;
    pm_pool_pop(pool);
    pm_pool_push(pool, block);
    pm_pool_unset_current(pool);
    pm_heap_purge(&heap, false);
    ck_assert_uint_eq(pool->withheld, 0);
    pm_heap_purge(&heap, false);
    ck_assert_uint_ne(pool->withheld, 0);
}
END_TEST

START_TEST(a_negative_decay_purges_nothing)
{
    pm_purge_set_decay(-1);
    pm_heap_tick(&heap, 10000);
    pm_heap_tick(&heap, 20000);
    pm_heap_tick(&heap, 30000);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 0);
}
END_TEST

/* What is resident serves first, wherever it stood. */
START_TEST(pools_with_nothing_resident_wait_behind_others)
{
    struct pm_pool *emptied = pm_list_first(&heap.bin[CLASS].partial);
    pm_heap_purge(&heap, true);
    take(emptied, pm_pool_blocks(emptied) - pm_pool_used(emptied) - emptied->withheld);
    ck_assert_uint_eq(emptied->free, PM_LINK_NONE);
    pm_heap_purge(&heap, true);
    ck_assert_ptr_eq(pm_list_last(&heap.bin[CLASS].partial), emptied);
    pm_heap_check(&heap);
}
END_TEST

/* Pools that nobody owns rest, too. */
START_TEST(floating_pools_are_purged_by_whoever_looks)
{
    pm_heap_abandon(&heap);
    ck_assert_uint_eq(pm_heap_purge_floating(false), 0);
    ck_assert_uint_ne(pm_heap_purge_floating(false), 0);
    unsigned long calls = unit_os_calls(UNIT_PURGE);
    ck_assert_uint_eq(pm_heap_purge_floating(false), 0);
    ck_assert_uint_eq(pm_heap_purge_floating(true), 0); /* nothing twice */
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), calls);
    check_kept();
}
END_TEST

/* Claims a floating pool, takes a block of a page that comes back for it, or frees that. */
static void change_use(bool take_one)
{
    static uint32_t block;
    struct pm_pool *pool = pm_floating_take(CLASS);
    if (take_one) {
        ck_assert(pm_pool_carve(pool));
        block = pool->free;
        pm_pool_pop(pool);
        pool->used++;
    } else {
        pm_pool_push(pool, block);
    }
    pm_pool_set_purged(pool, false);
    pm_floating_release(pool, true, false);
}

START_TEST(floating_pools_that_are_used_again_rest_anew)
{
    pm_heap_abandon(&heap);
    ck_assert_uint_ne(pm_heap_purge_floating(true), 0);
    change_use(true);
    ck_assert_uint_eq(pm_heap_purge_floating(false), 0);
    change_use(false);
    ck_assert_uint_eq(pm_heap_purge_floating(false), 0);
    ck_assert_uint_ne(pm_heap_purge_floating(false), 0);
    check_kept();
}
END_TEST

START_TEST(pools_in_somebodys_hands_are_left_alone)
{
    pm_heap_abandon(&heap);
    struct pm_pool *mine = pm_floating_take(CLASS);
    ck_assert_uint_ne(pm_heap_purge_floating(true), 0);
    ck_assert_uint_eq(mine->withheld, 0);
    pm_floating_release(mine, true, false);
    ck_assert_uint_ne(pm_heap_purge_floating(true), 0);
    ck_assert_uint_ne(mine->withheld, 0);
}
END_TEST

UNIT_HEAP(second);

/* As in heap_purge.c: pools looked at, and purged, at one time. */
enum { LOOKED_AT = 16384, POOLS_AT_ONCE = 256, MORE = 100 };

/* A thread that has gigabytes in pools is not held up for long, and all have their turn. */
START_TEST(of_many_pools_some_are_looked_at_each_time)
{
    static struct pm_pool *pools[LOOKED_AT + MORE];
    pm_heap_clear(&second);
    struct pm_pool *elsewhere = unit_partial_pool(&second, CLASS + 1);
    for (size_t i = 0; i < UNIT_COUNT_OF(pools); i++)
        pools[i] = unit_partial_pool(&second, CLASS);
    pm_heap_purge(&second, false);
    ck_assert_uint_eq(pools[LOOKED_AT - 1]->rested, 1);
    ck_assert_uint_eq(pools[LOOKED_AT]->rested, PM_NEVER_RESTED);
    ck_assert_ptr_eq(pm_list_first(&second.bin[CLASS].partial), pools[LOOKED_AT]);
    ck_assert_uint_eq(elsewhere->rested, PM_NEVER_RESTED);
    pm_heap_purge(&second, false); /* these, and the first ones again until enough are purged */
    ck_assert_uint_eq(elsewhere->rested, 1);
    for (size_t i = LOOKED_AT; i < UNIT_COUNT_OF(pools); i++)
        ck_assert(pools[i]->rested == 1 && !pm_pool_is_purged(pools[i]));
    ck_assert(pm_pool_is_purged(pools[POOLS_AT_ONCE - 1]));
    ck_assert(!pm_pool_is_purged(pools[POOLS_AT_ONCE]));
    pm_heap_check(&second);
}
END_TEST

static size_t floating_withheld(void)
{
    size_t pools = 0;
    for (int i = 0; i < POOLS; i++)
        pools += unit_pool_of(kept[i])->withheld != 0;
    return pools;
}

/* A full pool all of whose blocks other threads have freed is not even partial. */
START_TEST(what_is_empty_is_not_looked_at_but_gone)
{
    pm_heap_clear(&second);
    void *first = unit_pop(&second, CLASS);
    struct pm_pool *pool = unit_pool_of(first);
    while (pool->state != PM_POOL_FULL)
        unit_pop(&second, CLASS);
    size_t before = unit_pools();
    for (uint32_t i = 0; i < pm_pool_blocks(pool); i++)
        unit_free_remotely(pool, unit_nth(pool, i));
    pm_remote_see();
    pm_heap_gather(&second);
    ck_assert_uint_eq(unit_pools(), before - 1);
    pm_heap_check(&second);
}
END_TEST

/* Each heap has its own time, but what floats rests as long as if there were one. */
START_TEST(many_heaps_do_not_shorten_the_rest)
{
    pm_heap_clear(&second);
    pm_heap_tick(&second, 9000);
    pm_heap_tick(&second, 9500);
    pm_heap_abandon(&heap);
    for (uint64_t now = 10000; now < 11000; now += 100) {
        pm_heap_tick(now % 200 == 0 ? &heap : &second, now);
        ck_assert_uint_eq(floating_withheld(), 0);
    }
    pm_heap_tick(&heap, 11000);
    ck_assert_uint_ne(floating_withheld(), 0);
}
END_TEST

/* A thread that seldom wakes up tells nothing of the others. */
START_TEST(it_is_quiet_when_no_thread_makes_a_call)
{
    pm_heap_clear(&second);
    pm_heap_tick(&second, 9000);
    pm_heap_tick(&heap, 11900);
    pm_heap_tick(&heap, 12500);
    pm_heap_abandon(&heap);
    pm_heap_tick(&second, 13000); /* the next period has just begun */
    ck_assert_uint_eq(floating_withheld(), 0);
    pm_heap_tick(&second, 14000);
    ck_assert_uint_ne(floating_withheld(), 0);
}
END_TEST

enum { TOO_MANY = 600 }; /* to be claimed at one time */

static size_t taken;

/* As threads that free into floating pools would: some that have been purged are not any more. */
static size_t purge_in_vain(const struct pm_os_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pm_pool *pool = pm_floating_take(CLASS);
        if (pool == NULL)
            break;
        taken++;
        pm_pool_carve(pool);
        pm_pool_set_purged(pool, false);
        pm_floating_release(pool, true, false);
    }
    UNIT_CHECK(unit_os_calls(UNIT_PURGE) < 10 * TOO_MANY);
    return unit_os_purge(runs, count);
}

START_TEST(purging_ends_though_others_go_on)
{
    for (int i = 0; i < TOO_MANY; i++)
        add_partial();
    pm_heap_abandon(&heap);
    pm_os_memory.purge = purge_in_vain;
    ck_assert_uint_ne(pm_heap_purge_floating(true), 0);
    ck_assert_uint_gt(taken, TOO_MANY / 10);
    check_kept();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, what_rests_is_purged_at_the_second_look);
    tcase_add_test(tests, what_is_in_use_is_left_alone);
    tcase_add_test(tests, all_means_at_once);
    tcase_add_test(tests, growth_has_all_of_them);
    tcase_add_test(tests, ticks_follow_the_decay);
    tcase_add_test(tests, a_quiet_time_purges_at_once);
    tcase_add_test(tests, a_slow_time_is_not_quiet);
    tcase_add_test(tests, what_was_current_meanwhile_is_left_alone);
    tcase_add_test(tests, a_negative_decay_purges_nothing);
    tcase_add_test(tests, pools_with_nothing_resident_wait_behind_others);
    tcase_add_test(tests, floating_pools_are_purged_by_whoever_looks);
    tcase_add_test(tests, floating_pools_that_are_used_again_rest_anew);
    tcase_add_test(tests, pools_in_somebodys_hands_are_left_alone);
    tcase_add_test(tests, of_many_pools_some_are_looked_at_each_time);
    tcase_add_test(tests, what_is_empty_is_not_looked_at_but_gone);
    tcase_add_test(tests, many_heaps_do_not_shorten_the_rest);
    tcase_add_test(tests, it_is_quiet_when_no_thread_makes_a_call);
    tcase_add_test(tests, purging_ends_though_others_go_on);
}

int main(void)
{
    return unit_run("heap_purge", add);
}
