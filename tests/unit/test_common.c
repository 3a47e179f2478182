/*
 * test_common.c - the heap that threads have in common where they ask whose turn it is: who uses
 * it, and when.
 */
#include "turns.h"

#include <sys/mman.h>

#include "arena/provider.h"
#include "heap/registry.h"
#include "heap/remote.h"

START_TEST(one_thread_has_one_heap)
{
    let_ask();
    drop(object(40));
    drop(pm_turn_alloc_zeroed_array(serving(), 10, 4));
    ck_assert_ptr_eq(pm_tls_heap->common, pm_tls_heap);
    ck_assert_ptr_eq(pm_tls_common, pm_tls_heap);
    ck_assert_uint_eq(pm_registry_count(), 1);
    void *block = pm_alloc(40);
    ck_assert(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
    drop(block);
}
END_TEST

START_TEST(all_others_have_one_in_common)
{
    let_ask();
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

START_TEST(so_many_have_their_own_first)
{
    struct helper helpers[5];
    pm_common_let_ask(is_turn, 3);
    drop(object(40));
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++) {
        begin(&helpers[i], NULL);
        ck_assert_int_eq(helpers[i].common == helpers[i].heap, i < 2);
        ck_assert_ptr_eq(helpers[i].common, i < 2 ? helpers[i].heap : helpers[2].common);
        ck_assert_ptr_eq(helpers[i].without_asking, i < 2 ? helpers[i].heap : &pm_heap_none);
    }
    for (size_t i = 0; i < UNIT_COUNT_OF(helpers); i++)
        end(&helpers[i]);
    ck_assert_uint_eq(pm_registry_count(), 1);
    begin(&helpers[0], NULL);
    ck_assert_ptr_eq(helpers[0].common, helpers[0].heap);
    end(&helpers[0]);
}
END_TEST

START_TEST(the_last_leaves_nothing_behind)
{
    let_ask();
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
    let_ask();
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

/* The first, and one that used the common heap, while that goes on. */
START_TEST(who_has_ended_uses_neither)
{
    struct helper helper;
    let_ask();
    if (_i != 0)
        begin(&helper, NULL); /* the first */
    end_late();
    ck_assert(!late_pool_is_of(pm_tls_heap->common));
    ck_assert_uint_eq(pm_registry_count(), 1u + (_i != 0)); /* the heap of ended threads */
    if (_i != 0)
        end(&helper);
}
END_TEST

/* Its thread ended in the last round of destructors, and this one has come upon it. */
START_TEST(a_heap_whose_thread_ended_unnoticed_has_its_choice)
{
    struct helper helper;
    pm_common_let_ask(is_turn, 2);
    drop(object(40));
    pm_tls_common = &pm_heap_none;
    drop(object(40));
    ck_assert_ptr_eq(pm_tls_common, pm_tls_heap);
    begin(&helper, NULL);
    ck_assert_msg(helper.common == helper.heap, "it is counted once");
    end(&helper);
}
END_TEST

static int arenas; /* asked for in turn, by a thread that uses the common heap, */
static int served; /* and blocks of sizes that had no pool, had from within; there may be no room */

/* Sizes of which the thread's own heap has blocks, has a pool without any, or no pool. */
enum { READY = 40, EXHAUSTED = 1000, NONE = 500 };

static void take_own(void **exhausted, size_t most)
{
    pm_free(pm_alloc_own(READY), "free");
    size_t count = 0;
    do {
        exhausted[count] = pm_alloc_own(EXHAUSTED);
        UNIT_CHECK(exhausted[count] != NULL);
    } while (++count < most && pm_tls_direct[pm_direct_index(EXHAUSTED)]->free != PM_LINK_NONE);
    UNIT_CHECK(count < most);
    exhausted[count] = NULL;
}

/* As malloc and free; there may be no room. */
static void call_malloc(size_t size)
{
    void *block = pm_alloc_own(size);
    UNIT_CHECK(block != NULL || size != READY);
    if (block != NULL)
        unit_fill(block, size, 1);
    pm_free(block, "free");
}

static void *alloc_arena(void *context, size_t size)
{
    (void)context;
    call_malloc(READY);
    call_malloc(EXHAUSTED);
    call_malloc(NONE);
    void *block = pm_turn_alloc_object(serving(), 40);
    UNIT_CHECK(block != NULL);
    turn_free(serving(), block, "PyObject_Free");
    struct pm_heap *within = pm_tls_heap;
    block = pm_turn_alloc(serving(), 200 + (size_t)arenas * 100);
    UNIT_CHECK(pm_tls_heap == within);
    if (block != NULL)
        UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(block), within));
    served += block != NULL;
    turn_free(serving(), block, "PyMem_Free");
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
    void *blocks[40], *exhausted[40];
    drop(object(40));
    take_own(exhausted, UNIT_COUNT_OF(exhausted));
    pm_provider_set(&provider);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        blocks[i] = object(900000);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        drop(blocks[i]);
    for (size_t i = 0; exhausted[i] != NULL; i++)
        pm_free(exhausted[i], "free");
    pm_heap_check(used());
    pm_heap_check(pm_tls_heap);
    return unused;
}

