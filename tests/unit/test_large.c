/*
 * test_large.c - blocks above the largest class: sizes, contents and addresses
 * when they grow and shrink, and when the system refuses.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
#include "heap/alloc.h"
#include "heap/large.h"
#include "heap/misuse.h"
#include "heap/thread.h"
#include "pool/sizeclass.h"

static void setup(void)
{
    unit_os_install();
}

static struct pm_large *large_at(void *block)
{
    struct pm_span *span = pm_ownermap_get(block);
    ck_assert_ptr_nonnull(span);
    ck_assert_int_eq(span->kind, PM_SPAN_LARGE);
    ck_assert_uint_eq(span->start, (uintptr_t)block);
    return pm_large_of_span(span);
}

static size_t active(void)
{
    return pm_arena_totals().taken;
}

/* What a block in a shared arena occupies: whole slices, whole pages. */
static size_t occupied(size_t size)
{
    size_t page = pm_os_page_size();
    return pm_align_up(size, page < PM_SLICE ? PM_SLICE : page);
}

static void *filled(size_t size)
{
    void *block = pm_large_alloc(size, 16, false);
    ck_assert_ptr_nonnull(block);
    unit_fill(block, size, 3);
    return block;
}

/* A hole: 2 MiB that are clean, and as many that are not. */
START_TEST(zeros_are_clean_pages_and_others_resident_ones)
{
    char *clean = filled(2 * PM_MIB), *dirty = filled(2 * PM_MIB), *fence = filled(40000);
    ck_assert_ptr_eq(clean + 2 * PM_MIB, dirty);
    pm_large_free(large_at(clean), clean, "free");
    pm_purge_all();
    pm_large_free(large_at(dirty), dirty, "free");
    void *resident = pm_large_alloc(PM_MIB, 16, false);
    ck_assert_ptr_eq(resident, dirty);
    pm_large_free(large_at(resident), resident, "free");
    void *zeros = pm_large_alloc(PM_MIB, 16, true);
    ck_assert_ptr_eq(zeros, clean);
    ck_assert(unit_is_zero(zeros, PM_MIB));
    ck_assert_ptr_nonnull(fence);
}
END_TEST

/* Two holes whose ends are resident: copied to these, it would have no room to grow, and go from
 * one to the other. */
START_TEST(a_block_that_grows_in_small_steps_is_hardly_ever_copied)
{
    enum { CLEAN = 14 * PM_MIB, DIRTY = 16 * PM_MIB };
    char *arena = filled(31 * PM_MIB), *clean[2], *dirty[2]; /* one for all of them */
    for (int i = 0; i < 2; i++) {
        clean[i] = filled(CLEAN);
        dirty[i] = filled(DIRTY);
        ck_assert_ptr_eq(clean[i] + CLEAN, dirty[i]);
        ck_assert_ptr_eq(dirty[i] + DIRTY, filled(40000));
    }
    for (int i = 0; i < 2; i++)
        pm_large_free(large_at(clean[i]), clean[i], "free");
    pm_purge_all();
    for (int i = 0; i < 2; i++)
        pm_large_free(large_at(dirty[i]), dirty[i], "free");
    char *block = filled(DIRTY);
    int moves = 0;
    for (size_t size = DIRTY; size < CLEAN + DIRTY - PM_MIB; size += PM_SLICE) {
        char *next = pm_large_resize(large_at(block), size, 16);
        if (next == NULL)
            return; /* a system that cannot remap: it is the caller who copies */
        moves += next != block;
        block = next;
    }
    ck_assert_int_le(moves, 4);
    ck_assert_ptr_nonnull(arena);
}
END_TEST

/* By an eighth each time, from 2 MiB to 24; returns the block. */
static char *grown(void)
{
    size_t size = 2 * PM_MIB;
    char *block = filled(size);
    while (block != NULL && size < 24 * PM_MIB) {
        size += size / 8;
        block = pm_large_resize(large_at(block), size, 16);
        if (block != NULL)
            ck_assert(unit_intact(block, 2 * PM_MIB, 3));
    }
    return block;
}

