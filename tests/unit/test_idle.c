/*
 * test_idle.c - which current pools go although the heap may need them again.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "arena/spans.h"
#include "heap/idle.h"

/* The last two as in idle.c. */
enum { CLASS = 20, IDLE_STEP = 128 << 10, IDLE_MAX = 256 << 10 };

UNIT_HEAP(heap);

static void setup(void)
{
    pm_purge_set_decay(-1); /* no tick, whatever the time is */
    pm_heap_clear(&heap);
}

START_TEST(an_idle_pool_goes_when_the_process_grows)
{
    struct pm_pool *idle = pm_heap_refill(&heap, CLASS);
    pm_pool_pop(idle);
    ck_assert_ptr_nonnull(unit_pop(&heap, CLASS + 1));
    ck_assert_ptr_eq(heap.bin[CLASS].current, idle);
    ck_assert(!pm_pool_push(idle, idle->shape.first));
    ck_assert_ptr_nonnull(unit_pop(&heap, CLASS + 2));
    ck_assert_ptr_eq(heap.bin[CLASS].current, idle); /* not for a few pages */
    struct pm_span growth;
    ck_assert(pm_spans_take(&growth, PM_SPAN_LARGE, 5, PM_SLICE));
    pm_arena_use(&growth, PM_SPAN_CLEAN);
    ck_assert_ptr_nonnull(unit_pop(&heap, CLASS + 3));
    ck_assert_ptr_eq(heap.bin[CLASS].current, &pm_pool_none);
    pm_heap_check(&heap);
}
END_TEST

/* Takes and frees a block of the class, in a process that does not grow; returns its pool. */
static struct pm_pool *use(unsigned class)
{
    heap.idle_below = SIZE_MAX;
    char *block = unit_pop(&heap, class);
    ck_assert_ptr_nonnull(block);
    struct pm_pool *pool = unit_pool_of(block);
    if (pm_pool_push(pool, pm_pool_block_at(pool, block)))
        pm_heap_pushed(&heap, pool);
    return pool;
}

static size_t current_bytes(void)
{
    size_t bytes = 0;
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1)
        bytes += pm_span_bytes(&heap.bin[class].current->span);
    return bytes;
}

START_TEST(an_idle_pool_goes_when_others_are_made_in_its_place)
{
    struct pm_pool *in_use = use(CLASS);
    for (unsigned class = 0; class < PM_CLASS_COUNT; class += 1) { /* as a buffer that grows */
        use(class);
        ck_assert_ptr_eq(use(CLASS), in_use);
        /* those made between three looks, each of which may be late by one pool */
        ck_assert_uint_le(current_bytes(), 3 * (IDLE_STEP + 2 * PM_POOL_SIZE_MAX));
        pm_heap_check(&heap);
    }
    pm_heap_abandon(&heap);
}
END_TEST

START_TEST(idle_pools_go_when_they_are_most_of_what_is_used)
{
    for (unsigned last = 0; last < PM_CLASS_COUNT; last += 1) {
        for (unsigned class = 0; class <= last; class += 1) { /* so that none rests */
            use(class);
            ck_assert_uint_le(current_bytes(), IDLE_MAX + 2 * IDLE_STEP + 4 * PM_POOL_SIZE_MAX);
        }
        pm_heap_check(&heap);
    }
    pm_heap_abandon(&heap);
}
END_TEST

START_TEST(idle_pools_are_looked_at_now_and_then)
{
    struct pm_pool *idle = use(CLASS);
    for (unsigned class = 0; heap.made_bytes + PM_SLICE <= IDLE_STEP; class += 1) {
        size_t before = heap.made_bytes;
        use(class);
        ck_assert_uint_gt(heap.made_bytes, before);
    }
    ck_assert_uint_eq(unit_pools(), IDLE_STEP / PM_SLICE); /* none has gone */
    ck_assert_ptr_eq(heap.bin[CLASS].current, idle);
    pm_heap_abandon(&heap);
}
END_TEST

START_TEST(all_go_at_once)
{
    struct pm_pool *in_use = pm_heap_refill(&heap, CLASS + 1);
    pm_pool_pop(in_use);
    use(CLASS);
    pm_idle_drop(&heap);
    ck_assert_ptr_eq(heap.bin[CLASS].current, &pm_pool_none);
    ck_assert_ptr_eq(heap.bin[CLASS + 1].current, in_use);
    pm_heap_check(&heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, an_idle_pool_goes_when_the_process_grows);
    tcase_add_test(tests, an_idle_pool_goes_when_others_are_made_in_its_place);
    tcase_add_test(tests, idle_pools_go_when_they_are_most_of_what_is_used);
    tcase_add_test(tests, idle_pools_are_looked_at_now_and_then);
    tcase_add_test(tests, all_go_at_once);
}

int main(void)
{
    return unit_run("idle", add);
}
