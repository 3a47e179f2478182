/*
 * test_turns.c - the heap that threads have in common over time: while they come and go, and in
 * the children of forks where they ask (test_granted.c has the others).
 */
#include "turns.h"

#include "heap/registry.h"

/* ThreadSanitizer refuses new threads after a fork of a threaded program, and misses those that
 * nobody joins. */
#ifdef __SANITIZE_THREAD__
enum { FORKS = 0 };
#else
enum { FORKS = 10 };
#endif

static _Noreturn void live_on(struct helper *helper)
{
    unit_give_up_after(30);
    drop(helper->made);
    UNIT_CHECK(pm_tls_heap->common == pm_tls_heap && pm_tls_common == pm_tls_heap);
    UNIT_CHECK(pm_registry_count() == 1);
    void *object_of_child = object(40);
    UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(object_of_child), pm_tls_heap));
    if (FORKS != 0) {
        struct helper again;
        begin(&again, object_of_child);
        UNIT_CHECK(again.common != pm_tls_heap && again.common != again.heap);
    }
    pm_heap_check(pm_tls_heap);
    _exit(EXIT_SUCCESS);
}

START_TEST(in_the_child_of_a_fork_there_is_one_heap)
{
    struct helper helper;
    let_ask();
    drop(object(40));
    begin(&helper, NULL);
    pid_t child = fork();
    if (child == 0)
        live_on(&helper);
    unit_wait_for(child);
    drop(helper.made);
    end(&helper);
}
END_TEST

/* The forking thread is the only one left that uses it, or is in the middle of a call. */
static _Noreturn void live_on_with(struct pm_heap *own, struct pm_heap *common, void *made)
{
    unit_give_up_after(30);
    UNIT_CHECK(own->common == common);
    UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(made), common));
    UNIT_CHECK(pm_registry_count() == 2);
    pm_tls_set_heap(own);
    drop(made);
    UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(object(40)), common));
    pm_heap_check(own);
    pm_heap_check(common);
    _exit(EXIT_SUCCESS);
}

START_TEST(the_child_of_the_only_user_keeps_it)
{
    struct helper helper;
    let_ask();
    begin(&helper, NULL);
    void *made = object(2000); /* the first has its own */
    end(&helper);
    drop(helper.made);
    pid_t child = fork();
    if (child == 0)
        live_on_with(pm_tls_heap, pm_tls_heap->common, made);
    unit_wait_for(child);
}
END_TEST

/* As a signal handler does, while another thread waits for its turn. */
START_TEST(a_fork_within_a_call_keeps_it)
{
    struct helper helper;
    let_ask();
    begin(&helper, NULL);
    void *made = object(2000);
    struct pm_heap *own = pm_tls_heap;
    pm_tls_set_heap(own->common);
    pid_t child = fork();
    if (child == 0)
        live_on_with(own, own->common, made);
    pm_tls_set_heap(own);
    unit_wait_for(child);
    end(&helper);
}
END_TEST

enum { THREADS = 6, SLOTS = 512, ROUNDS = 300, CALLS = 60 };

static struct slot {
    unsigned char *block;
    size_t size;
} slots[SLOTS]; /* objects of all threads; in turns */

static void replace(struct slot *slot, uint64_t *state)
{
    size_t size = unit_random(state) % (unit_random(state) % 16 == 0 ? 60000 : 300);
    unsigned tag = (unsigned)(slot - slots);
    if (slot->block != NULL)
        UNIT_CHECK(unit_intact(slot->block, slot->size, tag));
    switch (unit_random(state) % 4) {
    case 0:
        turn_free(serving(), slot->block, "PyObject_Free");
        slot->block = pm_turn_alloc_object(serving(), size);
        break;
    case 1:
        turn_free(serving(), slot->block, "PyMem_Free");
        slot->block = pm_turn_alloc_zeroed_objects(serving(), size, 1);
        UNIT_CHECK(unit_is_zero(slot->block, size));
        break;
    case 2:
        slot->block = pm_turn_realloc_object(serving(), slot->block, size, "PyObject_Realloc");
        break;
    default:
        slot->block = pm_turn_realloc(serving(), slot->block, size, "PyMem_Realloc");
    }
    UNIT_CHECK(slot->block != NULL);
    slot->size = size;
    unit_fill(slot->block, size, tag);
}

static void *take_turns(void *argument)
{
    uint64_t state = *(uint64_t *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        take_turn();
        for (int call = 0; call < CALLS; call++)
            replace(&slots[unit_random(&state) % SLOTS], &state);
        end_turn();
        void *block = pm_alloc(unit_random(&state) % 3000); /* at any time */
        UNIT_CHECK(block != NULL);
        pm_free(block, "free");
        if (unit_random(&state) % 64 == 0)
            pm_common_trim();
    }
    return NULL;
}

static void *come_and_go(void *argument)
{
    uint64_t seed = *(uint64_t *)argument;
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t own = seed + 100 * i;
        unit_in_thread(take_turns, &own);
    }
    return NULL;
}

static _Noreturn void free_all_as_a_child(void)
{
    unit_give_up_after(30);
    for (size_t i = 0; i < SLOTS; i++)
        turn_free(serving(), slots[i].block, "PyObject_Free");
    for (size_t size = 0; size < 3000; size += 50)
        turn_free(serving(), pm_turn_alloc(serving(), size), "PyMem_Free");
    pm_heap_check(pm_tls_heap);
    pm_heap_check(used());
    UNIT_CHECK(pm_registry_count() == 1u + (used() != pm_tls_heap));
    _exit(EXIT_SUCCESS);
}

START_TEST(threads_in_turn_come_and_go)
{
    set_up(_i);
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS], seed = unit_seed();
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = seed + i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &seeds[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        take_turns(&(uint64_t){seed + 1000 + (uint64_t)i});
        take_turn(); /* as os.fork() */
        pid_t child = fork();
        if (child == 0)
            free_all_as_a_child();
        end_turn();
        unit_wait_for(child);
    }
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < SLOTS; i++)
        drop(slots[i].block);
    pm_heap_check(pm_tls_heap);
    if (granted != NULL)
        unit_collect(granted);
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(unit_live(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, in_the_child_of_a_fork_there_is_one_heap);
    tcase_add_test(tests, the_child_of_the_only_user_keeps_it);
    tcase_add_test(tests, a_fork_within_a_call_keeps_it);
    tcase_add_loop_test(tests, threads_in_turn_come_and_go, 0, 2);
}

int main(void)
{
    return unit_run("turns", add);
}
