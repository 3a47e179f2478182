/*
 * test_visit.c - what a visitor does to a pool that is another thread's: its free pages go, and its
 * owner notices nothing, or waits.
 */
#include "pools.h"

#include <sys/mman.h>

#include "arena/arena.h"
#include "arena/provider.h"
#include "heap/floating.h"
#include "pool/visit.h"

enum { SMALL = 3, SLEEP_MS = 50 }; /* blocks of 64 bytes */

UNIT_HEAP(owner);
UNIT_HEAP(other);
static struct pm_pool *pool;
static char *blocks[PM_POOL_LIMIT_MAX]; /* live ones by number, filled with it */

/* The linker sends the library's calls here. */
bool __real_pm_os_barrier(void);
bool __wrap_pm_os_barrier(void);

static bool no_barrier;

bool __wrap_pm_os_barrier(void)
{
    return !no_barrier && __real_pm_os_barrier();
}

static uint32_t first(void)
{
    return pool->shape.first;
}

static void take(void)
{
    uint32_t number = pool->free;
    blocks[number] = pm_pool_pop(pool);
    unit_fill(blocks[number], pool->size, number);
}

/* A full pool. */
static void setup(void)
{
    pm_heap_clear(&owner);
    pm_heap_clear(&other);
    unit_os_install();
    pool = pm_pool_create(SMALL, UNIT_ROOMY, &owner);
    ck_assert_ptr_nonnull(pool);
    while (pool->free != PM_LINK_NONE || pm_pool_carve(pool))
        take();
    pm_pool_unset_current(pool);
}

static void give(uint32_t number)
{
    ck_assert(unit_intact(blocks[number], pool->size, number));
    blocks[number] = NULL;
    ck_assert(!pm_pool_push(pool, number));
}

/* Gives [from, to) back, of the pool's blocks. */
static void give_some(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        give(first() + i);
}

static void check_blocks(void)
{
    for (uint32_t number = first(); number < pool->limit; number++)
        ck_assert(blocks[number] == NULL || unit_intact(blocks[number], pool->size, number));
    pm_pool_check(pool);
}

static size_t begin(void)
{
    struct pm_pool *pools[] = {pool};
    pm_lock(&pm_arena_lock);
    size_t left = pm_visit_begin(pools, 1);
    pm_unlock(&pm_arena_lock);
    return left;
}

/* As sleeping.c does; the bytes that have gone. */
static size_t visit(void)
{
    pm_lock(&pm_visit_lock);
    size_t bytes = begin() != 0 ? pm_pool_purge_visited(&pool, 1) : 0;
    pm_visit_end();
    pm_unlock(&pm_visit_lock);
    return bytes;
}

static uint32_t on_a_page(void)
{
    return (uint32_t)(pm_os_page_size() / pool->size);
}

START_TEST(free_pages_go_and_the_owner_takes_what_it_likes)
{
    size_t page = pm_os_page_size(), used = pm_arena_used();
    give_some(1, pm_pool_blocks(pool));
    ck_assert_uint_eq(visit(), pm_span_bytes(&pool->span) - page);
    ck_assert_uint_eq(pm_arena_used(), used - (pm_span_bytes(&pool->span) - page));
    ck_assert_uint_eq(pool->withheld, 0);
    check_blocks();
    pm_pool_set_current(pool);
    for (uint32_t i = 1; i < pm_pool_blocks(pool); i++)
        take();
    pm_pool_unset_current(pool);
    ck_assert_uint_eq(pool->free, PM_LINK_NONE);
    check_blocks();
}
END_TEST

START_TEST(a_page_with_a_live_block_stays)
{
    uint32_t each = on_a_page();
    for (uint32_t i = 0; i < pm_pool_blocks(pool); i++) {
        if (i % each != each - 1)
            give(first() + i);
    }
    ck_assert_uint_eq(visit(), 0);
    check_blocks();
}
END_TEST

