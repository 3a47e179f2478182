/*
 * test_fork.c - fork() while other threads allocate: the child is whole, may
 * allocate and free at once, and leaves nothing of the other threads stranded.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "heap/alloc.h"
#include "heap/census.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "heap/thread.h"

enum { THREADS = 3, SLOTS = 64, FORKS = 60 };

static _Atomic(void *) slots[SLOTS]; /* blocks of all threads */
static atomic_bool stop;

static void *churn(void *argument)
{
    uint64_t state = *(uint64_t *)argument;
    while (!atomic_load(&stop)) {
        size_t size = unit_random(&state) % (unit_random(&state) % 16 == 0 ? 200000 : 2000);
        void *block = pm_alloc(size);
        UNIT_CHECK(block != NULL);
        block = atomic_exchange(&slots[unit_random(&state) % SLOTS], block);
        pm_free(block, "free");
    }
    return NULL;
}

static _Noreturn void live_on_as_a_child(void)
{
    unit_give_up_after(30);
    for (size_t i = 0; i < SLOTS; i++)
        pm_free(atomic_load(&slots[i]), "free");
    for (size_t size = 0; size < 40000; size += 400) {
        void *block = pm_alloc(size);
        UNIT_CHECK(block != NULL);
        unit_fill(block, size, 1);
        pm_free(block, "free");
    }
    pm_heap_check(pm_tls_heap);
    unit_collect(pm_tls_heap);
    UNIT_CHECK(pm_registry_count() == 1);
    _exit(EXIT_SUCCESS);
}

START_TEST(children_of_a_busy_process_live)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS], seed = unit_seed();
    pm_free(pm_alloc(1), "free");
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = seed + i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            live_on_as_a_child();
        unit_wait_for(child);
        pm_free(pm_alloc((size_t)i * 50), "free");
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    pm_heap_check(pm_tls_heap);
}
END_TEST

static atomic_bool ready;

/* Holds blocks of a few classes, in pools of its own, until the test ends. */
static void *hold(void *unused)
{
    for (size_t i = 0; i < SLOTS; i++)
        atomic_store(&slots[i], pm_alloc(16 + i % 4 * 100));
    atomic_store(&ready, true);
    for (;;)
        pause();
    return unused;
}

static void start_holder(void *(*body)(void *))
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, body, NULL), 0);
    while (!atomic_load(&ready))
        unit_sleep_ms(1);
}

static void child_frees_all(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < SLOTS; i++)
            pm_free(atomic_load(&slots[i]), "free");
        if (pm_thread_has_heap(pm_tls_heap))
            unit_collect(pm_tls_heap);
        UNIT_CHECK(unit_pools() == 0);
        UNIT_CHECK(pm_registry_count() == pm_thread_has_heap(pm_tls_heap));
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}

START_TEST(what_other_threads_held_can_be_freed)
{
    pm_free(pm_alloc(1), "free");
    start_holder(hold);
    child_frees_all();
}
END_TEST

/* The forking thread itself has never allocated. */
START_TEST(also_in_a_child_without_a_heap)
{
    start_holder(hold);
    child_frees_all();
}
END_TEST

enum { SIZE = 416, MANY = 4000, FREED = 5 };

static void *many[MANY]; /* blocks of this thread */
static size_t count, size = SIZE;
static size_t held; /* the first that a batch holds */

static void take_one(void)
{
    ck_assert_uint_lt(count, MANY);
    many[count] = pm_alloc(size);
    ck_assert_ptr_nonnull(many[count++]);
}

/* A full pool of this thread's. */
static struct pm_pool *full_pool(void)
{
    take_one();
    while (unit_pool_of(many[0])->state != PM_POOL_FULL)
        take_one();
    return unit_pool_of(many[0]);
}

static void let_float(struct pm_pool *pool)
{
    while (pool->state != PM_POOL_FLOATING)
        take_one();
}

static void free_from(size_t first)
{
    for (size_t i = first; i < first + FREED; i++) {
        pm_free(many[i], "free");
        many[i] = NULL;
    }
}

/* Has freed some blocks that have not arrived when the test ends. */
static void *hold_batch(void *unused)
{
    struct pm_pool *pool = unit_pool_of(many[0]);
    pm_free(pm_alloc(1), "free");
    free_from(held);
    UNIT_CHECK(unit_remote_count(pool) == 0);
    atomic_store(&ready, true);
    for (;;)
        pause();
    return unused;
}

/* Every block comes back, and comes back once. */
static void free_the_rest(void)
{
    for (size_t i = 0; i < count; i++)
        pm_free(many[i], "free");
    pm_heap_check(pm_tls_heap);
    unit_collect(pm_tls_heap);
    pm_heap_check(pm_tls_heap);
    UNIT_CHECK(unit_live() == 0);
    UNIT_CHECK(unit_pools() == 0);
}