START_TEST(the_next_that_grows_has_the_pages_of_the_last)
{
    pm_purge_set_decay(60000); /* however slow the machine is */
    char *hemmed_in[] = {filled(2 * PM_MIB), filled(40000)};
    pm_large_free(large_at(hemmed_in[0]), hemmed_in[0], "free");
    char *first = grown();
    if (first == NULL)
        return; /* a system that cannot remap: it is the caller who copies */
    size_t bytes = pm_arena_span_bytes(&large_at(first)->span), peak = pm_arena_totals().peak_taken;
    pm_large_free(large_at(first), first, "free");
    char *second = grown();
    ck_assert_ptr_eq(second, first);
    ck_assert_uint_eq(pm_arena_span_bytes(&large_at(second)->span), bytes);
    ck_assert_uint_le(pm_arena_totals().peak_taken, peak + PM_MIB);
    char *shrunk = pm_large_resize(large_at(second), 3 * PM_MIB, 16);
    ck_assert_uint_eq(pm_arena_span_bytes(&large_at(shrunk)->span), 3 * PM_MIB);
    ck_assert(unit_intact(shrunk, 2 * PM_MIB, 3));
    pm_arena_check();
}
END_TEST

START_TEST(waste_is_bounded)
{
    for (size_t size = PM_POOL_SIZE_MAX + 1; size < 80 * PM_MIB; size += size / 7 + 1) {
        void *block = pm_large_alloc(size, 16, false);
        size_t usable = large_at(block)->usable;
        ck_assert_uint_ge(usable, size);
        ck_assert_uint_le((usable - size) * 8, size);
        ck_assert_uint_le(usable, pm_arena_span_bytes(&large_at(block)->span));
        ((char *)block)[0] = ((char *)block)[usable - 1] = 1;
        pm_large_free(large_at(block), block, "free");
        ck_assert(!pm_block_is_live(block));
    }
    ck_assert_uint_eq(active(), 0);
}
END_TEST

START_TEST(alignment_is_kept)
{
    for (size_t align = 16; align <= 256 * PM_MIB; align *= 2) {
        void *block = pm_large_alloc(40000, align, false);
        void *dedicated = pm_large_alloc(PM_DEDICATED_MIN + 1, align, false);
        ck_assert_uint_eq((uintptr_t)block % align, 0);
        ck_assert_uint_eq((uintptr_t)dedicated % align, 0);
        pm_large_free(large_at(dedicated), dedicated, "free");
    }
}
END_TEST

START_TEST(zeroed_blocks_are_zero)
{
    static const size_t sizes[] = {40000, 5 * PM_MIB, PM_DEDICATED_MIN};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        for (int round = 0; round < 2; round++) {
            char *block = pm_large_alloc(sizes[i], 16, true);
            ck_assert(unit_is_zero(block, sizes[i]));
            memset(block, 0xff, sizes[i]);
            pm_large_free(large_at(block), block, "free");
        }
    }
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    ck_assert_ptr_null(pm_large_alloc(SIZE_MAX, 16, false));
    ck_assert_ptr_null(pm_large_alloc(PTRDIFF_MAX, 16, false));
    ck_assert_ptr_null(pm_large_alloc(PTRDIFF_MAX - PM_SLICE, 16, false));
    ck_assert_ptr_null(pm_large_alloc((size_t)1 << 47, 16, false));
    ck_assert_ptr_null(pm_large_alloc(40000, (size_t)1 << 63, false));
    ck_assert_ptr_null(pm_large_alloc(40000, (size_t)1 << 61, false));
    ck_assert_uint_eq(active(), 0);
}
END_TEST

