/*
 * test_sleeping.c - which heaps are visited, when, and that their threads go on as if nothing had
 * been.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/sleeping.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/tls.h"

enum { SIZE = 200, BLOCKS = 2000, KEPT_EACH = 100, DECAY = 1000 };

static void *blocks[BLOCKS];
static struct pm_heap *sleeper; /* the other thread's heap */

static pthread_t thread;
static pthread_barrier_t turn;

/* The time is the test's. */
static uint64_t now;

static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i] != NULL)
            continue;
        blocks[i] = pm_alloc(SIZE);
        UNIT_CHECK(blocks[i] != NULL);
        unit_fill(blocks[i], SIZE, (unsigned)i);
    }
}

static void thin_out(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % KEPT_EACH == 0)
            continue;
        UNIT_CHECK(unit_intact(blocks[i], SIZE, (unsigned)i));
        pm_free(blocks[i], "free");
        blocks[i] = NULL;
    }
}

static void check_blocks(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        UNIT_CHECK(blocks[i] == NULL || unit_intact(blocks[i], SIZE, (unsigned)i));
}

static void wait_turn(void)
{
    pthread_barrier_wait(&turn);
}

/* Allocates, and frees what the test wants; sleeps; goes on. */
static void *work(void *frees)
{
    fill();
    if (frees != NULL)
        thin_out();
    sleeper = pm_tls_heap;
    pm_heap_set_look_ms(sleeper, now);
    wait_turn();
    wait_turn();
    check_blocks();
    fill();
    thin_out();
    check_blocks();
    pm_heap_check(pm_tls_heap);
    return NULL;
}

static void begin(bool frees)
{
    ck_assert_int_eq(pthread_barrier_init(&turn, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, work, frees ? &turn : NULL), 0);
    wait_turn();
}

static void end(void)
{
    wait_turn();
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    check_blocks();
    pm_check_heap();
}

static void setup(void)
{
    unit_os_install();
    pm_purge_suspend(true); /* nothing but what is tested */
    pm_free(pm_alloc(1), "free");
    now = 100000;
}

/* All that is due now. */
static size_t purge(void)
{
    return pm_sleeping_purge(now, DECAY, true);
}

START_TEST(what_a_sleeping_thread_has_freed_goes)
{
    begin(true);
    now += 2 * DECAY;
    size_t before = pm_purge_total(), bytes = purge();
    ck_assert_uint_gt(bytes, (size_t)BLOCKS * SIZE / 4);
    ck_assert_uint_eq(pm_purge_total(), before + bytes);
    check_blocks();
    end();
}
END_TEST

static void *take_and_give_buffers(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++) {
        void *buffer = pm_alloc(50000);
        UNIT_CHECK(buffer != NULL);
        pm_free(buffer, "free");
    }
    sleeper = pm_tls_heap;
    UNIT_CHECK(sleeper->spare.slices != 0);
    pm_heap_set_look_ms(sleeper, now);
    wait_turn();
    wait_turn();
    UNIT_CHECK(sleeper->spare.slices == 0);
    pm_free(pm_alloc(50000), "free");
    pm_heap_check(pm_tls_heap);
    return NULL;
}

START_TEST(the_spare_blocks_of_a_sleeping_thread_go)
{
    ck_assert_int_eq(pthread_barrier_init(&turn, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_and_give_buffers, NULL), 0);
    wait_turn();
    now += 2 * DECAY;
    purge();
    ck_assert_uint_eq(sleeper->spare.slices, 0);
    end();
}
END_TEST

START_TEST(blocks_handed_on_go_while_somebody_sleeps)
{
    begin(true);
    pm_free(unit_filled(50000), "free");
    pm_transfer_put(&pm_tls_heap->spare, UINT32_MAX);
    ck_assert(!pm_transfer_is_empty());
    now += 2 * DECAY;
    purge();
    ck_assert(pm_transfer_is_empty());
    end();
}
END_TEST

START_TEST(who_is_awake_is_left_alone)
{
    begin(true);
    now += 2 * DECAY - 1;
    ck_assert_uint_eq(purge(), 0);
    end();
}
END_TEST

START_TEST(who_wakes_up_meanwhile_is_left_alone)
{
    begin(true);
    now += 2 * DECAY;
    pm_heap_set_look_ms(sleeper, now);
    ck_assert_uint_eq(purge(), 0);
    end();
}
END_TEST

START_TEST(what_others_free_goes_when_it_has_slept_twice_as_long)
{
    begin(false);
    now += 2 * DECAY;
    ck_assert_uint_eq(purge(), 0);
    thin_out();
    pm_heap_gather(pm_tls_heap); /* sends it */
    now += DECAY;
    ck_assert_uint_eq(purge(), 0);
    now += DECAY;
    ck_assert_uint_gt(purge(), (size_t)BLOCKS * SIZE / 4);
    end();
}
END_TEST

