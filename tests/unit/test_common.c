/*
 * test_common.c - the heap that threads have in common whose calls come one at a time, as under an
 * interpreter's lock: who uses it, and when.
 */
#include "turns.h"

#include <sys/mman.h>

#include "arena/meta.h"
#include "arena/provider.h"
#include "heap/registry.h"
#include "heap/remote.h"

START_TEST(one_thread_has_one_heap)
{
    set_up(_i);
    drop(object(40));
    drop(pm_common_alloc_zeroed_array(10, 4));
    ck_assert_ptr_eq(pm_tls_heap->common, pm_tls_heap);
    ck_assert_uint_eq(pm_registry_count(), 1);
    void *block = pm_alloc(40);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
    drop(block);
}
END_TEST

START_TEST(all_others_have_one_in_common)
{
    set_up(_i);
    struct helper helpers[5];
    drop(object(40));
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        begin(&helpers[i], i == 0 ? NULL : helpers[i - 1].made);
    struct pm_heap *common = helpers[0].common;
    ck_assert_ptr_ne(common, pm_tls_heap);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++) {
        ck_assert_ptr_eq(helpers[i].common, common);
        ck_assert_ptr_ne(helpers[i].heap, common);
        ck_assert_ptr_eq(unit_pool_of(helpers[i].made), unit_pool_of(helpers[0].made));
    }
    ck_assert_uint_eq(pm_registry_count(), UNIT_COUNT_OF(helpers) + 2);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        ck_assert_msg(!helpers[i].heap->has_batches, "all frees are local");
    ck_assert_uint_eq(pm_pool_count_live(unit_pool_of(helpers[0].made)), 1);
    pm_heap_check(common);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        end(&helpers[i]);
    drop(helpers[UNIT_COUNT_OF(helpers) - 1].made);
    ck_assert_uint_eq(pm_registry_count(), 1);
}
END_TEST

START_TEST(the_first_joins_with_all_that_it_has)
{
    set_up(false);
    struct helper helper;
    void *before = object(40), *long_one = object(1500);
    struct pm_pool *pool = unit_pool_of(before);
    ck_assert(pm_pool_is_owned_by(pool, pm_tls_heap));
    ck_assert(pm_pool_is_owned_by(unit_pool_of(long_one), pm_tls_heap));
    begin(&helper, NULL);
    ck_assert_ptr_eq(pm_tls_heap->common, pm_tls_heap);
    drop(object(2000)); /* its slow half */
    ck_assert_ptr_eq(pm_tls_heap->common, helper.common);
    ck_assert(!pm_pool_is_owned_by(pool, pm_tls_heap));
    ck_assert(!pm_pool_is_owned_by(unit_pool_of(long_one), pm_tls_heap));
    void *buffer = pm_alloc(2000);
    ck_assert_msg(pm_pool_is_owned_by(unit_pool_of(buffer), pm_tls_heap), "its malloc is its own");
    drop(before);
    drop(long_one);
    drop(helper.made);
    pm_free(buffer, "free");
    end(&helper);
    ck_assert_msg(pm_tls_heap->common == helper.common, "the last one that uses it keeps it");
    pm_heap_check(pm_tls_heap);
    pm_heap_check(helper.common);
}
END_TEST

START_TEST(so_many_have_their_own_first)
{
    struct helper helpers[5];
    set_up(_i);
    pm_common_set_turns(asks ? PM_TURNS_ASKED : PM_TURNS_TAKEN, is_turn, 3);
    drop(object(40));
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++) {
        begin(&helpers[i], NULL);
        ck_assert_int_eq(helpers[i].common == helpers[i].heap, i < 2);
        ck_assert_ptr_eq(helpers[i].common, i < 2 ? helpers[i].heap : helpers[2].common);
    }
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        end(&helpers[i]);
    ck_assert_uint_eq(pm_registry_count(), 1);
    begin(&helpers[0], NULL);
    ck_assert_ptr_eq(helpers[0].common, helpers[0].heap);
    end(&helpers[0]);
}
END_TEST