START_TEST(what_was_on_its_way_to_this_thread_arrives)
{
    if (_i == 1) {
        size = 640;
        held = PM_SLICE / size + 1; /* in the pool's second slice */
    }
    struct pm_pool *pool = full_pool();
    ck_assert_uint_eq(pool->span.slices, (size_t)_i + 1);
    start_holder(hold_batch);
    size_t before = unit_live();
    pid_t child = fork();
    if (child == 0) {
        UNIT_CHECK(unit_live() == before - FREED);
        UNIT_CHECK(unit_remote_count(pool) == FREED);
        UNIT_CHECK(pm_pool_is_owned_by(pool, pm_tls_heap));
        pm_heap_check(pm_tls_heap);
        free_the_rest();
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}
END_TEST

START_TEST(what_was_on_its_way_to_a_floating_pool_arrives)
{
    struct pm_pool *pool = full_pool();
    start_holder(hold_batch);
    let_float(pool);
    size_t before = unit_live();
    pid_t child = fork();
    if (child == 0) {
        UNIT_CHECK(unit_live() == before - FREED);
        UNIT_CHECK(pool->used == pm_pool_blocks(pool) - FREED);
        UNIT_CHECK(pool->state == PM_POOL_FLOATING && pool->listed);
        UNIT_CHECK(atomic_load(&pool->remote) == PM_REMOTE_EMPTY);
        pm_pool_check(pool);
        free_the_rest();
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}
END_TEST

/* Has marked a block free that is to go without a batch; and what it sent before has gone since. */
static union { /* what was a pool is something else by now */
    struct pm_pool pool;
    char bytes[4096];
} gone;

static void *hold_one(void *unused)
{
    struct pm_pool *pool = unit_pool_of(many[0]);
    uint64_t block = pm_pool_block_at(pool, many[0]);
    pm_free(pm_alloc(1), "free");
    pm_tls_heap->batch[0].pool = &gone.pool;
    pm_tls_heap->sending = pool;
    UNIT_CHECK(pm_link_exchange(pool, block, PM_LINK_NONE) == pm_link_live(pool, block));
    many[0] = NULL;
    atomic_store(&ready, true);
    for (;;)
        pause();
    return unused;
}

START_TEST(a_block_without_a_batch_arrives)
{
    memset(&gone, 0x55, sizeof gone);
    gone.pool.remote = 0;
    gone.pool.span.kind = PM_SPAN_POOL;
    struct pm_pool *pool = full_pool();
    let_float(pool);
    start_holder(hold_one);
    pid_t child = fork();
    if (child == 0) {
        UNIT_CHECK(pool->used == pm_pool_blocks(pool) - 1);
        pm_pool_check(pool);
        free_the_rest();
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}
END_TEST

/* Where the lock is, a signal may have come: its handler forks. */
START_TEST(a_signal_handler_may_fork)
{
    if (!pm_alone())
        return; /* under a sanitizer that has a thread of its own, or on musl */
    void *block = pm_alloc(100);
    unit_give_up_after(30);
    pm_lock(&pm_arena_lock);
    pid_t child = fork();
    if (child == 0) {
        pm_free(block, "free");
        pm_free(pm_alloc(100000), "free");
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
    ck_assert(!pm_trylock(&pm_arena_lock)); /* the call that was interrupted still has it */
    pm_unlock(&pm_arena_lock);
    pm_free(pm_alloc(100000), "free");
}
END_TEST

static atomic_bool filled, may_end;

/* Fills a pool, which floats from this thread's end on. */
static void *fill_a_pool(void *unused)
{
    full_pool();
    atomic_store(&filled, true);
    while (!atomic_load(&may_end))
        unit_sleep_ms(1);
    return unused;
}

static pthread_t start_filler(void)
{
    pthread_t filler;
    ck_assert_int_eq(pthread_create(&filler, NULL, fill_a_pool, NULL), 0);
    while (!atomic_load(&filled))
        unit_sleep_ms(1);
    pm_free(pm_alloc(1), "free");
    return filler;
}

/* Nor has a heap whose thread is gone, which the next thread will have, or knows where that had its
 * thread-local storage. */
static void check_no_traces(void)
{
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        for (size_t i = 0; i < PM_BATCH_SLOTS; i++)
            UNIT_CHECK(heap->batch[i].pool == NULL);
        UNIT_CHECK((heap->tls_direct != NULL) == (heap == pm_tls_heap));
    }
}

static void child_sends_and_frees_the_rest(void)
{
    pid_t child = fork();
    if (child == 0) {
        pm_remote_flush(pm_tls_heap);
        pm_heap_check(pm_tls_heap);
        check_no_traces();
        free_the_rest();
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}

/* The pool has lost its owner, so that all its free blocks were found without the batch. */
START_TEST(what_this_thread_was_about_to_send_arrives_once)
{
    start_filler();
    free_from(0);
    ck_assert_uint_eq(unit_remote_count(unit_pool_of(many[FREED])), 0);
    child_sends_and_frees_the_rest();
}
END_TEST

/* As before, with the pool gone by the time that the batch goes. */
START_TEST(what_this_thread_was_about_to_send_may_be_all_there_is)
{
    start_holder(hold);
    pm_free(pm_alloc(1), "free");
    for (size_t i = 1; i < SLOTS; i += 4)
        pm_free(atomic_exchange(&slots[i], NULL), "free");
    pid_t child = fork();
    if (child == 0) {
        void *block = pm_alloc(16 + 1 * 100); /* in a pool where that was */
        pm_remote_flush(pm_tls_heap);
        pm_heap_check(pm_tls_heap);
        pm_free(block, "free");
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
}
END_TEST

/* What two threads were about to send to a pool without an owner; one of them forks. */
START_TEST(what_several_threads_were_about_to_send_arrives_once)
{
    pthread_t filler = start_filler();
    struct pm_pool *pool = unit_pool_of(many[0]);
    free_from(FREED);
    start_holder(hold_batch);
    ck_assert_uint_eq(unit_remote_count(pool), 0);
    atomic_store(&may_end, true);
    ck_assert_int_eq(pthread_join(filler, NULL), 0);
    ck_assert_int_eq(pool->state, PM_POOL_FLOATING);
    child_sends_and_frees_the_rest();
}
END_TEST

static void *fork_a_child(void *unused)
{
    pid_t child = fork();
    if (child == 0)
        _exit(EXIT_SUCCESS);
    UNIT_CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    return unused;
}

static void *use_late_heap(void *unused)
{
    UNIT_CHECK(pm_thread_lock_late_heap() != NULL);
    pm_thread_unlock_late_heap();
    return unused;
}

/* Both wait for the registry, the forking thread first; the late heap is made under it. */
static void fork_while_the_late_heap_is_made(void *unused)
{
    (void)unused;
    pthread_t forker, late;
    pm_free(pm_alloc(1), "free");
    unit_give_up_after(10);
    pm_lock(&pm_registry_lock);
    UNIT_CHECK(pthread_create(&forker, NULL, fork_a_child, NULL) == 0);
    unit_sleep_ms(100);
    UNIT_CHECK(pthread_create(&late, NULL, use_late_heap, NULL) == 0);
    unit_sleep_ms(100);
    pm_unlock(&pm_registry_lock);
    UNIT_CHECK(pthread_join(forker, NULL) == 0);
    UNIT_CHECK(pthread_join(late, NULL) == 0);
}

START_TEST(locks_are_taken_in_one_order)
{
    unit_child_passes(fork_while_the_late_heap_is_made, NULL);
}
END_TEST

static void *blocks_of_handlers[3];

static void allocate_before(void)
{
    blocks_of_handlers[0] = pm_alloc(100);
    pm_free(pm_alloc(300000), "free");
}

static void allocate_in_parent(void)
{
    blocks_of_handlers[1] = pm_alloc(5000);
}

static void allocate_in_child(void)
{
    blocks_of_handlers[2] = pm_alloc(5000);
}

/* Registered before the library's and after: they run inside and outside of its locks. */
START_TEST(handlers_of_others_may_allocate)
{
    ck_assert_int_eq(pthread_atfork(allocate_before, allocate_in_parent, allocate_in_child), 0);
    pm_free(pm_alloc(1), "free");
    ck_assert_int_eq(pthread_atfork(allocate_before, allocate_in_parent, allocate_in_child), 0);
    pid_t child = fork();
    if (child == 0) {
        UNIT_CHECK(blocks_of_handlers[0] != NULL && blocks_of_handlers[2] != NULL);
        pm_heap_check(pm_tls_heap);
        pm_free(blocks_of_handlers[2], "free");
        _exit(EXIT_SUCCESS);
    }
    unit_wait_for(child);
    ck_assert_ptr_nonnull(blocks_of_handlers[1]);
    pm_free(blocks_of_handlers[0], "free");
    pm_free(blocks_of_handlers[1], "free");
    pm_heap_check(pm_tls_heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, children_of_a_busy_process_live);
    tcase_add_test(tests, what_other_threads_held_can_be_freed);
    tcase_add_test(tests, also_in_a_child_without_a_heap);
    tcase_add_loop_test(tests, what_was_on_its_way_to_this_thread_arrives, 0, 2);
    tcase_add_test(tests, a_signal_handler_may_fork);
    tcase_add_test(tests, a_block_without_a_batch_arrives);
    tcase_add_test(tests, what_was_on_its_way_to_a_floating_pool_arrives);
    tcase_add_test(tests, what_this_thread_was_about_to_send_arrives_once);
    tcase_add_test(tests, what_this_thread_was_about_to_send_may_be_all_there_is);
    tcase_add_test(tests, what_several_threads_were_about_to_send_arrives_once);
    tcase_add_test(tests, locks_are_taken_in_one_order);
    tcase_add_test(tests, handlers_of_others_may_allocate);
}

int main(void)
{
    return unit_run("fork", add);
}
