/*
 * test_pool_purge.c - free pages inside pools go back, live blocks keep what they
 * hold, and every block is served once, whatever was purged in between.
 */
#include "pools.h"

#include "arena/arena.h"
#include "heap/heap.h"
#include "heap/remote.h"

enum { SMALL = 3, ROUNDS = 200 };

UNIT_HEAP(owner);
UNIT_HEAP(other);
static struct pm_pool *pool;
static char *blocks[PM_POOL_LIMIT_MAX]; /* live ones by number, filled with it */

static void setup(void)
{
    pm_heap_clear(&owner);
    pm_heap_clear(&other);
    unit_os_install();
}

static uint32_t first(void)
{
    return pool->shape.first;
}

/* The block's number; 0 when the pool is full. */
static uint32_t take(void)
{
    if (pool->free == PM_LINK_NONE && !pm_pool_carve(pool))
        return 0;
    uint32_t number = pool->free;
    char *block = pm_pool_pop(pool);
    ck_assert_ptr_null(blocks[number]);
    blocks[number] = block;
    unit_fill(block, pool->size, number);
    return number;
}

static void give(uint32_t number)
{
    ck_assert(unit_intact(blocks[number], pool->size, number));
    blocks[number] = NULL;
    if (pm_pool_push(pool, number))
        pm_pool_set_current(pool); /* counts on, as its heap would have it */
}

static void make(unsigned class)
{
    pool = pm_pool_create(class, UNIT_ROOMY, &owner);
    ck_assert_ptr_nonnull(pool);
    while (take() != 0)
        continue;
    ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool));
}

/* Gives all back but the first block. */
static void give_but_one(void)
{
    for (uint32_t number = first() + 1; number < pool->limit; number++)
        give(number);
}

START_TEST(pages_without_a_live_block_go)
{
    size_t page = pm_os_page_size(), span;
    make(SMALL);
    span = pm_span_bytes(&pool->span);
    ck_assert_uint_eq(unit_purge(pool), 0);
    uint32_t survivor = first() + pm_pool_blocks(pool) / 2;
    for (uint32_t number = first(); number < pool->limit; number++) {
        if (number != survivor)
            give(number);
    }
    ck_assert_uint_eq(unit_purge(pool), span - page); /* 64-byte blocks lie on one page */
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), 2);  /* before it, behind it */
    ck_assert_uint_eq(pool->withheld, pm_pool_blocks(pool) - page / pool->size);
    ck_assert(unit_intact(blocks[survivor], pool->size, survivor));
    ck_assert(unit_is_zero((char *)pool->span.start, page));
    pm_pool_check(pool);
    ck_assert_uint_eq(unit_purge(pool), 0); /* nothing twice */
    while (take() != 0)
        pm_pool_check(pool);
    ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool));
    ck_assert_uint_eq(pool->withheld, 0);
}
END_TEST

/* Whatever was on the page before is used before what has to be made resident. */
START_TEST(withheld_blocks_are_used_last)
{
    make(SMALL);
    uint32_t per_page = (uint32_t)(pm_os_page_size() / pool->size);
    give_but_one();
    ck_assert_uint_ne(unit_purge(pool), 0);
    for (uint32_t i = 1; i < per_page; i++)
        ck_assert_uint_lt(take(), first() + per_page);
    ck_assert_uint_eq(pool->free, PM_LINK_NONE);
    ck_assert_uint_ge(take(), first() + per_page);
    ck_assert_uint_eq(pool->withheld, pm_pool_blocks(pool) - 2 * per_page); /* one page came back */
    pm_pool_check(pool);
}
END_TEST