START_TEST(each_step_takes_a_share)
{
    begin(true);
    now += 2 * DECAY;
    size_t all = 0, step = pm_sleeping_purge(now, DECAY, false), steps = 0;
    ck_assert_uint_eq(pm_sleeping_purge(now, DECAY, false), 0); /* not twice at the same time */
    for (; steps < 100; steps++) {
        all += step;
        now += DECAY / 50;
        step = pm_sleeping_purge(now, DECAY, false);
    }
    ck_assert_uint_gt(all, (size_t)BLOCKS * SIZE / 4);
    ck_assert_uint_eq(step, 0);
    end();
}
END_TEST

START_TEST(a_process_with_one_thread_visits_nobody)
{
    fill();
    thin_out();
    pm_heap_set_look_ms(pm_tls_heap, now);
    now += 10 * DECAY;
    ck_assert_uint_eq(purge(), 0);
}
END_TEST

static void go_on_in_child(void *unused)
{
    (void)unused;
    check_blocks();
    fill();
    thin_out();
    check_blocks();
    UNIT_CHECK(pm_check_heap());
}

START_TEST(a_child_goes_on_with_what_was_visited)
{
    begin(true);
    now += 2 * DECAY;
    ck_assert_uint_gt(purge(), 0);
    unit_child_passes(go_on_in_child, NULL);
    end();
}
END_TEST

enum { SLEEPERS = 2, BUFFERS = 75, BUFFER = 40000, BUFFER_SLICES = 3, GIVEN = 16 * 8 };

static void *keep_many_spares(void *unused)
{
    void *buffers[BUFFERS];
    pm_free(pm_alloc(1), "free"); /* there is a heap */
    for (size_t i = 0; i < BUFFERS; i++)
        buffers[i] = pm_alloc(BUFFER);
    pm_tls_heap->spare_missed = 4 * BUFFERS; /* as if so many had been sought in vain */
    for (size_t i = 0; i < BUFFERS; i++)
        pm_free(buffers[i], "free");
    UNIT_CHECK(pm_tls_heap->spare.slices >= BUFFERS * BUFFER_SLICES);
    pm_heap_set_look_ms(pm_tls_heap, now);
    wait_turn();
    wait_turn();
    return unused;
}

static size_t taken_before;

static void check_given(void *unused)
{
    (void)unused;
    size_t left = (SLEEPERS * BUFFERS - GIVEN) * BUFFER_SLICES * PM_SLICE;
    UNIT_CHECK(pm_arena_totals().taken + left <= taken_before);
    UNIT_CHECK(pm_check_heap());
}

/* A visitor has taken more than it gives back at a time. */
START_TEST(a_child_gives_back_what_was_about_to_go)
{
    pthread_t threads[SLEEPERS];
    ck_assert_ptr_nonnull(pm_alloc(64 << 20)); /* they are to be a small part of it */
    pm_free(unit_filled(20 << 20), "free");
    ck_assert_int_eq(pthread_barrier_init(&turn, NULL, SLEEPERS + 1), 0);
    for (size_t i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_many_spares, NULL), 0);
    wait_turn();
    now += 2 * DECAY;
    pm_sleeping_purge(now, DECAY, false);
    taken_before = pm_arena_totals().taken;
    unit_child_passes(check_given, NULL);
    ck_assert_uint_eq(pm_arena_totals().taken, taken_before);
    now += DECAY;
    pm_sleeping_purge(now, DECAY, false); /* the rest */
    ck_assert_uint_lt(pm_arena_totals().taken, taken_before);
    wait_turn();
    for (size_t i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert(pm_check_heap());
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, what_a_sleeping_thread_has_freed_goes);
    tcase_add_test(tests, the_spare_blocks_of_a_sleeping_thread_go);
    tcase_add_test(tests, blocks_handed_on_go_while_somebody_sleeps);
    tcase_add_test(tests, who_is_awake_is_left_alone);
    tcase_add_test(tests, who_wakes_up_meanwhile_is_left_alone);
    tcase_add_test(tests, what_others_free_goes_when_it_has_slept_twice_as_long);
    tcase_add_test(tests, each_step_takes_a_share);
    tcase_add_test(tests, a_process_with_one_thread_visits_nobody);
    tcase_add_test(tests, a_child_goes_on_with_what_was_visited);
    tcase_add_test(tests, a_child_gives_back_what_was_about_to_go);
}

int main(void)
{
    if (!pm_os_barrier())
        return UNIT_SKIPPED;
    return unit_run("sleeping", add);
}
