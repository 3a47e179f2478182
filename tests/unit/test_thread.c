/*
 * test_thread.c - a heap for each thread, from its first allocation, whenever
 * that is, to its end, after which nothing is left behind.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/meta.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "heap/thread.h"

/* The linker sends the library's call here; a test may hold the first one up. */
int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));

static atomic_bool hold_up, held;

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    if (atomic_exchange(&hold_up, false)) {
        atomic_store(&held, true);
        unit_sleep_ms(200);
    }
    return __real_pthread_key_create(key, destructor);
}

static size_t pools(void)
{
    struct pm_census census;
    pm_census_take(&census);
    return census.pools;
}

static void *use(void *unused)
{
    void *blocks[300];
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++) {
        blocks[i] = i % 2 == 0 ? pm_alloc(i * 30) : pm_alloc_own(i * 30);
        UNIT_CHECK(blocks[i] != NULL);
        unit_fill(blocks[i], i * 30, (unsigned)i);
    }
    pm_heap_check(pm_tls_heap);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++) {
        UNIT_CHECK(unit_intact(blocks[i], i * 30, (unsigned)i));
        pm_free(blocks[i], "free");
    }
    return unused;
}

static void check_own_heap(void *unused)
{
    (void)unused;
    pm_heap_check(pm_tls_heap);
}

static void *leave_heap(void *where)
{
    pm_free(pm_alloc_own(1), "free");
    UNIT_CHECK(pm_tls_heap->tls_direct == pm_tls_direct);
    *(struct pm_heap **)where = pm_tls_heap;
    return NULL;
}

START_TEST(a_thread_has_a_heap_from_its_first_block_on)
{
    ck_assert(!pm_thread_has_heap(pm_tls_heap));
    void *block = pm_alloc(1);
    ck_assert(pm_thread_has_heap(pm_tls_heap));
    ck_assert_uint_eq(pm_registry_count(), 1);
    unit_in_thread(use, NULL);
    ck_assert_uint_eq(pm_registry_count(), 1);
    pm_free(block, "free");
}
END_TEST

/* In its own storage it finds the pools that its heap serves from, and none once it has ended. */
START_TEST(a_thread_finds_what_its_heap_serves)
{
    enum { SIZE = 200 };
    size_t entry = pm_direct_index(SIZE);
    ck_assert_ptr_eq(pm_tls_direct[entry], &pm_pool_none);
    void *block = pm_alloc_own(SIZE);
    ck_assert_ptr_eq(pm_tls_direct[entry], unit_pool_of(block));
    ck_assert_ptr_eq(pm_tls_direct[entry], pm_heap_direct(pm_tls_heap, SIZE));
    pm_heap_check(pm_tls_heap);
    pm_tls_direct[entry] = &pm_pool_none;
    unit_child_aborts_with(check_own_heap, NULL, "a thread finds the same in direct[]");
    pm_tls_direct[entry] = unit_pool_of(block);
    pm_free(block, "free");
}
END_TEST

/* Another has begun its life with what the first has left. */
START_TEST(a_heap_serves_its_next_thread)
{
    struct pm_heap *heap = NULL;
    unit_in_thread(leave_heap, &heap);
    ck_assert_ptr_null(heap->tls_direct);
    struct pm_heap *next = NULL;
    unit_in_thread(leave_heap, &next);
    ck_assert_ptr_eq(next, heap);
}
END_TEST

START_TEST(a_large_block_needs_no_heap)
{
    void *block = pm_alloc(PM_MIB);
    ck_assert_ptr_nonnull(block);
    pm_free(block, "free");
    ck_assert(!pm_thread_has_heap(pm_tls_heap));
}
END_TEST

START_TEST(many_short_threads_leave_nothing)
{
    enum { THREADS = 2000, WARM = 20 };
    size_t metadata = 0, mapped = 0;
    for (int i = 0; i < THREADS; i++) {
        unit_in_thread(use, NULL);
        if (i == WARM) {
            metadata = pm_meta_mapped();
            mapped = pm_arena_totals().mapped;
        }
    }
    ck_assert_uint_eq(pm_meta_mapped(), metadata);
    ck_assert_uint_eq(pm_arena_totals().mapped, mapped);
    ck_assert_uint_eq(pm_arena_totals().taken, 0);
    ck_assert_uint_eq(pools(), 0);
}
END_TEST

enum { LEFT = 50 }; /* not more than a pool has */

static void *leave(void *argument)
{
    void **blocks = argument;
    for (size_t i = 0; i < LEFT; i++) {
        blocks[i] = pm_alloc(200);
        unit_fill(blocks[i], 200, (unsigned)i);
    }
    return NULL;
}

