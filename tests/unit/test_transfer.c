/*
 * test_transfer.c - large blocks go from threads that free them to threads that take them.
 */
#include "pools.h"
#include "spans.h"

#include "arena/purge.h"
#include "heap/misuse.h"
#include "heap/registry.h"
#include "heap/spare.h"
#include "heap/thread.h"
#include "heap/transfer.h"
#include "os/tls.h"

enum { BLOCKS = 64, BLOCK = 40000, LENGTH = 3 };

static char *blocks[BLOCKS];

static void setup(void)
{
    pm_purge_set_decay(-1); /* no tick, whatever the time is */
    pm_free(pm_alloc(100), "free");
}

/* Of a heap that is not the only one.  (What is spare is to be a small part of all, and to make no
 * record.) */
static void have_company(void)
{
    static char thread;
    ck_assert_ptr_nonnull(pm_registry_obtain(&thread));
    unit_filled(16 * PM_MIB);
    pm_free(unit_filled(8 * PM_MIB), "free");
}

static void *free_all(void *unused)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        pm_free(blocks[i], "free");
        UNIT_CHECK(pm_check_heap());
    }
    return unused;
}

/* Of what this thread has taken another one has freed all, and ended. */
static void hand_on(void)
{
    have_company();
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

enum { MANY = 200 };

static struct pm_spare_lists many;

static void make_many(void)
{
    for (size_t i = 0; i < MANY; i++)
        pm_spare_lists_push(&many, unit_spare(LENGTH));
}

START_TEST(it_has_the_share_of_a_heap)
{
    have_company();
    make_many();
    struct pm_large *one = unit_spare(LENGTH);
    size_t share = pm_spare_share();
    ck_assert_uint_lt(share, MANY * LENGTH);
    pm_transfer_put(&many, UINT32_MAX);
    ck_assert_uint_eq(MANY * LENGTH - many.slices, share / LENGTH * LENGTH);
    ck_assert(!pm_transfer_put_one(one));
    ck_assert_uint_eq(pm_transfer_take(&many, LENGTH, 1), 1);
    ck_assert(pm_transfer_put_one(one));
    pm_transfer_check();
}
END_TEST

START_TEST(it_takes_nothing_from_the_only_heap)
{
    ck_assert_uint_eq(pm_registry_count(), 1);
    unit_filled(16 * PM_MIB);
    make_many();
    pm_transfer_put(&many, UINT32_MAX);
    ck_assert(!pm_transfer_put_one(unit_spare(LENGTH)));
    ck_assert_uint_eq(many.slices, MANY * LENGTH);
    ck_assert(pm_transfer_is_empty());
}
END_TEST

START_TEST(as_much_is_given_back_as_is_asked_for)
{
    have_company();
    ck_assert(pm_transfer_put_one(unit_spare(LENGTH + 1)));
    make_many();
    pm_transfer_put(&many, UINT32_MAX);
    size_t taken = pm_arena_totals().taken;
    pm_transfer_give_back(0);
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
    pm_transfer_give_back(LENGTH + 1); /* the longest */
    ck_assert_uint_eq(pm_arena_totals().taken, taken - (LENGTH + 1) * PM_SLICE);
    pm_transfer_give_back(20 * LENGTH - 1);
    ck_assert_uint_eq(pm_arena_totals().taken, taken - (21 * LENGTH + 1) * PM_SLICE);
    ck_assert(!pm_transfer_is_empty());
    pm_transfer_give_back(SIZE_MAX);
    ck_assert(pm_transfer_is_empty());
    pm_arena_check();
}
END_TEST

enum { MIXED = 40 }; /* there is room for these */

/* Of two lengths; what has room for 8 slices and as many as were freed hands some on soon. */
static void *free_mixed(void *unused)
{
    int handed_on = 0;
    pm_free(pm_alloc(100), "free");
    for (size_t i = 0; i < MIXED; i++) {
        size_t before = pm_tls_heap->spare.slices, slices = LENGTH + i % 2;
        pm_free(blocks[i], "free");
        if (i < 8 || pm_tls_heap->spare.slices > before)
            continue;
        UNIT_CHECK(pm_tls_heap->spare.slices == slices); /* all others went */
        handed_on++;
    }
    UNIT_CHECK(handed_on > 1);
    return unused;
}

START_TEST(who_only_frees_hands_on_all)
{
    have_company();
    for (size_t i = 0; i < MIXED; i++)
        blocks[i] = unit_filled(BLOCK + i % 2 * PM_SLICE);
    unit_in_thread(free_mixed, NULL);
    struct pm_spare_lists got = {.slices = 0};
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH, 1), 1);
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH + 1, 1), 1);
}
END_TEST