START_TEST(what_others_have_freed_is_not_withheld)
{
    make(SMALL);
    for (uint32_t number = first(); number < pool->limit; number++) {
        blocks[number] = NULL;
        pm_remote_free(&other, pool, number, "free");
    }
    ck_assert_uint_eq(unit_purge(pool), 0); /* on the list of others, or on their way there */
    pm_pool_check(pool);
    pm_remote_flush(&other);
    ck_assert_uint_eq(unit_purge(pool), 0);
    pm_pool_check(pool);
    ck_assert(pm_pool_collect(pool));
    ck_assert_uint_eq(unit_purge(pool), pm_span_bytes(&pool->span));
    pm_pool_check(pool);
}
END_TEST

START_TEST(a_refused_purge_withholds_nothing)
{
    make(SMALL);
    give_but_one();
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    ck_assert_uint_eq(unit_purge(pool), 0);
    ck_assert_uint_eq(pool->withheld, 0);
    pm_pool_check(pool);
    unit_os_heal();
    ck_assert_uint_ne(unit_purge(pool), 0);
}
END_TEST

/* A block that came back lies on two pages, of which only the first was known to be used. */
START_TEST(what_was_used_again_goes_again)
{
    size_t least = 0;
    make(pm_class_of(3 * pm_os_page_size() / 2));
    for (int round = 0; round < 3; round++) {
        give_but_one();
        size_t purged = unit_purge(pool);
        ck_assert_uint_ne(purged, 0);
        ck_assert_uint_ge(purged, least);
        least = purged;
        pm_pool_check(pool);
        while (take() != 0)
            continue;
    }
}
END_TEST

START_TEST(pages_left_dirty_by_others_go_too)
{
    make(SMALL);
    give(first());
    give_but_one();
    size_t bytes = pm_span_bytes(&pool->span), page = pm_os_page_size();
    pm_pool_destroy(pool);
    pool = pm_pool_create(SMALL, UNIT_ROOMY, &owner);
    ck_assert_uint_ne(pool->span.clean, PM_SPAN_CLEAN);
    ck_assert_uint_ne(take(), 0);
    ck_assert_uint_eq(unit_purge(pool), bytes - page);
    pm_pool_check(pool);
    ck_assert_uint_eq(unit_purge(pool), 0);
}
END_TEST

enum { MANY = 70 };

static struct pm_pool *many[MANY];
static struct pm_pool_purge purge;

/* One block of each is live: the first. */
static void make_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        many[i] = pm_pool_create(SMALL, UNIT_ROOMY, &owner);
        ck_assert_ptr_nonnull(many[i]);
        for (char *block; (block = unit_take(many[i])) != NULL;)
            unit_fill(block, many[i]->size, 1);
        for (uint32_t block = many[i]->shape.first + 1; block < many[i]->limit; block++)
            unit_push(many[i], block);
    }
}

static void purge_many(void)
{
    pm_pool_purge_begin(&purge);
    for (size_t i = 0; i < MANY; i++)
        pm_pool_purge(&purge, many[i]);
}

static void check_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        ck_assert(unit_intact(pm_pool_address(many[i], many[i]->shape.first), many[i]->size, 1));
        pm_pool_check(many[i]);
    }
}

START_TEST(what_goes_of_many_pools_goes_together)
{
    make_many();
    purge_many();
    size_t span = pm_span_bytes(&many[0]->span), page = pm_os_page_size();
    ck_assert_uint_gt(unit_os_calls(UNIT_PURGE), 0); /* there is no room for all, */
    ck_assert_uint_lt(unit_os_calls(UNIT_PURGE), MANY);
    ck_assert_uint_eq(pm_pool_purge_noted(&purge), MANY * (span - page));
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), MANY);
    ck_assert_uint_eq(purge.count, 0);
    for (size_t i = 0; i < MANY; i++)
        ck_assert(unit_is_zero((char *)many[i]->span.start + page, span - page));
    check_many();
}
END_TEST