START_TEST(blocks_outlive_their_thread)
{
    void *blocks[LEFT];
    unit_in_thread(leave, blocks);
    ck_assert_uint_eq(pools(), 1);
    for (size_t i = 0; i < LEFT; i++)
        ck_assert(unit_intact(blocks[i], 200, (unsigned)i));
    void *adopted = pm_alloc(200); /* from what the thread left */
    ck_assert_uint_eq(pools(), 1);
    for (size_t i = 0; i < LEFT; i++)
        pm_free(blocks[i], "free");
    pm_free(adopted, "free");
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(pools(), 0);
}
END_TEST

/* ThreadSanitizer takes a thread's own data away before the last round of destructors. */
#ifdef __SANITIZE_THREAD__
enum { LATE_ROUNDS = false };
#else
enum { LATE_ROUNDS = true };
#endif

/* A destructor of the program's own that allocates in its `round`th call. */
static pthread_key_t key;
static int rounds, wanted_round;
static void *kept;

static void destructor(void *value)
{
    pm_free(kept, "free");
    kept = NULL;
    if (++rounds >= wanted_round) {
        kept = pm_alloc(500);
        UNIT_CHECK(kept != NULL);
        pm_free(pm_alloc_own(40), "free");
        kept = pm_realloc(kept, 700, "realloc");
    }
    if (rounds < 4)
        pthread_setspecific(key, value);
}

static void *set_key(void *allocate_first)
{
    if (allocate_first != NULL)
        kept = pm_alloc(500);
    pthread_setspecific(key, &key);
    return NULL;
}

static void end_with_destructor(void *argument)
{
    pthread_key_create(&key, destructor);
    for (wanted_round = 1; wanted_round <= 4; wanted_round++) {
        rounds = 0;
        unit_in_thread(set_key, argument);
        pm_free(kept, "free");
        kept = NULL;
        unit_collect(pm_tls_heap); /* it waits in a batch */
        /* Besides ours the heap that ended threads share may remain, with its current pools. */
        UNIT_CHECK(pm_registry_count() <= 2);
        UNIT_CHECK(pools() <= 3);
    }
}

START_TEST(destructors_may_allocate_in_every_round)
{
    unit_child_passes(end_with_destructor, &key);
}
END_TEST

START_TEST(destructors_may_allocate_first_of_all)
{
    unit_child_passes(end_with_destructor, NULL);
}
END_TEST

static void *begin_slowly(void *unused)
{
    atomic_store(&hold_up, true);
    pm_free(pm_alloc(1), "free");
    return unused;
}

/* The second thread begins while the first is still setting up; both end. */
START_TEST(threads_that_begin_together_all_end)
{
    pthread_t first;
    ck_assert_int_eq(pthread_create(&first, NULL, begin_slowly, NULL), 0);
    while (!atomic_load(&held))
        unit_sleep_ms(1);
    unit_in_thread(use, NULL);
    ck_assert_int_eq(pthread_join(first, NULL), 0);
    ck_assert_uint_eq(pm_registry_count(), 0);
    ck_assert_uint_eq(pools(), 0);
}
END_TEST

static void *fail_to_begin(void *unused)
{
    errno = 0;
    UNIT_CHECK(pm_alloc(1) == NULL && errno == ENOMEM);
    UNIT_CHECK(!pm_thread_has_heap(pm_tls_heap));
    return unused;
}

START_TEST(no_memory_no_heap)
{
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    unit_in_thread(fail_to_begin, NULL);
    ck_assert_uint_eq(pm_registry_count(), 0);
    unit_os_heal();
    unit_in_thread(use, NULL);
    ck_assert_uint_eq(pm_registry_count(), 0);
}
END_TEST

START_TEST(ended_threads_share_one_heap)
{
    struct pm_heap *heap = pm_thread_lock_late_heap();
    ck_assert_ptr_nonnull(heap);
    pm_thread_unlock_late_heap();
    ck_assert_ptr_eq(pm_thread_lock_late_heap(), heap);
    pm_thread_unlock_late_heap();
    pm_thread_forget_late_heap();
    ck_assert_ptr_ne(pm_thread_lock_late_heap(), heap);
    pm_thread_unlock_late_heap();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_thread_has_a_heap_from_its_first_block_on);
    tcase_add_test(tests, a_thread_finds_what_its_heap_serves);
    tcase_add_test(tests, a_heap_serves_its_next_thread);
    tcase_add_test(tests, a_large_block_needs_no_heap);
    tcase_add_test(tests, many_short_threads_leave_nothing);
    tcase_add_test(tests, blocks_outlive_their_thread);
    if (LATE_ROUNDS) {
        tcase_add_test(tests, destructors_may_allocate_in_every_round);
        tcase_add_test(tests, destructors_may_allocate_first_of_all);
    }
    tcase_add_test(tests, threads_that_begin_together_all_end);
    tcase_add_test(tests, no_memory_no_heap);
    tcase_add_test(tests, ended_threads_share_one_heap);
}

int main(void)
{
    return unit_run("thread", add);
}