START_TEST(calls_within_calls_are_served_by_the_same_heap)
{
    set_up(_i);
    drop(object(40));
    unit_in_thread(fill_arenas, NULL);
    ck_assert_int_gt(arenas, 0);
    ck_assert_int_gt(served, 0);
    ck_assert_msg(pm_registry_count() == 1u + (granted != NULL), "all others have gone");
}
END_TEST

/* As a thread that runs another interpreter, which has a lock of its own. */
static void *call_out_of_turn(void *unused)
{
    drop(object(40));
    struct pm_heap *common = pm_tls_heap->common;
    UNIT_CHECK(common != pm_tls_heap);
    for (size_t size = 8; size < 3000; size += size / 3) {
        void *block = pm_turn_alloc_object(serving(), size);
        UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
        block = pm_turn_realloc_object(serving(), block, 2 * size, "PyObject_Realloc");
        UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(block), pm_tls_heap));
        turn_free(serving(), block, "PyObject_Free");
    }
    void *made_in_turn = object(40);
    UNIT_CHECK(pm_pool_is_owned_by(unit_pool_of(made_in_turn), common));
    turn_free(serving(), made_in_turn, "PyObject_Free");
    pm_remote_flush(pm_tls_heap);
    UNIT_CHECK(unit_remote_count(unit_pool_of(made_in_turn)) == 1);
    return unused;
}

START_TEST(out_of_turn_each_uses_its_own)
{
    let_ask();
    drop(object(40));
    unit_in_thread(call_out_of_turn, NULL);
}
END_TEST

START_TEST(trimming_waits_for_somebodys_turn)
{
    struct helper helper;
    let_ask();
    begin(&helper, NULL);
    make_holes();
    size_t before = pm_purge_total();
    ck_assert_uint_eq(pm_common_trim(), 0);
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

/* Its own heap has a pool of the class; for another heap there is no memory. */
static void *use_without_memory(void *unused)
{
    void *block = pm_alloc_object(40);
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
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
    let_ask();
    drop(object(40));
    unit_in_thread(use_without_memory, NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_thread_has_one_heap);
    tcase_add_test(tests, all_others_have_one_in_common);
    tcase_add_test(tests, so_many_have_their_own_first);
    tcase_add_test(tests, the_last_leaves_nothing_behind);
    tcase_add_test(tests, whoever_comes_next_may_be_first);
    tcase_add_loop_test(tests, who_has_ended_uses_neither, 0, 2);
    tcase_add_test(tests, a_heap_whose_thread_ended_unnoticed_has_its_choice);
    tcase_add_loop_test(tests, calls_within_calls_are_served_by_the_same_heap, 0, 2);
    tcase_add_test(tests, out_of_turn_each_uses_its_own);
    tcase_add_test(tests, trimming_waits_for_somebodys_turn);
    tcase_add_test(tests, a_threads_own_will_do_when_memory_runs_out);
}

int main(void)
{
    return unit_run("common", add);
}
