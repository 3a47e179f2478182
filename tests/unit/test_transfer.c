/*
 * test_transfer.c - large blocks go from threads that free them to threads that take them.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/spare.h"
#include "heap/transfer.h"
#include "os/alone.h"

enum { BLOCKS = 64, BLOCK = 40000, LENGTH = 3 };

static char *blocks[BLOCKS];

static void setup(void)
{
    pm_purge_set_decay(-1); /* no tick, whatever the time is */
}

static void *free_all(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        pm_free(blocks[i], "free");
        UNIT_CHECK(pm_check_heap());
    }
    return unused;
}

/* Of what this thread has taken another one has freed all, and ended.  (What is spare is to be
 * a small part of all, and to make no record.) */
static void hand_on(void)
{
    unit_filled(16 * PM_MIB);
    pm_free(unit_filled(8 * PM_MIB), "free");
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = unit_filled(BLOCK);
    unit_in_thread(free_all, NULL);
    ck_assert(!pm_transfer_is_empty());
}

static bool was_handed_on(const char *block)
{
    size_t at = 0;
    while (at < BLOCKS && blocks[at] != block)
        at++;
    return at < BLOCKS;
}

START_TEST(what_one_thread_frees_another_takes)
{
    hand_on();
    size_t taken = pm_arena_totals().taken, count = 0;
    while (!pm_transfer_is_empty()) {
        char *block = unit_filled(BLOCK);
        ck_assert(was_handed_on(block));
        ck_assert(pm_check_heap());
        count++;
    }
    ck_assert_uint_ge(count, BLOCKS / 2);
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
}
END_TEST

START_TEST(a_block_may_be_longer_by_a_quarter)
{
    hand_on();
    struct pm_spare_lists got = {.slices = 0};
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH - 1, 1), 0);
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH + 1, 1), 0);
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH, 3), 3);
    ck_assert_uint_eq(got.slices, 3 * LENGTH);
    pm_spare_lists_check(&got);
    pm_transfer_check();
    pm_transfer_put(&got, 1u << (LENGTH - 1)); /* there are none */
    ck_assert_uint_eq(got.slices, 3 * LENGTH);
    pm_transfer_put(&got, UINT32_MAX);
    ck_assert_uint_eq(got.slices, 0);
    pm_transfer_check();
}
END_TEST

START_TEST(it_has_a_share_of_what_is_used)
{
    unit_filled(16 * PM_MIB);
    ck_assert(pm_alone());
    ck_assert(!pm_transfer_has_room(1)); /* no other thread */
    hand_on();
    ck_assert(!pm_alone());
    size_t share = pm_spare_share();
    ck_assert_uint_gt(share, LENGTH);
    pm_transfer_flush();
    share = pm_spare_share();
    ck_assert(pm_transfer_has_room(share));
    ck_assert(!pm_transfer_has_room(share + 1));
}
END_TEST

START_TEST(what_is_too_much_is_given_back)
{
    static char *many[400];
    hand_on();
    for (size_t i = 0; i < UNIT_COUNT_OF(many); i++)
        many[i] = unit_filled(BLOCK);
    size_t taken = pm_arena_totals().taken, share = pm_spare_share() * PM_SLICE;
    for (size_t at = 0; at + BLOCKS <= UNIT_COUNT_OF(many); at += BLOCKS) {
        memcpy(blocks, &many[at], sizeof blocks);
        unit_in_thread(free_all, NULL);
    }
    size_t freed = UNIT_COUNT_OF(many) / BLOCKS * BLOCKS * LENGTH * PM_SLICE;
    ck_assert_uint_le(pm_arena_totals().taken, taken - freed + share);
    ck_assert(pm_check_heap());
}
END_TEST

enum { MORE = 20 }; /* slices */

/* Whatever is used from now on is a record, though there is no want of places. */
static void make_record(void)
{
    static struct pm_span span;
    ck_assert(pm_spans_take_dedicated(&span, PM_DEDICATED_MIN, PM_SLICE, false));
    ck_assert_uint_eq(pm_arena_used(), pm_arena_peak_used());
    ck_assert_uint_ge(pm_arena_dirty(), 4 * MORE * PM_SLICE);
    ck_assert(!pm_transfer_is_empty());
}