START_TEST(resize_in_place)
{
    void *block = filled(100000);
    struct pm_large *large = large_at(block);
    ck_assert_ptr_eq(pm_large_resize(large, 120000, PM_GRANULE), block);
    ck_assert_uint_ge(large->usable, 120000);
    ck_assert_ptr_eq(pm_large_resize(large, 400000, PM_GRANULE), block);
    ck_assert_ptr_eq(pm_large_resize(large, 40000, PM_GRANULE), block);
    ck_assert_uint_eq(active(), occupied(40000));
    ck_assert(unit_holds(block, 100000, 40000, 3));
    ck_assert_ptr_null(pm_large_resize(large, PM_POOL_SIZE_MAX, PM_GRANULE));
    ck_assert_ptr_null(pm_large_resize(large, SIZE_MAX, PM_GRANULE));
    ck_assert_ptr_eq(pm_large_resize(large, 900000, PM_GRANULE), block);
    void *next = filled(40000);
    ck_assert_ptr_null(
        pm_large_resize(large, 3 * PM_MIB, PM_GRANULE)); /* small and hemmed in: a copy */
    ck_assert_uint_ge(large->usable, 900000);
    ck_assert(unit_intact(next, 40000, 3));
}
END_TEST

START_TEST(a_hemmed_in_block_moves_its_pages)
{
    void *block = filled(2 * PM_MIB);
    void *fence = filled(40000);
    void *moved = pm_large_resize(large_at(block), 50 * PM_MIB, PM_GRANULE);
    if (moved == NULL)
        return; /* a system that cannot */
    ck_assert(unit_intact(moved, 2 * PM_MIB, 3));
    ck_assert_uint_eq(large_at(moved)->usable, 50 * PM_MIB);
    ck_assert_ptr_null(pm_ownermap_get(block));
    moved = pm_large_resize(large_at(moved), 500 * PM_MIB, PM_GRANULE);
    ck_assert(unit_intact(moved, 2 * PM_MIB, 3));
    moved = pm_large_resize(large_at(moved), 3 * PM_MIB, PM_GRANULE);
    ck_assert(unit_intact(moved, 2 * PM_MIB, 3));
    ck_assert_uint_eq(active(), 3 * PM_MIB + occupied(40000));
    ck_assert_ptr_null(pm_large_resize(large_at(moved), 100000, PM_GRANULE));
    pm_large_free(large_at(moved), moved, "free");
    ck_assert(unit_intact(fence, 40000, 3));
}
END_TEST

START_TEST(a_hemmed_in_block_grows_where_slices_are_resident)
{
    char *block = filled(2 * PM_MIB), *fence = filled(40000);
    char *resident = filled(5 * PM_MIB), *second = filled(40000);
    pm_large_free(large_at(resident), resident, "free");
    char *moved = pm_large_resize(large_at(block), 4 * PM_MIB, PM_GRANULE);
    ck_assert_ptr_eq(moved, resident);
    ck_assert_ptr_null(pm_ownermap_get(block));
    ck_assert_uint_eq(large_at(moved)->usable, 4 * PM_MIB);
    ck_assert_uint_eq(active(), 4 * PM_MIB + 2 * occupied(40000));
    ck_assert(unit_intact(moved, 2 * PM_MIB, 3));
    ck_assert_ptr_eq(pm_large_resize(large_at(moved), 5 * PM_MIB, PM_GRANULE), moved);
    ck_assert(unit_intact(fence, 40000, 3));
    ck_assert(unit_intact(second, 40000, 3));
    pm_large_free(large_at(moved), moved, "free");
}
END_TEST

/* realloc() falls back to copying; here at the level where "nothing has changed" shows. */
START_TEST(a_refused_move_changes_nothing)
{
    static const unsigned refused[] = {UNIT_BIT(UNIT_MOVE), UNIT_BIT(UNIT_RESIZE),
                                       UNIT_BIT(UNIT_MAP) | UNIT_BIT(UNIT_RESIZE)};
    for (size_t i = 0; i < UNIT_COUNT_OF(refused); i++) {
        void *block = filled(2 * PM_MIB);
        filled(40000);
        unit_os_fail(refused[i], 1, true);
        ck_assert_ptr_null(pm_large_resize(large_at(block), 50 * PM_MIB, PM_GRANULE));
        unit_os_heal();
        ck_assert_ptr_nonnull(pm_ownermap_get(block));
        ck_assert_uint_eq(large_at(block)->usable, 2 * PM_MIB);
        ck_assert(unit_intact(block, 2 * PM_MIB, 3));
    }
}
END_TEST