/* Whatever the size of blocks, and where they lie over the edges of pages. */
START_TEST(live_blocks_of_every_class_keep_what_they_hold)
{
    uint64_t random = unit_seed();
    memset(blocks, 0, sizeof blocks);
    pool = pm_pool_create((unsigned)_i, UNIT_ROOMY, &owner);
    ck_assert_ptr_nonnull(pool);
    while (pool->free != PM_LINK_NONE || pm_pool_carve(pool))
        take();
    pm_pool_unset_current(pool);
    for (int round = 0; round < 20 && pool->used > 1; round++) {
        for (uint32_t number = first(); number < pool->limit; number++) {
            if (blocks[number] != NULL && pool->used > 1 && unit_random(&random) % 4 == 0)
                give(number);
        }
        visit();
        check_blocks();
    }
    size_t used = pm_arena_used();
    unit_purge(pool); /* finds the same, and withholds it */
    ck_assert_uint_eq(pool->span.away, 0);
    ck_assert_uint_eq(pm_arena_used(), used);
    check_blocks();
}
END_TEST

START_TEST(what_was_found_before_is_left_alone)
{
    size_t page = pm_os_page_size();
    uint32_t each = on_a_page();
    give_some(0, each);
    ck_assert_uint_eq(visit(), page);
    unsigned long calls = unit_os_calls(UNIT_PURGE);
    ck_assert_uint_eq(visit(), 0);
    ck_assert_uint_eq(unit_os_calls(UNIT_PURGE), calls);
    for (uint32_t i = each; i < 2 * each; i++) {
        blocks[first() + i] = NULL;
        unit_free_remotely(pool, first() + i);
    }
    ck_assert_uint_eq(visit(), page);
    ck_assert_uint_eq(pool->span.away, 2);
}
END_TEST

/* The books are as before when the pool has gone. */
START_TEST(a_pool_that_goes_counts_its_pages_again)
{
    give_some(1, pm_pool_blocks(pool));
    ck_assert_uint_gt(visit(), 0);
    blocks[first()] = NULL;
    ck_assert(pm_pool_push(pool, first()));
    size_t dirty = pm_arena_dirty(), bytes = pm_span_bytes(&pool->span);
    pm_pool_destroy(pool);
    ck_assert_uint_eq(pm_arena_used(), 0);
    ck_assert_uint_eq(pm_arena_dirty(), dirty + bytes);
    pm_arena_check();
}
END_TEST

START_TEST(a_pool_that_floats_begins_anew)
{
    size_t used = pm_arena_used(), bytes = pm_span_bytes(&pool->span) - pm_os_page_size();
    give_some(1, pm_pool_blocks(pool));
    ck_assert_uint_eq(visit(), bytes);
    ck_assert(pm_floating_release(pool, true, false));
    ck_assert_uint_eq(pm_arena_used(), used);
    ck_assert_ptr_eq(pm_floating_take(SMALL), pool);
    pm_pool_set_owner(pool, &other);
    pm_pool_set_current(pool);
    for (uint32_t i = 1; i < pm_pool_blocks(pool); i++)
        take();
    pm_pool_unset_current(pool);
    give_some(1, pm_pool_blocks(pool));
    ck_assert_uint_eq(visit(), bytes);
    check_blocks();
}
END_TEST

START_TEST(what_the_system_refuses_stays_in_use)
{
    size_t used = pm_arena_used();
    give_some(1, pm_pool_blocks(pool));
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    ck_assert_uint_eq(visit(), 0);
    ck_assert_uint_eq(pm_arena_used(), used);
    unit_os_heal();
    ck_assert_uint_gt(visit(), 0);
}
END_TEST

static const enum pm_pool_state not_at_rest[] = {PM_POOL_FLOATING, PM_POOL_CURRENT, PM_POOL_BUSY};

START_TEST(only_pools_at_rest_are_visited)
{
    give_some(0, on_a_page());
    uint8_t before = pool->state;
    pm_pool_set_state(pool, not_at_rest[_i]);
    ck_assert_uint_eq(visit(), 0);
    pm_pool_set_state(pool, before);
    ck_assert_uint_gt(visit(), 0);
}
END_TEST

START_TEST(without_a_barrier_nothing_is_visited)
{
    give_some(0, on_a_page());
    no_barrier = true;
    ck_assert_uint_eq(visit(), 0);
    ck_assert(!atomic_load(&pm_visiting));
}
END_TEST