START_TEST(they_go_before_a_record)
{
    hand_on();
    make_record();
    pm_alloc(MORE * PM_SLICE);
    ck_assert(pm_transfer_is_empty());
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(they_go_before_fresh_memory)
{
    hand_on();
    pm_alloc(PM_DEDICATED_MIN);
    ck_assert(pm_transfer_is_empty());
}
END_TEST

START_TEST(they_go_before_a_pool_that_makes_one)
{
    hand_on();
    make_record();
    pm_alloc(3000);
    ck_assert(pm_transfer_is_empty());
}
END_TEST

START_TEST(they_go_with_what_is_idle)
{
    hand_on();
    size_t taken = pm_arena_totals().taken;
    pm_heap_gather(pm_tls_heap);
    ck_assert(pm_transfer_is_empty());
    ck_assert_uint_lt(pm_arena_totals().taken, taken);
    ck_assert(pm_check_heap());
}
END_TEST

static void use_them(void *unused)
{
    (void)unused;
    UNIT_CHECK(!pm_transfer_is_empty());
    UNIT_CHECK(pm_check_heap());
    UNIT_CHECK(was_handed_on(pm_alloc(BLOCK)));
    pm_transfer_flush();
    UNIT_CHECK(pm_transfer_is_empty());
    UNIT_CHECK(pm_check_heap());
}

START_TEST(the_child_of_a_fork_has_them)
{
    hand_on();
    unit_child_passes(use_them, NULL);
    use_them(NULL);
}
END_TEST

static void free_twice(void *unused)
{
    hand_on();
    pm_free(blocks[0], "free");
    (void)unused;
}

START_TEST(what_is_under_way_is_free)
{
    char text[400];
    int status = unit_child(free_twice, NULL, text, sizeof text);
    ck_assert_msg(strstr(text, "free") != NULL, "%s", text);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

/* Several threads take blocks and free those of others, all at the same time. */
enum { THREADS = 4, SHARED = 64, ROUNDS = 3000 };

static _Atomic(char *) shared[SHARED];
static atomic_int started;

static size_t size_of_shared(size_t at)
{
    return 33000 + at % 7 * PM_SLICE;
}

static void *exchange(void *seed)
{
    uint64_t state = *(uint64_t *)seed;
    atomic_fetch_add(&started, 1);
    while (atomic_load(&started) < THREADS)
        sched_yield();
    for (int i = 0; i < ROUNDS; i++) {
        size_t at = unit_random(&state) % SHARED, size = size_of_shared(at);
        char *mine = pm_alloc(size);
        UNIT_CHECK(mine != NULL);
        unit_fill(mine, size, (unsigned)at);
        char *other = atomic_exchange(&shared[at], mine);
        UNIT_CHECK(other == NULL || unit_intact(other, size, (unsigned)at));
        pm_free(other, "free");
        if (unit_random(&state) % 512 == 0)
            pm_heap_gather(pm_tls_heap);
    }
    UNIT_CHECK(pm_check_heap());
    return NULL;
}

START_TEST(threads_exchange_blocks)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS], state = unit_seed();
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = unit_random(&state) | 1;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, exchange, &seeds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < SHARED; i++)
        pm_free(atomic_load(&shared[i]), "free");
    unit_collect(pm_tls_heap);
    ck_assert(pm_transfer_is_empty());
    ck_assert_uint_eq(pm_arena_totals().taken, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, what_one_thread_frees_another_takes);
    tcase_add_test(tests, a_block_may_be_longer_by_a_quarter);
    tcase_add_test(tests, it_has_a_share_of_what_is_used);
    tcase_add_test(tests, what_is_too_much_is_given_back);
    tcase_add_test(tests, they_go_before_a_record);
    tcase_add_test(tests, they_go_before_fresh_memory);
    tcase_add_test(tests, they_go_before_a_pool_that_makes_one);
    tcase_add_test(tests, they_go_with_what_is_idle);
    tcase_add_test(tests, the_child_of_a_fork_has_them);
    tcase_add_test(tests, what_is_under_way_is_free);
    tcase_add_test(tests, threads_exchange_blocks);
}

int main(void)
{
    return unit_run("transfer", add);
}
