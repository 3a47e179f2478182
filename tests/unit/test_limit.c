/*
 * test_limit.c - where no more address space is to be had: what holds nothing goes, and what there
 * is serves blocks of any size.
 */
#include "pools.h"

#include <sys/mman.h>

#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "os/os.h"

static void setup(void)
{
    unit_os_install();
}

/* From now on `more` bytes may be mapped; all that was, was mapped since setup(). */
static void limit(size_t more)
{
    unit_os.bytes_limit = atomic_load(&unit_os.bytes) + more;
}

START_TEST(arenas_and_pools_that_hold_nothing_go)
{
    pm_free(pm_alloc(100000), "free");
    pm_free(pm_alloc(100), "free"); /* its pool stays, and the arena for its sake */
    size_t all = pm_arena_totals().mapped;
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    limit(PM_DEDICATED_MIN + PM_OS_HUGE_PAGE - all); /* as the block is aligned to such a page */
    ck_assert_ptr_nonnull(pm_alloc(PM_DEDICATED_MIN));
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
}
END_TEST

START_TEST(what_is_free_behind_blocks_goes)
{
    char *first = unit_filled(1000), *second = unit_filled(200000);
    void *third = pm_alloc(200000);
    size_t mapped = pm_arena_totals().mapped;
    pm_free(third, "free"); /* dirty */
    limit(PM_DEDICATED_MIN - PM_MIB);
    void *block = pm_alloc(PM_DEDICATED_MIN);
    ck_assert_ptr_nonnull(block);
    ck_assert(unit_intact(first, 1000, 1) && unit_intact(second, 200000, 1));
    ck_assert_uint_lt(pm_arena_totals().mapped, mapped - PM_MIB + PM_DEDICATED_MIN);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
    ck_assert(pm_check_heap());

    unit_os_heal();
    pm_free(block, "free");
    unit_filled(200000);
    pm_free(second, "free");
    pm_free(first, "free");
    ck_assert(pm_check_heap());
}
END_TEST

enum { BLOCKS = 10 };

static char *blocks[BLOCKS];

/* Ten of 3 MiB in one arena, then the first and the sixth only; the others have gone for the sake
 * of one that is returned. */
static void *strew(void)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = unit_filled(3 * PM_MIB);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 5 != 0)
            pm_free(blocks[i], "free");
    }
    limit(PM_DEDICATED_MIN - 20 * PM_MIB);
    void *block = pm_alloc(PM_DEDICATED_MIN);
    ck_assert_ptr_nonnull(block);
    unit_os_heal();
    return block;
}

START_TEST(what_is_free_between_blocks_goes)
{
    size_t mapped = atomic_load(&unit_os.bytes) - pm_meta_mapped();
    void *block = strew();
    ck_assert(unit_intact(blocks[0], 3 * PM_MIB, 1) && unit_intact(blocks[5], 3 * PM_MIB, 1));
    ck_assert_uint_eq(pm_arena_totals().mapped, 6 * PM_MIB + PM_DEDICATED_MIN);
    ck_assert(pm_check_heap());
    unit_filled(3 * PM_MIB); /* from an arena of its own kind */
    ck_assert_uint_eq(pm_arena_totals().arenas, 3);
    pm_free(block, "free");
    pm_free(blocks[0], "free");
    pm_free(blocks[5], "free");
    ck_assert(pm_check_heap());
    pm_purge_empty_arenas(0);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert_uint_eq(atomic_load(&unit_os.bytes) - pm_meta_mapped(),
                      mapped + pm_arena_totals().mapped);
}
END_TEST