START_TEST(the_owner_frees_meanwhile)
{
    uint32_t each = on_a_page();
    give_some(0, each);
    pm_lock(&pm_visit_lock);
    ck_assert_uint_eq(begin(), 1);
    give_some(each, 2 * each);
    ck_assert_uint_eq(pm_pool_purge_visited(&pool, 1), 2 * pm_os_page_size());
    give_some(2 * each, 3 * each);
    pm_visit_end();
    pm_unlock(&pm_visit_lock);
    check_blocks();
}
END_TEST

enum { MANY = 40 }; /* with two runs each */

/* A full pool, but for its first and its third page. */
static struct pm_pool *make_gappy(void)
{
    struct pm_pool *gappy = pm_pool_create(SMALL, UNIT_ROOMY, &owner);
    ck_assert_ptr_nonnull(gappy);
    for (char *block; (block = unit_take(gappy)) != NULL;)
        unit_fill(block, gappy->size, 1);
    pm_pool_unset_current(gappy);
    for (uint32_t i = 0; i < on_a_page(); i++) {
        pm_pool_push(gappy, gappy->shape.first + i);
        pm_pool_push(gappy, gappy->shape.first + 2 * on_a_page() + i);
    }
    return gappy;
}

START_TEST(what_goes_of_many_pools_goes_together)
{
    struct pm_pool *many[MANY];
    size_t page = pm_os_page_size();
    for (size_t i = 0; i < MANY; i++)
        many[i] = make_gappy();
    size_t used = pm_arena_used();
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 3, false); /* the second pool's first */
    size_t gone = pm_pool_purge_visited(many, MANY);
    ck_assert_uint_eq(gone, (2 * MANY - 1) * page);
    ck_assert_uint_eq(pm_arena_used(), used - gone);
    for (size_t i = 0; i < MANY; i++) {
        char *start = (char *)many[i]->span.start;
        ck_assert_uint_eq(many[i]->span.away, i == 1 ? 1 : 2);
        ck_assert_int_eq(unit_is_zero(start, page), i != 1);
        ck_assert(unit_is_zero(start + 2 * page, page));
        ck_assert(unit_intact(start + page, pool->size, 1));
        pm_pool_check(many[i]);
    }
    ck_assert_uint_eq(pm_pool_purge_visited(many, MANY), page);
    ck_assert_uint_eq(pm_pool_purge_visited(many, MANY), 0);
    ck_assert_uint_eq(pm_arena_used(), used - 2 * MANY * page);
}
END_TEST

static atomic_bool has_waited;

static void *take_again(void *unused)
{
    (void)unused;
    pm_pool_set_current(pool);
    atomic_store(&has_waited, true);
    return NULL;
}

/* Another pool of the same heap is of no concern. */
static void *take_another(void *unused)
{
    (void)unused;
    struct pm_pool *another = pm_pool_create(SMALL, UNIT_ROOMY, &owner);
    UNIT_CHECK(another != NULL && pm_pool_carve(another));
    return NULL;
}

START_TEST(the_owner_waits_before_it_takes_a_block)
{
    pthread_t thread;
    give_some(0, on_a_page());
    pm_lock(&pm_visit_lock);
    ck_assert_uint_eq(begin(), 1);
    unit_in_thread(take_another, NULL);
    ck_assert(!pm_visit_is_waited_for());
    ck_assert_int_eq(pthread_create(&thread, NULL, take_again, NULL), 0);
    unit_give_up_after(60);
    while (!pm_visit_is_waited_for())
        unit_sleep_ms(1);
    unit_sleep_ms(SLEEP_MS);
    ck_assert(!atomic_load(&has_waited));
    pm_visit_end();
    pm_unlock(&pm_visit_lock);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    alarm(0);
    ck_assert(atomic_load(&has_waited));
    ck_assert(!pm_visit_is_waited_for());
}
END_TEST

static void check_forgotten(void *unused)
{
    (void)unused;
    UNIT_CHECK(!pm_visit_is_waited_for());
}

