/*
 * test_floating.c - pools without an owner: which are listed, who may claim
 * them, and when they go.
 */
#include "pools.h"

#include <pthread.h>

#include "heap/census.h"
#include "heap/floating.h"
#include "os/alone.h"

enum { CLASS = 12 };

UNIT_HEAP(heap);
UNIT_HEAP(other);

/* A claimed pool with `live` live blocks, the lowest numbers. */
static struct pm_pool *pool_with(uint32_t live)
{
    struct pm_pool *pool = pm_pool_create(CLASS, UNIT_ROOMY, &heap);
    for (uint32_t i = 0; i < live; i++)
        ck_assert_ptr_nonnull(unit_take(pool));
    pm_pool_unset_current(pool);
    ck_assert_uint_eq(pool->used, live);
    return pool;
}

/* As after a look at it that has purged it. */
static void set_purged(struct pm_pool *pool)
{
    pm_pool_rest(pool, pool->used);
    pm_pool_set_purged(pool, true);
}

/* How many blocks a pool of the class has. */
static uint32_t capacity(void)
{
    struct pm_pool *pool = pool_with(0);
    uint32_t blocks = pm_pool_blocks(pool);
    pm_pool_destroy(pool);
    return blocks;
}

/* Another thread frees the `i`th block. */
static void free_remotely(struct pm_pool *pool, uint32_t i)
{
    unit_free_remotely(pool, unit_nth(pool, i));
}

static bool is_floating(struct pm_pool *pool)
{
    return atomic_load(&pool->remote) == PM_REMOTE_EMPTY && pm_pool_was_owned_by(pool, &heap) &&
           pool->state == PM_POOL_FLOATING;
}

START_TEST(a_full_pool_is_not_listed)
{
    struct pm_pool *pool = pool_with(capacity());
    ck_assert(pm_floating_release(pool, true, true));
    ck_assert(is_floating(pool) && !pool->listed);
    ck_assert_ptr_null(pm_floating_take(CLASS));
}
END_TEST

START_TEST(an_eighth_free_is_worth_listing)
{
    struct pm_pool *few = pool_with(1), *many;
    uint32_t all = capacity(), eighth = all / 8;
    pm_floating_release(few, false, false);
    ck_assert(few->listed);
    ck_assert_ptr_eq(pm_floating_take(CLASS), few);
    many = pool_with(all - eighth + 1);
    pm_floating_release(many, false, false);
    ck_assert(!many->listed);
    few = pool_with(all - eighth);
    pm_floating_release(few, false, false);
    ck_assert(few->listed);
}
END_TEST

START_TEST(an_offer_lists_whatever_is_free)
{
    struct pm_pool *pool = pool_with(capacity() - 1);
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert(is_floating(pool) && pool->listed);
    ck_assert_ptr_null(pm_floating_take(CLASS + 1));
    ck_assert_ptr_eq(pm_floating_take(CLASS), pool);
    ck_assert(!pool->listed);
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED | PM_REMOTE_EMPTY);
    ck_assert_ptr_null(pm_floating_take(CLASS));
}
END_TEST

START_TEST(an_empty_pool_goes)
{
    struct pm_pool *pool = pool_with(2);
    pm_pool_push(pool, unit_nth(pool, 0));
    pm_pool_push(pool, unit_nth(pool, 1));
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert_uint_eq(unit_pools(), 0);
    pool = pool_with(2);
    free_remotely(pool, 0);
    free_remotely(pool, 1);
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert_uint_eq(unit_pools(), 0);
}
END_TEST

START_TEST(what_came_back_keeps_the_pool)
{
    struct pm_pool *pool = pool_with(5);
    free_remotely(pool, 3);
    ck_assert(!pm_floating_release(pool, false, true));
    ck_assert_uint_eq(pool->free, unit_nth(pool, 3));
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED | PM_REMOTE_EMPTY);
    ck_assert(!pool->listed);
    free_remotely(pool, 4);
    ck_assert(pm_floating_release(pool, false, false));
    ck_assert(is_floating(pool));
    ck_assert_uint_eq(pool->used, 3);
}
END_TEST

/* Else those who look for pools to purge would see these first, each time. */
START_TEST(what_has_been_purged_stands_apart)
{
    struct pm_pool *purged = pool_with(1), *resident = pool_with(1), *claimed[2];
    set_purged(purged);
    pm_floating_release(resident, true, false);
    pm_floating_release(purged, true, false);
    ck_assert_int_eq(purged->listed, PM_POOL_LISTED_PURGED);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, false, claimed, 2), 1);
    ck_assert_ptr_eq(claimed[0], resident);
    ck_assert(!resident->listed);
    set_purged(resident);
    pm_floating_release(resident, true, false);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, false, claimed, 2), 0);
    ck_assert_ptr_eq(pm_floating_take(CLASS), purged);
    ck_assert_ptr_eq(pm_floating_take(CLASS), resident);
    ck_assert_uint_eq(pm_floating_count(CLASS), 0);
}
END_TEST

