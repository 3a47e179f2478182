/*
 * test_background.c - the thread that gives memory back while the program sleeps: when it
 * begins, what it does, and that nothing else depends on it.
 */
#include "pools.h"

#include "arena/ownermap.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/background.h"
#include "heap/census.h"
#include "heap/remote.h"
#include "heap/thread.h"

enum { SIZE = 200, BLOCKS = 20000, KEPT_EACH = 500 };

/* The linker sends the library's call here. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *argument);

static int begun;
static bool refuse, hears_signals;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *argument)
{
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    hears_signals = sigismember(&blocked, SIGUSR1) == 0;
    begun++;
    errno = ENOMEM; /* as it may */
    return refuse ? EAGAIN : __real_pthread_create(thread, attributes, body, argument);
}

static void *blocks[BLOCKS];

static void setup(void)
{
    unit_os_install();
    pm_purge_set_decay(20);
}

static void want(void)
{
    atomic_store(&pm_background_wanted, true);
}

static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = pm_alloc(SIZE);
        UNIT_CHECK(blocks[i] != NULL);
        unit_fill(blocks[i], SIZE, (unsigned)i);
    }
}

static void thin_out(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % KEPT_EACH != 0)
            pm_free(blocks[i], "free");
    }
}

static void check_kept(void)
{
    for (size_t i = 0; i < BLOCKS; i += KEPT_EACH)
        UNIT_CHECK(unit_intact(blocks[i], SIZE, (unsigned)i));
}

/* Without a call of ours, pages go; waits for `bytes` for as long as it takes. */
static void wait_for(size_t bytes)
{
    unit_give_up_after(60);
    while (pm_purge_total() < bytes)
        unit_sleep_ms(5);
    alarm(0);
}

START_TEST(without_the_option_there_is_no_thread)
{
    fill();
    thin_out();
    pm_heap_tick(pm_tls_heap, 10000);
    ck_assert_int_eq(begun, 0);
}
END_TEST

static void come_and_go(void)
{
    want();
    fill();
    thin_out();
    pm_heap_tick(pm_tls_heap, pm_os_clock_ms());
}

START_TEST(an_idle_process_becomes_small)
{
    come_and_go();
    ck_assert_int_eq(begun, 1);
    ck_assert(!hears_signals);
    wait_for((size_t)BLOCKS * SIZE / 2);
    check_kept();
    pm_heap_check(pm_tls_heap);
}
END_TEST

/* The thread gives back what is inside them where they are. */
START_TEST(heaps_keep_their_pools)
{
    want();
    fill();
    thin_out();
    struct pm_pool *pool = pm_pool_of_span(pm_ownermap_get(blocks[BLOCKS - KEPT_EACH]));
    ck_assert(pm_pool_is_owned_by(pool, pm_tls_heap));
    wait_for((size_t)BLOCKS * SIZE / 2);
    ck_assert(pm_pool_is_owned_by(pool, pm_tls_heap));
    check_kept();
    fill();
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void use_in_child(void *unused)
{
    (void)unused;
    size_t before = pm_purge_total();
    pm_heap_tick(pm_tls_heap, pm_os_clock_ms());
    UNIT_CHECK(begun == 2);
    fill();
    thin_out();
    wait_for(before + (size_t)BLOCKS * SIZE / 2);
    check_kept();
}

START_TEST(a_child_begins_its_own)
{
    come_and_go();
    unit_child_passes(use_in_child, NULL);
    ck_assert_int_eq(begun, 1);
}
END_TEST

static struct pm_pool *in_its_hands;

static void check_inherited(void *unused)
{
    (void)unused;
    UNIT_CHECK((atomic_load(&in_its_hands->remote) & PM_REMOTE_OWNED) == 0);
    thin_out();
    for (size_t i = 0; i < BLOCKS; i += KEPT_EACH)
        pm_free(blocks[i], "free");
    unit_collect(pm_tls_heap);
    struct pm_census census;
    pm_census_take(&census);
    UNIT_CHECK(census.live_blocks == 0);
    UNIT_CHECK(census.pools == 0);
}

/* The thread has no heap, yet may have claimed a pool when the process forks. */
START_TEST(a_child_gets_what_the_thread_had_claimed)
{
    pm_purge_set_decay(100000); /* so that the thread sleeps */
    want();
    fill();
    pm_heap_tick(pm_tls_heap, pm_os_clock_ms());
    ck_assert_int_eq(begun, 1);
    pm_free(blocks[BLOCKS / 2], "free");
    blocks[BLOCKS / 2] = NULL;
    pm_remote_flush(pm_tls_heap);
    in_its_hands = pm_pool_of_span(pm_ownermap_get(blocks[BLOCKS / 4]));
    ck_assert_int_eq(in_its_hands->state, PM_POOL_FLOATING);
    atomic_fetch_or(&in_its_hands->remote, PM_REMOTE_OWNED);
    unit_child_passes(check_inherited, NULL);
}
END_TEST

static pthread_key_t key;

/* In the second round the thread has ended as far as we are concerned. */
static void allocate_late(void *value)
{
    static int round;
    if (round++ == 0) {
        pthread_setspecific(key, value);
        return;
    }
    for (size_t size = 1; size < 40000; size += 10)
        UNIT_CHECK(pm_alloc(size % 3000) != NULL);
}

static void *end_late(void *value)
{
    pm_free(pm_alloc(1), "free");
    pthread_setspecific(key, value);
    return NULL;
}

/* To start a thread there means to allocate under a lock that is held. */
START_TEST(an_ended_thread_starts_none)
{
    pm_purge_set_decay(1);
    want();
    ck_assert_int_eq(pthread_key_create(&key, allocate_late), 0);
    pthread_t thread;
    ck_assert_int_eq(__real_pthread_create(&thread, NULL, end_late, &key), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(begun, 0);
}
END_TEST

START_TEST(a_thread_that_is_refused_is_done_without)
{
    refuse = true;
    errno = 0;
    come_and_go();
    ck_assert_int_eq(errno, 0); /* free() leads here */
    ck_assert_int_eq(begun, 1);
    ck_assert(!pm_background_is_wanted());
    pm_purge_tick(pm_os_clock_ms() + 10000);
    pm_heap_tick(pm_tls_heap, pm_os_clock_ms() + 10000);
    ck_assert_int_eq(begun, 1);
    ck_assert_uint_ge(pm_purge_total(), (size_t)BLOCKS * SIZE / 2);
    check_kept();
}
END_TEST

START_TEST(a_negative_decay_needs_no_thread)
{
    pm_purge_set_decay(-1);
    come_and_go();
    ck_assert_int_eq(begun, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, without_the_option_there_is_no_thread);
    tcase_add_test(tests, an_idle_process_becomes_small);
    tcase_add_test(tests, heaps_keep_their_pools);
    tcase_add_test(tests, a_child_begins_its_own);
    tcase_add_test(tests, a_child_gets_what_the_thread_had_claimed);
    tcase_add_test(tests, an_ended_thread_starts_none);
    tcase_add_test(tests, a_thread_that_is_refused_is_done_without);
    tcase_add_test(tests, a_negative_decay_needs_no_thread);
}

/* Without such barriers it purges what floats only. */
int main(void)
{
    if (!pm_os_barrier())
        return UNIT_SKIPPED;
    return unit_run("background", add);
}