/* As if another thread had been about to say that it waits no more. */
START_TEST(nobody_waits_in_a_new_child)
{
    pthread_t thread;
    pm_free(pm_alloc(1), "free"); /* which sees to forks */
    pm_lock(&pm_visit_lock);
    ck_assert_uint_eq(begin(), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_again, NULL), 0);
    ck_assert_int_eq(pthread_detach(thread), 0); /* the child cannot join it */
    unit_give_up_after(60);
    while (!pm_visit_is_waited_for())
        unit_sleep_ms(1);
    pm_visit_end();
    pm_unlock(&pm_visit_lock);
    unit_child_passes(check_forgotten, NULL);
    while (!atomic_load(&has_waited))
        unit_sleep_ms(1);
    alarm(0);
}
END_TEST

static atomic_bool is_inside, may_go_on;

/* An arena allocator that allocates: under its own lock. */
static void *allocate_arena(void *unused, size_t size)
{
    (void)unused;
    if (!atomic_exchange(&is_inside, true)) {
        while (!atomic_load(&may_go_on))
            unit_sleep_ms(1);
        pm_pool_set_current(pool);
    }
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static void free_arena(void *unused, void *start, size_t size)
{
    (void)unused;
    munmap(start, size);
}

static void *need_an_arena(void *unused)
{
    (void)unused;
    struct pm_provider provider = {NULL, allocate_arena, free_arena};
    pm_provider_set(&provider);
    UNIT_CHECK(pm_alloc(8 << 20) != NULL);
    return NULL;
}

static void exit_at_once(void *unused)
{
    (void)unused;
}

static void *fork_now(void *unused)
{
    (void)unused;
    unit_child_passes(exit_at_once, NULL);
    return NULL;
}

/* Whose lock is taken before that of visits, then. */
START_TEST(an_arena_allocator_waits_while_another_thread_forks)
{
    pthread_t owner_thread, forking;
    pm_free(pm_alloc(1), "free");
    give_some(0, on_a_page());
    unit_give_up_after(60);
    ck_assert_int_eq(pthread_create(&owner_thread, NULL, need_an_arena, NULL), 0);
    while (!atomic_load(&is_inside))
        unit_sleep_ms(1);
    pm_lock(&pm_visit_lock);
    ck_assert_uint_eq(begin(), 1);
    ck_assert_int_eq(pthread_create(&forking, NULL, fork_now, NULL), 0);
    unit_sleep_ms(SLEEP_MS); /* so that it waits for one lock or the other */
    atomic_store(&may_go_on, true);
    unit_sleep_ms(SLEEP_MS);
    pm_visit_end();
    pm_unlock(&pm_visit_lock);
    ck_assert_int_eq(pthread_join(owner_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(forking, NULL), 0);
    alarm(0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, free_pages_go_and_the_owner_takes_what_it_likes);
    tcase_add_test(tests, a_page_with_a_live_block_stays);
    tcase_add_loop_test(tests, live_blocks_of_every_class_keep_what_they_hold, 0, PM_CLASS_COUNT);
    tcase_add_test(tests, what_was_found_before_is_left_alone);
    tcase_add_test(tests, a_pool_that_goes_counts_its_pages_again);
    tcase_add_test(tests, a_pool_that_floats_begins_anew);
    tcase_add_test(tests, what_the_system_refuses_stays_in_use);
    tcase_add_test(tests, an_arena_allocator_waits_while_another_thread_forks);
    tcase_add_loop_test(tests, only_pools_at_rest_are_visited, 0, UNIT_COUNT_OF(not_at_rest));
    tcase_add_test(tests, without_a_barrier_nothing_is_visited);
    tcase_add_test(tests, the_owner_frees_meanwhile);
    tcase_add_test(tests, what_goes_of_many_pools_goes_together);
    tcase_add_test(tests, the_owner_waits_before_it_takes_a_block);
    tcase_add_test(tests, nobody_waits_in_a_new_child);
}

/* A pool is to have several pages. */
int main(void)
{
    if (!pm_os_barrier() || pm_os_page_size() > 4096)
        return UNIT_SKIPPED;
    return unit_run("visit", add);
}