START_TEST(realloc_copies_when_pages_cannot_move)
{
    static const unsigned refused[] = {UNIT_BIT(UNIT_MOVE), UNIT_BIT(UNIT_RESIZE)};
    for (size_t i = 0; i < UNIT_COUNT_OF(refused); i++) {
        void *block = filled(2 * PM_MIB);
        filled(40000);
        unit_os_fail(refused[i], 1, true);
        void *copy = pm_realloc(block, 50 * PM_MIB, "realloc");
        ck_assert_ptr_nonnull(copy);
        ck_assert(unit_intact(copy, 2 * PM_MIB, 3));
        copy = pm_realloc(copy, 90 * PM_MIB, "realloc");
        ck_assert(unit_intact(copy, 2 * PM_MIB, 3));
        pm_free(copy, "free");
        unit_os_heal();
    }
}
END_TEST

/* As when the kernel is out of mappings: trimming an aligned block's mapping fails. */
START_TEST(an_aligned_block_grows_though_unmap_fails)
{
    unit_os_fail(UNIT_BIT(UNIT_UNMAP), 1, true);
    void *block = pm_alloc_aligned(33 * PM_MIB, 64 * PM_MIB);
    ck_assert_ptr_nonnull(block);
    unit_fill(block, 33 * PM_MIB, 4);
    void *grown = pm_realloc(block, 150 * PM_MIB, "realloc");
    ck_assert_ptr_nonnull(grown);
    ck_assert(unit_intact(grown, 33 * PM_MIB, 4));
    memset(grown, 1, 150 * PM_MIB);
}
END_TEST

/* Another thread has just freed the block. */
static void free_second(void *block)
{
    struct pm_large *large = large_at(block);
    pm_large_set_usable(large, 0);
    pm_large_free(large, block, "free");
}

/* And its descriptor has got another one since it was found. */
static void free_late(void *block)
{
    struct pm_large *large = large_at(block);
    large->span.start += PM_SLICE;
    pm_large_free(large, block, "free");
}

START_TEST(the_second_of_two_frees_is_told)
{
    char line[100];
    void *block = filled(40000);
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", block);
    unit_child_aborts(free_second, block, line);
    unit_child_aborts(free_late, block, line);
}
END_TEST

static bool has_heap;

static void *take_first(void *size)
{
    pm_free(pm_alloc(*(size_t *)size), "free");
    has_heap = pm_thread_has_heap(pm_tls_heap);
    return NULL;
}

/* For the next ones; larger blocks it cannot keep. */
START_TEST(a_thread_gets_a_heap_with_its_first_buffer)
{
    size_t sizes[] = {PM_SPARE_LENGTHS * PM_SLICE, PM_SPARE_LENGTHS * PM_SLICE + 1};
    unit_in_thread(take_first, &sizes[0]);
    ck_assert(has_heap);
    unit_in_thread(take_first, &sizes[1]);
    ck_assert(!has_heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, zeros_are_clean_pages_and_others_resident_ones);
    tcase_add_test(tests, a_block_that_grows_in_small_steps_is_hardly_ever_copied);
    tcase_add_test(tests, the_next_that_grows_has_the_pages_of_the_last);
    tcase_add_test(tests, waste_is_bounded);
    tcase_add_test(tests, a_thread_gets_a_heap_with_its_first_buffer);
    tcase_add_test(tests, alignment_is_kept);
    tcase_add_test(tests, zeroed_blocks_are_zero);
    tcase_add_test(tests, impossible_sizes_are_refused);
    tcase_add_test(tests, resize_in_place);
    tcase_add_test(tests, a_hemmed_in_block_moves_its_pages);
    tcase_add_test(tests, a_hemmed_in_block_grows_where_slices_are_resident);
    tcase_add_test(tests, a_refused_move_changes_nothing);
    tcase_add_test(tests, realloc_copies_when_pages_cannot_move);
    tcase_add_test(tests, an_aligned_block_grows_though_unmap_fails);
    tcase_add_test(tests, the_second_of_two_frees_is_told);
}

int main(void)
{
    return unit_run("large", add);
}
