/*
 * test_chunks.c - chunks of metadata: found by their pieces, and their pages given back and used
 * again.
 */
#include "unit.h"

#include "arena/chunks.h"
#include "arena/meta.h"
#include "os/lock.h"

static struct pm_chunk_run take(size_t bytes)
{
    struct pm_chunk_run run = {NULL, 0};
    ck_assert(pm_chunks_take(bytes, &run));
    ck_assert_uint_ge(run.bytes, bytes);
    ck_assert(unit_is_zero(run.start, run.bytes));
    return run;
}

static size_t count_chunks(void)
{
    size_t count = 0;
    for (struct pm_chunk *chunk = pm_chunks_next(NULL); chunk != NULL;
         chunk = pm_chunks_next(chunk))
        count++;
    return count;
}

static size_t purge_all(void)
{
    size_t purged = 0;
    for (struct pm_chunk *chunk = pm_chunks_next(NULL); chunk != NULL;
         chunk = pm_chunks_next(chunk))
        purged += pm_chunk_purge(chunk);
    return purged;
}

START_TEST(a_chunk_is_one_run)
{
    struct pm_chunk_run first = take(PM_CHUNK_PIECE_MAX), second = take(64);
    ck_assert_uint_eq((uintptr_t)first.start % PM_CACHE_LINE, 0);
    ck_assert_uint_eq(first.bytes, second.bytes);
    ck_assert_uint_eq(count_chunks(), 2);
    ck_assert_uint_eq(pm_meta_mapped(),
                      (2 + 1) * (size_t)256 * 1024); /* the second's rest is back */
    ck_assert_uint_eq(pm_chunks_gone(), 0);
}
END_TEST

START_TEST(what_is_marked_goes_and_serves_again)
{
    struct pm_chunk_run run = take(64);
    size_t page = pm_os_page_size();
    memset(run.start, 0xa5, run.bytes);
    pm_chunks_mark(run.start, run.bytes);
    size_t purged = purge_all();
    ck_assert_uint_eq(purged, pm_align_down(run.bytes, page));
    ck_assert_uint_eq(pm_chunks_gone(), purged);
    struct pm_chunk_run rest;
    ck_assert(pm_chunk_unmark(pm_chunks_next(NULL), &rest)); /* on the page of the header */
    ck_assert_ptr_eq(rest.start, run.start);
    ck_assert_uint_eq(rest.bytes, run.bytes - purged);
    ck_assert_uint_eq((unsigned char)rest.start[rest.bytes - 1], 0xa5);
    ck_assert(!pm_chunk_unmark(pm_chunks_next(NULL), &rest));

    struct pm_chunk_run again = take(PM_CHUNK_PIECE_MAX);
    ck_assert_uint_eq(again.bytes, purged);
    ck_assert_uint_eq(pm_chunks_gone(), 0);
    ck_assert_uint_eq(count_chunks(), 1);
}
END_TEST

START_TEST(a_run_is_as_long_as_is_asked)
{
    struct pm_chunk_run run = take(64);
    size_t page = pm_os_page_size();
    char *pages = (char *)pm_align_up((uintptr_t)run.start, page);
    pm_chunks_mark(pages, page); /* one, and then two */
    pm_chunks_mark(pages + 2 * page - PM_CACHE_LINE, PM_CACHE_LINE);
    if (page > PM_CHUNK_PIECE_MAX / 2)
        return;
    pm_chunks_mark(pages + 4 * page, 2 * page);
    ck_assert_uint_eq(purge_all(), 3 * page);
    struct pm_chunk_run longer = take(page + 64), shorter = take(64);
    ck_assert_ptr_eq(longer.start, pages + 4 * page);
    ck_assert_uint_eq(longer.bytes, 2 * page);
    ck_assert_ptr_eq(shorter.start, pages);
    ck_assert_uint_eq(shorter.bytes, page);
    ck_assert_uint_eq(count_chunks(), 1);
    take(64);
    ck_assert_uint_eq(count_chunks(), 2);
}
END_TEST

START_TEST(what_is_unmarked_is_no_longer_than_a_piece)
{
    struct pm_chunk_run run = take(64), piece;
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    pm_chunks_mark(run.start, run.bytes);
    ck_assert_uint_eq(purge_all(), 0); /* refused */
    unit_os_heal();
    char *end = run.start;
    while (pm_chunk_unmark(pm_chunks_next(NULL), &piece)) {
        ck_assert_ptr_eq(piece.start, end);
        ck_assert_uint_le(piece.bytes, PM_CHUNK_PIECE_MAX);
        end += piece.bytes;
    }
    ck_assert_ptr_eq(end, run.start + run.bytes);
    ck_assert_uint_eq(purge_all(), 0);
}
END_TEST

START_TEST(no_chunk_is_no_harm)
{
    struct pm_chunk_run run;
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    ck_assert(!pm_chunks_take(64, &run));
    ck_assert_ptr_null(pm_chunks_next(NULL));
    unit_os_heal();
    unit_os_fail(UNIT_BIT(UNIT_UNMAP), 1, true); /* what alignment took stays mapped */
    ck_assert(pm_chunks_take(64, &run));
    ck_assert(pm_chunks_take(64, &run));
    ck_assert_uint_le(pm_meta_mapped(), 4 * (size_t)256 * 1024);
    unit_os_heal();
}
END_TEST

enum { CHUNK = 256 * 1024 };

static char *place; /* where there is memory, but not for two chunks */

static void *map_there(size_t size)
{
    return size == CHUNK ? place : NULL;
}

START_TEST(where_twice_as_much_is_refused_one_will_do_if_it_is_aligned)
{
    struct pm_chunk_run run;
    char *aligned = (char *)pm_align_up((uintptr_t)pm_os_memory.map(4 * CHUNK), CHUNK);
    pm_os_memory.map = map_there;
    place = aligned + pm_os_page_size();
    ck_assert(!pm_chunks_take(64, &run));
    ck_assert_uint_eq(pm_meta_mapped(), 0);
    place = aligned + 2 * CHUNK;
    ck_assert(pm_chunks_take(64, &run));
    ck_assert_ptr_eq(pm_chunks_next(NULL), (struct pm_chunk *)place);
    ck_assert_uint_eq(pm_meta_mapped(), CHUNK);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_chunk_is_one_run);
    tcase_add_test(tests, what_is_marked_goes_and_serves_again);
    tcase_add_test(tests, a_run_is_as_long_as_is_asked);
    tcase_add_test(tests, what_is_unmarked_is_no_longer_than_a_piece);
    tcase_add_test(tests, no_chunk_is_no_harm);
    tcase_add_test(tests, where_twice_as_much_is_refused_one_will_do_if_it_is_aligned);
}

int main(void)
{
    return unit_run("chunks", add);
}