START_TEST(others_those_of_a_length_that_they_have_enough_of)
{
    enum { EACH = 4 };
    char *three[EACH], *four[EACH];
    have_company();
    for (size_t i = 0; i < EACH; i++) {
        three[i] = unit_filled(LENGTH * PM_SLICE);
        four[i] = unit_filled((LENGTH + 1) * PM_SLICE);
    }
    pm_spare_flush(pm_tls_heap);
    pm_tls_heap->spare_missed = 10; /* room for 18 slices */
    pm_free(four[0], "free");
    pm_free(four[1], "free");
    for (size_t i = 0; i < EACH; i++)
        pm_free(three[i], "free");
    ck_assert_uint_eq(pm_tls_heap->spare.slices, 2 * (LENGTH + 1) + LENGTH);
    struct pm_spare_lists got = {.slices = 0};
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH, MANY), EACH - 1);
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH + 1, MANY), 0);
}
END_TEST

enum { MORE = 20 }; /* slices */

/* Whatever is used from now on is a record, though there is no want of places; returns it. */
static size_t make_record(void)
{
    static struct pm_span span;
    ck_assert(pm_spans_take_dedicated(&span, PM_DEDICATED_MIN, PM_SLICE, false));
    ck_assert_uint_eq(pm_arena_used(), pm_arena_peak_used());
    ck_assert_uint_ge(pm_arena_dirty(), 4 * MORE * PM_SLICE);
    ck_assert(!pm_transfer_is_empty());
    return pm_arena_peak_used();
}

START_TEST(as_many_go_as_make_a_record)
{
    hand_on();
    size_t peak = make_record();
    pm_alloc(MORE * PM_SLICE);
    ck_assert_uint_eq(pm_arena_peak_used(), peak);
    ck_assert(!pm_transfer_is_empty());
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

START_TEST(they_make_way_for_pools)
{
    hand_on();
    make_record();
    size_t taken = pm_arena_totals().taken;
    pm_alloc(3000);
    ck_assert_uint_le(pm_arena_totals().taken, taken);
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
    pm_transfer_give_back(SIZE_MAX);
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

static void free_again(void *block)
{
    pm_free(block, "free");
}

START_TEST(what_is_under_way_is_free)
{
    struct pm_spare_lists got = {.slices = 0};
    hand_on();
    ck_assert_uint_eq(pm_transfer_take(&got, LENGTH, 1), 1);
    void *block = (void *)got.list[LENGTH]->span.start;
    pm_transfer_put(&got, UINT32_MAX);
    ck_assert(was_handed_on(block));
    ck_assert(!pm_block_is_live(block));
    char line[200];
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", block);
    unit_child_aborts(free_again, block, line);
}
END_TEST

/* A thread that has no heap. */
static void *take_longer(void *unused)
{
    UNIT_CHECK(!pm_thread_has_heap(pm_tls_heap));
    pm_alloc((PM_SPARE_LENGTHS + 1) * PM_SLICE);
    UNIT_CHECK(!pm_thread_has_heap(pm_tls_heap));
    return unused;
}

START_TEST(they_make_way_for_threads_without_a_heap)
{
    hand_on();
    size_t peak = make_record();
    unit_in_thread(take_longer, NULL);
    ck_assert_uint_eq(pm_arena_peak_used(), peak);
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
    tcase_add_test(tests, it_has_the_share_of_a_heap);
    tcase_add_test(tests, it_takes_nothing_from_the_only_heap);
    tcase_add_test(tests, as_much_is_given_back_as_is_asked_for);
    tcase_add_test(tests, who_only_frees_hands_on_all);
    tcase_add_test(tests, others_those_of_a_length_that_they_have_enough_of);
    tcase_add_test(tests, as_many_go_as_make_a_record);
    tcase_add_test(tests, they_go_before_fresh_memory);
    tcase_add_test(tests, they_make_way_for_pools);
    tcase_add_test(tests, they_go_with_what_is_idle);
    tcase_add_test(tests, the_child_of_a_fork_has_them);
    tcase_add_test(tests, what_is_under_way_is_free);
    tcase_add_test(tests, they_make_way_for_threads_without_a_heap);
    tcase_add_test(tests, threads_exchange_blocks);
}

int main(void)
{
    return unit_run("transfer", add);
}
