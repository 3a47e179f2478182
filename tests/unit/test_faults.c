/*
 * test_faults.c - the n-th call for memory is refused, for every n that a long
 * series of allocations reaches: NULL and ENOMEM where it shows, every earlier
 * block intact, the engine's invariants hold, and the same series succeeds
 * afterwards.  Each n has a process of its own.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/thread.h"

#include <pymem/pymem.h>

enum { BLOCKS = 400, LIMIT = 500 };

struct block {
    char *start;
    size_t size;
};

struct fault {
    unsigned calls; /* set of UNIT_BIT() */
    long n;
    bool forever;
};

static struct block blocks[BLOCKS];
static size_t count;
static unsigned long failures;

/* Keeps what was allocated; a refusal must have said ENOMEM. */
static void keep(void *start, size_t size)
{
    if (start == NULL) {
        UNIT_CHECK(errno == ENOMEM);
        failures++;
    } else {
        UNIT_CHECK(count < BLOCKS);
        unit_fill(start, size, (unsigned)count);
        blocks[count++] = (struct block){start, size};
    }
    errno = 0;
}

static void keep_zeroed(void *start, size_t size)
{
    UNIT_CHECK(start == NULL || unit_is_zero(start, size));
    keep(start, size);
}

static void keep_aligned(size_t size, size_t align)
{
    void *start = pm_alloc_aligned(size, align);
    UNIT_CHECK((uintptr_t)start % align == 0);
    keep(start, size);
}

/* Grows the last block kept; refused, it is as it was. */
static void grow(size_t size)
{
    if (count == 0)
        return;
    struct block *last = &blocks[count - 1];
    char *grown = pm_realloc(last->start, size, "realloc");
    if (grown == NULL) {
        UNIT_CHECK(errno == ENOMEM);
        failures++;
        errno = 0;
        return;
    }
    size_t both = size < last->size ? size : last->size;
    UNIT_CHECK(unit_holds(grown, last->size, both, (unsigned)(count - 1)));
    unit_fill(grown, size, (unsigned)(count - 1));
    *last = (struct block){grown, size};
}

/* A block that cannot grow where it is, because a neighbour is there. */
static void grow_hemmed_in(void)
{
    keep(pm_alloc(2 * PM_MIB), 2 * PM_MIB);
    void *neighbour = pm_alloc(100000);
    grow(50 * PM_MIB);
    pm_free(neighbour, "free");
}

static void *in_thread(void *unused)
{
    for (size_t size = 24; size < 40000; size *= 3)
        keep(pm_alloc(size), size);
    return unused;
}

static void small_blocks(void)
{
    for (unsigned class = 0; class < PM_CLASS_COUNT; class ++)
        keep(pm_alloc(pm_class_size(class)), pm_class_size(class));
    keep_zeroed(pm_alloc_zeroed(1000), 1000);
    for (size_t align = 32; align <= 32768; align *= 4)
        keep_aligned(100, align);
}

static void large_blocks(void)
{
    for (size_t size = 40000; size < 8 * PM_MIB; size *= 3)
        keep(pm_alloc(size), size);
    keep_zeroed(pm_alloc_zeroed(300000), 300000);
    keep_aligned(200000, PM_MIB);
    grow_hemmed_in();
    grow(60 * PM_MIB);
    grow(5 * PM_MIB);
    grow(100000);
    keep(pm_alloc(2 * PM_MIB), 2 * PM_MIB);
    grow(10 * PM_MIB);
    keep(pm_alloc(PM_DEDICATED_MIN), PM_DEDICATED_MIN);
    grow(2 * PM_DEDICATED_MIN);
    keep_zeroed(pm_alloc_zeroed(PM_DEDICATED_MIN + 1), PM_DEDICATED_MIN + 1);
    keep_aligned(PM_DEDICATED_MIN, 4 * PM_MIB);
    grow(2 * PM_DEDICATED_MIN);
}