START_TEST(the_first_stays_where_threads_ask)
{
    struct helper helper;
    set_up(true);
    drop(object(40));
    begin(&helper, NULL);
    void *mine = object(2000);
    ck_assert_ptr_eq(pm_tls_heap->common, pm_tls_heap);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(mine), pm_tls_heap));
    drop(mine);
    drop(helper.made);
    end(&helper);
    ck_assert_uint_eq(pm_registry_count(), 1);
}
END_TEST

START_TEST(objects_of_before_are_used_again)
{
    set_up(false);
    struct helper helper;
    void *before = object(40);
    begin(&helper, before);
    drop(object(2000));
    while (pm_tls_heap->common->bin[pm_class_of_object(40)].current != unit_pool_of(before))
        ck_assert_ptr_nonnull(object(40));
    end(&helper);
}
END_TEST

START_TEST(the_last_leaves_nothing_behind)
{
    set_up(_i);
    struct helper helpers[2];
    drop(object(40));
    begin(&helpers[0], NULL);
    begin(&helpers[1], NULL);
    end(&helpers[0]);
    struct pm_pool *pool = unit_pool_of(helpers[1].made);
    ck_assert(pm_pool_is_owned_by(pool, helpers[1].common));
    end(&helpers[1]);
    ck_assert(!pm_pool_is_owned_by(pool, helpers[1].common));
    ck_assert_int_eq(pool->state, PM_POOL_FLOATING);
    drop(helpers[0].made);
    drop(helpers[1].made);
    unit_collect(pm_tls_heap);
    pm_remote_flush(pm_tls_heap);
    ck_assert_uint_eq(unit_pools(), 0);
    ck_assert_uint_eq(pm_registry_count(), 1);
}
END_TEST

START_TEST(whoever_comes_next_may_be_first)
{
    set_up(_i);
    struct helper helpers[2];
    begin(&helpers[0], NULL);
    ck_assert_ptr_eq(helpers[0].common, helpers[0].heap);
    end(&helpers[0]);
    ck_assert_ptr_eq(pm_registry_obtain(NULL), helpers[0].heap); /* so that the next has another */
    begin(&helpers[1], helpers[0].made);
    ck_assert_ptr_eq(helpers[1].common, helpers[1].heap);
    end(&helpers[1]);
    drop(helpers[1].made);
}
END_TEST

START_TEST(without_one_lock_each_has_its_own)
{
    struct helper helpers[2];
    pm_common_set_turns(PM_TURNS_NONE, NULL, 0);
    drop(object(40));
    begin(&helpers[0], NULL);
    begin(&helpers[1], helpers[0].made);
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        ck_assert_ptr_eq(helpers[i].common, helpers[i].heap);
    drop(object(2000));
    ck_assert_ptr_eq(pm_tls_heap->common, pm_tls_heap);
    drop(helpers[1].made);
    end(&helpers[0]);
    end(&helpers[1]);
}
END_TEST

static int arenas; /* asked for in turn, by a thread that uses the common heap */

static void *alloc_arena(void *context, size_t size)
{
    (void)context;
    void *block = pm_common_alloc_object(40, asks);
    UNIT_CHECK(block != NULL);
    pm_common_free(block, "PyObject_Free", asks);
    arenas++;
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return arena == MAP_FAILED ? NULL : arena;
}

static void free_arena(void *context, void *arena, size_t size)
{
    (void)context;
    munmap(arena, size);
}

static void *fill_arenas(void *unused)
{
    struct pm_provider provider = {NULL, alloc_arena, free_arena};
    void *blocks[40];
    drop(object(40));
    pm_provider_set(&provider);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        blocks[i] = object(900000);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        drop(blocks[i]);
    pm_heap_check(pm_tls_heap->common);
    return unused;
}