/* However little it has to offer: its pages need not come back first. */
START_TEST(what_is_resident_is_taken_before_what_has_been_purged)
{
    struct pm_pool *purged = pool_with(1), *resident = pool_with(capacity() - 1);
    set_purged(purged);
    pm_floating_release(purged, true, false);
    pm_floating_release(resident, true, false);
    ck_assert_int_eq(resident->listed, PM_POOL_LISTED_POOR);
    ck_assert_ptr_eq(pm_floating_take(CLASS), resident);
}
END_TEST

START_TEST(what_has_rested_longest_is_claimed_first)
{
    struct pm_pool *pools[3], *claimed[3];
    for (int i = 0; i < 3; i++) {
        pools[i] = pool_with(1);
        pm_floating_release(pools[i], true, false);
    }
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, true, claimed, 3), 0);
    pm_floating_tick();
    pm_floating_release(pm_floating_take(CLASS), true, false); /* the last that came */
    pm_floating_tick();
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, true, claimed, 1), 1);
    ck_assert_ptr_eq(claimed[0], pools[0]);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, true, claimed, 3), 1);
    ck_assert_ptr_eq(claimed[0], pools[1]);
    pm_floating_tick();
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, true, claimed, 3), 1);
    ck_assert_ptr_eq(claimed[0], pools[2]);
}
END_TEST

/* Also when its pages have come back by the heap that had it, and not by a remote free. */
START_TEST(what_was_in_use_may_be_purged_again)
{
    struct pm_pool *pool = pool_with(5), *claimed;
    set_purged(pool);
    pm_floating_release(pool, true, false);
    ck_assert_ptr_eq(pm_floating_take(CLASS), pool);
    pm_pool_set_current(pool);
    pm_pool_unset_current(pool);
    pm_floating_release(pool, true, false);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, false, &claimed, 1), 1);
}
END_TEST

START_TEST(what_comes_back_meanwhile_may_be_purged)
{
    struct pm_pool *pool = pool_with(5);
    set_purged(pool);
    free_remotely(pool, 3);
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert(!pm_pool_is_purged(pool));
}
END_TEST

/* Its owner has freed into it since, and not looked again before it let go. */
START_TEST(what_was_freed_into_by_its_owner_may_be_purged_again)
{
    struct pm_pool *pool = pool_with(5), *claimed;
    set_purged(pool);
    pm_pool_push(pool, unit_nth(pool, 0));
    pm_floating_release(pool, true, false);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, false, &claimed, 1), 1);
    set_purged(pool);
    pm_floating_release(pool, true, false);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, false, &claimed, 1), 0);
}
END_TEST

/* More than anybody looks at in one walk have just come, of either kind. */
START_TEST(what_has_rested_is_found_behind_many_that_have_not)
{
    enum { MANY = 4200 };
    uint32_t lives[] = {1, capacity() - capacity() / 4}; /* rich and poor */
    struct pm_pool *rested[2], *claimed[3];
    for (int i = 0; i < 2; i++) {
        rested[i] = pool_with(lives[i]);
        pm_floating_release(rested[i], true, false);
    }
    pm_floating_tick();
    pm_floating_tick();
    for (int i = 0; i < 2 * MANY; i++)
        pm_floating_release(pool_with(lives[i % 2]), true, false);
    ck_assert_uint_eq(pm_floating_claim_unpurged(CLASS, true, claimed, 3), 2);
    ck_assert_ptr_eq(claimed[0], rested[0]);
    ck_assert_ptr_eq(claimed[1], rested[1]);
}
END_TEST

START_TEST(a_claimed_pool_is_passed_over)
{
    struct pm_pool *first = pool_with(1), *second = pool_with(1);
    pm_floating_release(first, true, false);
    pm_floating_release(second, true, false); /* now at the head */
    atomic_fetch_or(&second->remote, PM_REMOTE_OWNED);
    ck_assert_ptr_eq(pm_floating_take(CLASS), first);
    ck_assert_ptr_null(pm_floating_take(CLASS));
    ck_assert(pm_floating_release(second, false, false));
    ck_assert_ptr_eq(pm_floating_take(CLASS), second);
}
END_TEST

