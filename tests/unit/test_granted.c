/*
 * test_granted.c - the heap that threads have in common where whoever calls has the interpreter's
 * lock: it serves all of them, is looked after by those who may, and outlives forks.
 */
#include "turns.h"

#include "heap/registry.h"
#include "os/os.h"

START_TEST(it_serves_all_threads)
{
    struct helper helpers[3];
    grant();
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        begin(&helpers[i], i == 0 ? NULL : helpers[i - 1].made);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++) {
        ck_assert_ptr_eq(unit_pool_of(helpers[i].made), unit_pool_of(helpers[0].made));
        ck_assert_msg(helpers[i].heap == &pm_heap_none, "they need none of their own");
    }
    ck_assert(pm_pool_is_owned_by(unit_pool_of(helpers[0].made), granted));
    ck_assert_msg(!granted->has_batches, "all frees are local");
    ck_assert_uint_eq(pm_pool_count_live(unit_pool_of(helpers[0].made)), 1);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        end(&helpers[i]);
    drop(helpers[UNIT_COUNT_OF(helpers) - 1].made);
    pm_heap_check(granted);
    ck_assert_uint_eq(pm_registry_count(), 2);
}
END_TEST

START_TEST(the_threads_malloc_is_their_own)
{
    grant();
    void *buffer = pm_alloc(40), *made = object(40);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(buffer), pm_tls_heap));
    ck_assert(pm_pool_is_owned_by(unit_pool_of(made), granted));
    drop(buffer);
    ck_assert_msg(granted->has_batches, "it goes to the heap that it is from");
    pm_free(made, "free");
    ck_assert(pm_tls_heap->has_batches);
}
END_TEST

START_TEST(it_serves_threads_that_have_ended)
{
    grant();
    end_late();
    ck_assert(late_pool_is_of(granted));
}
END_TEST

START_TEST(without_memory_for_it_there_is_none)
{
    pm_free(pm_alloc(40), "free");
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert_ptr_null(pm_common_grant(is_turn));
    unit_os_heal();
    ck_assert(!pm_common_is_granted(pm_tls_heap));
    ck_assert_uint_eq(pm_common_trim(), 0);
}
END_TEST

/* As a thread that may be at work in the heap, or not, lives. */
START_TEST(trimming_waits_for_somebodys_turn)
{
    struct helper helper;
    grant();
    begin(&helper, NULL);
    make_holes();
    size_t before = pm_purge_total();
    take_turn();
    ck_assert_uint_eq(pm_common_trim(), 0);
    end_turn();
    ck_assert_uint_eq(pm_purge_total(), before);
    drop(object(2000));
    size_t after = pm_purge_total();
    ck_assert_uint_gt(after, before);
    make_holes();
    drop(object(3000));
    ck_assert_msg(pm_purge_total() == after, "once");
    end(&helper);
}
END_TEST

/* Even where no interpreter is there any more that would say whose turn it is. */
START_TEST(the_only_thread_trims_at_once)
{
    grant();
    make_holes();
    ck_assert_uint_eq(pm_common_trim() != 0, pm_alone());
}
END_TEST

/* The first look finds what is in use, the next one purges what has rested since. */
static bool is_purged_by_looking_at(struct pm_heap *heap)
{
    pm_purge_set_decay(1);
    for (int i = 0; i < 4; i++) {
        pm_os_sleep_ms(3);
        pm_heap_look(heap);
    }
    return unit_pool_of(holed[0])->withheld != 0;
}

START_TEST(the_only_threads_own_heap_looks_after_it)
{
    pm_free(pm_alloc(40), "free");
    grant();
    make_holes();
    ck_assert_int_eq(is_purged_by_looking_at(pm_tls_heap), pm_alone());
    pm_heap_check(granted);
}
END_TEST

START_TEST(with_others_about_it_is_left_alone)
{
    struct helper helper;
    pm_free(pm_alloc(40), "free");
    grant();
    begin(&helper, NULL);
    make_holes();
    take_turn();
    ck_assert(!is_purged_by_looking_at(pm_tls_heap));
    end_turn();
    end(&helper);
}
END_TEST

/* Without the lock: another thread may have been at work in it. */
static _Noreturn void live_on_anew(void *made)
{
    unit_give_up_after(30);
    ck_assert_uint_eq(pm_registry_count(), 2);
    ck_assert_int_eq(unit_pool_of(made)->state, PM_POOL_FLOATING);
    drop(made);
    void *another = object(2000);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(another), granted));
    drop(another);
    pm_heap_check(granted);
    _exit(EXIT_SUCCESS);
}

static _Noreturn void live_on_as_before(void *made)
{
    unit_give_up_after(30);
    ck_assert_uint_eq(pm_registry_count(), 1u + pm_thread_has_heap(pm_tls_heap));
    ck_assert(pm_pool_is_owned_by(unit_pool_of(made), granted));
    has_turn = true;
    turn_free(granted, made, "PyObject_Free");
    ck_assert_ptr_eq(pm_turn_alloc_object(granted, 40), made);
    pm_heap_check(granted);
    _exit(EXIT_SUCCESS);
}

START_TEST(a_fork_out_of_turn_lets_its_pools_float)
{
    struct helper helper;
    grant();
    void *made = object(40);
    begin(&helper, NULL);
    pid_t child = fork();
    if (child == 0)
        live_on_anew(made);
    unit_wait_for(child);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(made), granted));
    end(&helper);
}
END_TEST

START_TEST(a_fork_in_turn_changes_nothing)
{
    struct helper helper;
    grant();
    void *made = object(40);
    begin(&helper, NULL);
    take_turn(); /* as os.fork() */
    pid_t child = fork();
    if (child == 0)
        live_on_as_before(made);
    end_turn();
    unit_wait_for(child);
    end(&helper);
}
END_TEST

START_TEST(nor_does_one_of_the_only_thread)
{
    grant();
    if (!pm_alone()) /* as under ThreadSanitizer */
        return;
    void *made = object(40);
    pid_t child = fork();
    if (child == 0)
        live_on_as_before(made);
    unit_wait_for(child);
}
END_TEST

/* As a signal handler forks within a call; of a thread that has a heap of its own, or none. */
static void *fork_within(void *made)
{
    struct pm_heap *own = pm_tls_heap;
    pm_tls_set_heap(granted);
    pid_t child = fork();
    pm_tls_set_heap(own);
    if (child == 0)
        live_on_as_before(made);
    unit_wait_for(child);
    return NULL;
}

START_TEST(nor_does_one_within_a_call)
{
    grant();
    void *made = object(40);
    struct helper helper;
    begin(&helper, NULL);
    fork_within(made);
    unit_in_thread(fork_within, made);
    end(&helper);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, it_serves_all_threads);
    tcase_add_test(tests, the_threads_malloc_is_their_own);
    tcase_add_test(tests, it_serves_threads_that_have_ended);
    tcase_add_test(tests, without_memory_for_it_there_is_none);
    tcase_add_test(tests, trimming_waits_for_somebodys_turn);
    tcase_add_test(tests, the_only_thread_trims_at_once);
    tcase_add_test(tests, the_only_threads_own_heap_looks_after_it);
    tcase_add_test(tests, with_others_about_it_is_left_alone);
    tcase_add_test(tests, a_fork_out_of_turn_lets_its_pools_float);
    tcase_add_test(tests, a_fork_in_turn_changes_nothing);
    tcase_add_test(tests, nor_does_one_of_the_only_thread);
    tcase_add_test(tests, nor_does_one_within_a_call);
}

int main(void)
{
    return unit_run("granted", add);
}