START_TEST(calls_within_calls_are_served_by_the_same_heap)
{
    set_up(_i);
    drop(object(40));
    unit_in_thread(fill_arenas, NULL);
    ck_assert_int_gt(arenas, 0);
    ck_assert_msg(pm_registry_count() == 1, "nobody uses the common heap any more");
}
END_TEST

/* As a thread that runs another interpreter, which has a lock of its own. */
static void *call_out_of_turn(void *unused)
{
    drop(object(40));
    struct pm_heap *common = pm_tls_heap->common;
    UNIT_CHECK(common != pm_tls_heap);
    for (size_t size = 8; size < 3000; size += size / 3) {
        void *block = pm_common_alloc_object(size, asks);
        UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
        block = pm_common_realloc_object(block, 2 * size, "PyObject_Realloc");
        UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
        pm_common_free(block, "PyObject_Free", asks);
    }
    void *made_in_turn = object(40);
    UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(made_in_turn), common));
    pm_common_free(made_in_turn, "PyObject_Free", asks);
    pm_remote_flush(pm_tls_heap);
    UNIT_CHECK(unit_remote_count(unit_pool_of(made_in_turn)) == 1);
    return unused;
}

START_TEST(out_of_turn_each_uses_its_own)
{
    set_up(true);
    drop(object(40));
    unit_in_thread(call_out_of_turn, NULL);
}
END_TEST

START_TEST(trimming_waits_for_somebodys_turn)
{
    set_up(false);
    enum { COUNT = 400, SIZE = 100 };
    static void *blocks[COUNT];
    struct helper helper;
    drop(object(40));
    begin(&helper, NULL);
    drop(object(2000));
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = object(SIZE);
    for (size_t i = 1; i < COUNT; i++)
        drop(blocks[i]);
    size_t before = pm_purge_total();
    ck_assert_uint_eq(pm_common_trim(), 0);
    ck_assert_uint_eq(pm_purge_total(), before);
    drop(object(2000));
    size_t after = pm_purge_total();
    ck_assert_uint_gt(after, before);
    drop(object(2000));
    ck_assert_msg(pm_purge_total() == after, "once");
    end(&helper);
}
END_TEST

/* Its own heap has a pool of the class; for another heap there is no memory. */
static void *use_without_memory(void *unused)
{
    pm_common_set_turns(PM_TURNS_NONE, NULL, 0);
    void *block = object(40);
    pm_tls_heap->common = &pm_heap_none; /* as if that had been no call */
    set_up(asks);
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    while (pm_meta_alloc(PM_HEAP_BYTES) != NULL) {
    }
    drop(object(40));
    UNIT_CHECK(pm_tls_heap->common == pm_tls_heap);
    unit_os_heal();
    drop(object(2000));
    UNIT_CHECK(pm_tls_heap->common == pm_tls_heap);
    drop(block);
    return unused;
}

START_TEST(a_threads_own_will_do_when_memory_runs_out)
{
    set_up(_i);
    drop(object(40));
    unit_in_thread(use_without_memory, NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, one_thread_has_one_heap, 0, 2);
    tcase_add_loop_test(tests, all_others_have_one_in_common, 0, 2);
    tcase_add_test(tests, the_first_joins_with_all_that_it_has);
    tcase_add_loop_test(tests, so_many_have_their_own_first, 0, 2);
    tcase_add_test(tests, the_first_stays_where_threads_ask);
    tcase_add_test(tests, objects_of_before_are_used_again);
    tcase_add_loop_test(tests, the_last_leaves_nothing_behind, 0, 2);
    tcase_add_loop_test(tests, whoever_comes_next_may_be_first, 0, 2);
    tcase_add_test(tests, without_one_lock_each_has_its_own);
    tcase_add_loop_test(tests, calls_within_calls_are_served_by_the_same_heap, 0, 2);
    tcase_add_test(tests, out_of_turn_each_uses_its_own);
    tcase_add_test(tests, trimming_waits_for_somebodys_turn);
    tcase_add_loop_test(tests, a_threads_own_will_do_when_memory_runs_out, 0, 2);
}

int main(void)
{
    return unit_run("common", add);
}