static void python_blocks(void)
{
    keep(PyMem_RawMalloc(3000), 3000);
    keep_zeroed(PyMem_Calloc(100, 333), 33300);
    keep(PyObject_Malloc(512), 512);
    char *block = PyMem_Malloc(70000);
    if (block != NULL) {
        memset(block, 7, 70000);
        char *grown = PyMem_Realloc(block, 3 * PM_MIB);
        if (grown == NULL) {
            UNIT_CHECK(errno == ENOMEM);
            failures++;
        } else {
            block = grown;
        }
        UNIT_CHECK(block[0] == 7 && memcmp(block, block + 1, 69999) == 0);
        keep(block, 70000);
    } else {
        keep(NULL, 0);
    }
}

static void series(void)
{
    small_blocks();
    large_blocks();
    unit_in_thread(in_thread, NULL);
    python_blocks();
    pm_purge_all();
    for (size_t i = 0; i < count; i++)
        UNIT_CHECK(unit_intact(blocks[i].start, blocks[i].size, (unsigned)i));
    UNIT_CHECK(pm_check_heap());
}

static void release(void)
{
    for (size_t i = 0; i < count; i++) {
        UNIT_CHECK(unit_intact(blocks[i].start, blocks[i].size, (unsigned)i));
        pm_free(blocks[i].start, "free");
    }
    count = 0;
    UNIT_CHECK(errno == 0);
    if (pm_thread_has_heap(pm_tls_heap))
        unit_collect(pm_tls_heap);
    UNIT_CHECK(pm_check_heap());
}

static void run_with_fault(void *argument)
{
    struct fault *fault = argument;
    unit_os_install();
    unit_os_fail(fault->calls, fault->n, fault->forever);
    series();
    bool reached = atomic_load(&unit_os.refused) != 0;
    UNIT_CHECK(reached || failures == 0);
    release();
    unit_os_heal();
    failures = 0;
    series();
    UNIT_CHECK(failures == 0);
    release();
    if (!reached)
        _exit(2);
}

/* Every n until the series no longer reaches it. */
static void every_n(unsigned calls, bool forever)
{
    char text[4096];
    for (long n = 1; n < LIMIT; n++) {
        struct fault fault = {calls, n, forever};
        int status = unit_child(run_with_fault, &fault, text, sizeof text);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
            ck_assert_int_gt(n, 1);
            return;
        }
        ck_assert_msg(status == 0, "n = %ld: status %#x: %s", n, (unsigned)status, text);
    }
    ck_abort_msg("the series never ends");
}

START_TEST(one_mapping_is_refused)
{
    every_n(UNIT_BIT(UNIT_MAP), false);
}
END_TEST

START_TEST(all_mappings_from_one_on_are_refused)
{
    every_n(UNIT_BIT(UNIT_MAP), true);
}
END_TEST

START_TEST(all_that_needs_memory_is_refused_from_one_on)
{
    every_n(UNIT_BIT(UNIT_MAP) | UNIT_BIT(UNIT_RESIZE) | UNIT_BIT(UNIT_MOVE), true);
}
END_TEST

static void run_without(void *argument)
{
    struct fault *fault = argument;
    unit_os_install();
    unit_os_fail(fault->calls, 1, true);
    for (int round = 0; round < 2; round++) {
        series();
        UNIT_CHECK(failures == 0);
        release();
    }
}

/* None of these needs to work for a program to get its memory. */
START_TEST(without_the_rest_all_goes_on)
{
    static const enum unit_call calls[] = {UNIT_UNMAP, UNIT_PURGE, UNIT_RESIZE, UNIT_MOVE};
    struct fault fault = {UNIT_BIT(calls[_i]), 1, true};
    unit_child_passes(run_without, &fault);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, one_mapping_is_refused);
    tcase_add_test(tests, all_mappings_from_one_on_are_refused);
    tcase_add_test(tests, all_that_needs_memory_is_refused_from_one_on);
    tcase_add_loop_test(tests, without_the_rest_all_goes_on, 0, 4);
}

int main(void)
{
    return unit_run("faults", add);
}