START_TEST(what_others_map_there_is_theirs)
{
    strew();
    char *theirs = mmap(blocks[2], PM_MIB, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    ck_assert_ptr_eq(theirs, blocks[2]);
    unit_fill(theirs, PM_MIB, 2);
    ck_assert(!pm_arena_contains(theirs) && pm_arena_contains(blocks[0]));
    pm_purge_all();
    pm_free(blocks[0], "free");
    pm_free(blocks[5], "free");
    ck_assert_uint_ge(pm_purge_empty_arenas(0), 6 * PM_MIB);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert(unit_intact(theirs, PM_MIB, 2));
    munmap(theirs, PM_MIB);
}
END_TEST

START_TEST(what_cannot_be_unmapped_stays)
{
    char *block = unit_filled(1000);
    size_t mapped = pm_arena_totals().mapped;
    limit(PM_DEDICATED_MIN - PM_MIB);
    unit_os_fail(UNIT_BIT(UNIT_UNMAP), 1, true);
    ck_assert_ptr_null(pm_alloc(PM_DEDICATED_MIN));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_eq(pm_arena_totals().mapped, mapped);
    ck_assert(unit_intact(block, 1000, 1));
    unit_filled(PM_MIB);
    ck_assert(pm_check_heap());
}
END_TEST

/* Large spans have arenas with room for more of their kind. */
START_TEST(a_hole_serves_a_block_that_would_have_its_own_mapping)
{
    char *beside = unit_filled(4 * PM_MIB);
    limit(0);
    char *block = unit_filled(PM_DEDICATED_MIN);
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    ck_assert_uint_eq(pm_usable_size(block, "malloc_usable_size"), PM_DEDICATED_MIN);
    unit_os_heal();
    block = pm_realloc(block, 2 * PM_DEDICATED_MIN, "realloc");
    ck_assert(unit_holds(block, PM_DEDICATED_MIN, PM_DEDICATED_MIN, 1));
    pm_free(block, "free");
    ck_assert(unit_intact(beside, 4 * PM_MIB, 1));
    pm_free(beside, "free");
    ck_assert(pm_check_heap());
}
END_TEST

/* For a copy there would not be room. */
START_TEST(a_block_grows_when_what_holds_nothing_has_gone)
{
    pm_free(pm_alloc(4 * PM_MIB), "free"); /* leaves an arena of twice PM_DEDICATED_MIN */
    char *block = unit_filled(PM_DEDICATED_MIN);
    limit(2 * PM_MIB); /* for the owner map */
    errno = 0;
    block = pm_realloc(block, 3 * PM_DEDICATED_MIN, "realloc");
    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(errno, 0);
    ck_assert(unit_holds(block, PM_DEDICATED_MIN, PM_DEDICATED_MIN, 1));
    ck_assert_uint_eq(pm_arena_totals().arenas, 1);
    errno = 0;
    ck_assert_ptr_null(pm_realloc(block, 10 * PM_DEDICATED_MIN, "realloc"));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert(unit_holds(block, PM_DEDICATED_MIN, PM_DEDICATED_MIN, 1));
}
END_TEST

static void use_up(void)
{
    static const size_t sizes[] = {PM_MIB, 60000, 16384, 100};
    limit(0);
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        while (pm_alloc(sizes[i]) != NULL)
            continue;
    }
}

START_TEST(a_block_that_shrinks_stays_where_there_is_no_room)
{
    char *aligned = unit_filled(1000), *small = unit_filled(1000),
         *large = unit_filled(PM_DEDICATED_MIN);
    ck_assert_uint_eq((uintptr_t)aligned % PM_SLICE, 0);
    use_up();
    errno = 0;
    ck_assert_ptr_eq(pm_realloc(small, 100, "realloc"), small);
    ck_assert_ptr_eq(pm_realloc(large, 100000, "realloc"), large);
    ck_assert_int_eq(errno, 0);
    ck_assert(unit_intact(small, 1000, 1) && unit_intact(large, PM_DEDICATED_MIN, 1));
    ck_assert_ptr_null(pm_realloc_aligned(small, 100, PM_MIB, "realloc"));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(what_nobody_can_have_moves_nothing)
{
    unit_filled(1000);
    struct pm_arena_totals before = pm_arena_totals();
    ck_assert_ptr_null(pm_alloc((size_t)1 << 47));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_eq(pm_arena_totals().mapped, before.mapped);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, arenas_and_pools_that_hold_nothing_go);
    tcase_add_test(tests, what_is_free_behind_blocks_goes);
    tcase_add_test(tests, what_is_free_between_blocks_goes);
    tcase_add_test(tests, what_others_map_there_is_theirs);
    tcase_add_test(tests, what_cannot_be_unmapped_stays);
    tcase_add_test(tests, a_hole_serves_a_block_that_would_have_its_own_mapping);
    tcase_add_test(tests, a_block_that_shrinks_stays_where_there_is_no_room);
    tcase_add_test(tests, what_nobody_can_have_moves_nothing);
    tcase_add_test(tests, a_block_grows_when_what_holds_nothing_has_gone);
}

int main(void)
{
    return unit_run("limit", add);
}