START_TEST(what_is_refused_serves_on)
{
    make_many();
    size_t before = pm_arena_used();
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 3, false);
    purge_many();
    ck_assert_uint_eq(pm_pool_purge_noted(&purge), before - pm_arena_used());
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(many[i]->withheld == 0, i == 2); /* the third */
    check_many();
    while (unit_take(many[2]) != NULL)
        continue;
    ck_assert_uint_eq(pm_pool_used(many[2]), pm_pool_blocks(many[2]));
}
END_TEST

/* A fork of another thread has come between: it is the child's, and nothing has gone. */
START_TEST(a_pool_rebuilt_too_soon_has_nothing_clean)
{
    make(SMALL);
    give_but_one();
    pm_pool_purge_begin(&purge);
    pm_pool_purge(&purge, pool);
    pm_pool_rebuild(pool);
    ck_assert_uint_eq(pool->span.clean & pm_pool_all_pages(pool), 0);
    ck_assert_uint_eq(pool->withheld, 0);
    pm_pool_check(pool);
    pool = pm_pool_create(SMALL, UNIT_ROOMY, &owner); /* never carved, but used by others before */
    pm_arena_use(&pool->span, PM_SPAN_CLEAN);
    pm_pool_purge(&purge, pool);
    ck_assert_uint_ne(pool->span.clean & pm_pool_all_pages(pool), 0);
    pm_pool_rebuild(pool);
    ck_assert_uint_eq(pool->span.clean & pm_pool_all_pages(pool), 0);
    ck_assert(!pm_pool_is_purged(pool));
}
END_TEST

START_TEST(a_rebuilt_pool_withholds_nothing)
{
    make(SMALL);
    give_but_one();
    ck_assert_uint_ne(unit_purge(pool), 0);
    pm_pool_rebuild(pool);
    ck_assert_uint_eq(pool->withheld, 0);
    pm_pool_check(pool);
}
END_TEST

/* Every class: takes, gives and purges at random; contents and invariants hold. */
START_TEST(random_purges_lose_nothing)
{
    uint64_t state = unit_seed() + (uint64_t)_i;
    pool = pm_pool_create((unsigned)_i, UNIT_ROOMY, &owner);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t steps = (uint32_t)unit_random(&state) % (pm_pool_blocks(pool) / 2 + 2);
        bool growing = unit_random(&state) % 2 != 0;
        for (uint32_t step = 0; step < steps; step++) {
            uint32_t number = first() + (uint32_t)unit_random(&state) % pm_pool_blocks(pool);
            if (growing || blocks[number] == NULL)
                take();
            else
                give(number);
        }
        for (uint32_t number = first(); !growing && number < pool->limit; number++) {
            if (blocks[number] != NULL && unit_random(&state) % 8 != 0)
                give(number);
        }
        unit_os_fail(UNIT_BIT(UNIT_PURGE), (long)(unit_random(&state) % 8), false);
        unit_purge(pool);
        if (round % 8 == 0)
            pm_pool_check(pool);
    }
    for (uint32_t number = first(); number < pool->limit; number++) {
        if (blocks[number] != NULL)
            give(number);
    }
    pm_pool_check(pool);
    ck_assert_uint_eq(pm_pool_used(pool), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, pages_without_a_live_block_go);
    tcase_add_test(tests, withheld_blocks_are_used_last);
    tcase_add_test(tests, what_others_have_freed_is_not_withheld);
    tcase_add_test(tests, a_refused_purge_withholds_nothing);
    tcase_add_test(tests, what_was_used_again_goes_again);
    tcase_add_test(tests, pages_left_dirty_by_others_go_too);
    tcase_add_test(tests, what_goes_of_many_pools_goes_together);
    tcase_add_test(tests, what_is_refused_serves_on);
    tcase_add_test(tests, a_pool_rebuilt_too_soon_has_nothing_clean);
    tcase_add_test(tests, a_rebuilt_pool_withholds_nothing);
    tcase_add_loop_test(tests, random_purges_lose_nothing, 0, PM_CLASS_COUNT);
}

int main(void)
{
    return unit_run("pool_purge", add);
}