/* As remote.c does: the free that finds the pool unowned claims it. */
static void claim_with(struct pm_pool *pool, uint32_t i)
{
    free_remotely(pool, i);
    atomic_fetch_or(&pool->remote, PM_REMOTE_OWNED);
}

START_TEST(the_last_owner_adopts)
{
    struct pm_pool *pool = pool_with(9);
    pm_floating_release(pool, true, false);
    claim_with(pool, 1);
    ck_assert(!pm_floating_claimed(pool, &other));
    ck_assert(is_floating(pool) && pool->listed);
    claim_with(pool, 2);
    ck_assert(pm_floating_claimed(pool, &heap));
    ck_assert(!pool->listed);
    ck_assert_uint_eq(pool->used, 7);
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED | PM_REMOTE_EMPTY);
    ck_assert_ptr_null(pm_floating_take(CLASS));
}
END_TEST

static void reclaim_one(void)
{
    struct pm_pool *pool = pool_with(9);
    pm_floating_release(pool, true, false);
    free_remotely(pool, 1);
    ck_assert(!pm_floating_reclaim(pool, &other));
    ck_assert(pool->listed);
    atomic_fetch_or(&pool->remote, PM_REMOTE_OWNED); /* somebody has it just now */
    ck_assert(!pm_floating_reclaim(pool, &heap));
    ck_assert(pool->listed);
    atomic_fetch_and(&pool->remote, ~PM_REMOTE_OWNED);
    ck_assert(pm_floating_reclaim(pool, &heap));
    ck_assert(!pool->listed && !pm_pool_is_purged(pool));
    ck_assert_uint_eq(pool->used, 8);
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED | PM_REMOTE_EMPTY);
    ck_assert_ptr_null(pm_floating_take(CLASS));
}

START_TEST(the_last_owner_reclaims_for_its_own_free)
{
    if (!pm_alone())
        return; /* under a sanitizer that has a thread of its own, or on musl */
    reclaim_one();
}
END_TEST

static pthread_barrier_t barrier;

static void *wait_at_barrier(void *unused)
{
    pthread_barrier_wait(&barrier);
    return unused;
}

START_TEST(and_so_it_does_where_there_are_threads)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_at_barrier, NULL), 0);
    ck_assert(!pm_alone());
    reclaim_one();
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(what_was_offered_stays_so_when_another_frees_into_it)
{
    struct pm_pool *pool = pool_with(capacity());
    free_remotely(pool, 0);
    pm_floating_release(pool, true, false);
    claim_with(pool, 1);
    ck_assert(!pm_floating_claimed(pool, &other));
    ck_assert(pool->listed);
    ck_assert_ptr_eq(pm_floating_take(CLASS), pool);
}
END_TEST

START_TEST(the_last_block_frees_the_pool)
{
    for (int i = 0; i < 2; i++) {
        struct pm_pool *pool = pool_with(1);
        pm_floating_release(pool, true, false);
        claim_with(pool, 0);
        ck_assert(!pm_floating_claimed(pool, i == 0 ? &heap : &other));
        ck_assert_uint_eq(unit_pools(), 0);
        ck_assert_ptr_null(pm_floating_take(CLASS));
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_full_pool_is_not_listed);
    tcase_add_test(tests, an_eighth_free_is_worth_listing);
    tcase_add_test(tests, an_offer_lists_whatever_is_free);
    tcase_add_test(tests, an_empty_pool_goes);
    tcase_add_test(tests, what_came_back_keeps_the_pool);
    tcase_add_test(tests, what_has_been_purged_stands_apart);
    tcase_add_test(tests, what_is_resident_is_taken_before_what_has_been_purged);
    tcase_add_test(tests, what_has_rested_longest_is_claimed_first);
    tcase_add_test(tests, what_was_in_use_may_be_purged_again);
    tcase_add_test(tests, the_last_owner_reclaims_for_its_own_free);
    tcase_add_test(tests, and_so_it_does_where_there_are_threads);
    tcase_add_test(tests, what_was_offered_stays_so_when_another_frees_into_it);
    tcase_add_test(tests, what_comes_back_meanwhile_may_be_purged);
    tcase_add_test(tests, what_was_freed_into_by_its_owner_may_be_purged_again);
    tcase_add_test(tests, what_has_rested_is_found_behind_many_that_have_not);
    tcase_add_test(tests, a_claimed_pool_is_passed_over);
    tcase_add_test(tests, the_last_owner_adopts);
    tcase_add_test(tests, the_last_block_frees_the_pool);
}

int main(void)
{
    return unit_run("floating", add);
}
