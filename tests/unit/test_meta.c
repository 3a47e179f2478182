/*
 * test_meta.c - metadata: zeroed, cache-line aligned, recycled by size, and given back by the page.
 */
#include "unit.h"

#include "arena/meta.h"
#include "arena/purge.h"
#include "os/lock.h"

START_TEST(pieces_are_zeroed_and_apart)
{
    enum { PIECES = 500 };
    static char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = pm_meta_alloc(1 + i * 7);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % PM_CACHE_LINE, 0);
        ck_assert(unit_is_zero(pieces[i], 1 + i * 7));
        unit_fill(pieces[i], 1 + i * 7, (unsigned)i);
    }
    for (size_t i = 0; i < PIECES; i++)
        ck_assert(unit_intact(pieces[i], 1 + i * 7, (unsigned)i));
}
END_TEST

/* Nothing is mapped for a piece that is there already. */
static void come_and_go(size_t size, int times)
{
    size_t mapped = pm_meta_mapped();
    for (int i = 0; i < times; i++)
        pm_meta_free(pm_meta_alloc(size), size);
    ck_assert_uint_eq(pm_meta_mapped(), mapped);
}

START_TEST(a_freed_piece_serves_its_size_again)
{
    static const size_t sizes[] = {1, 64, 65, 1000, 8322, 160 * 64, 18600, 64 * 1024};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        char *piece = pm_meta_alloc(sizes[i]);
        memset(piece, 0xff, sizes[i]);
        pm_meta_free(piece, sizes[i]);
        char *again = pm_meta_alloc(sizes[i]);
        ck_assert_ptr_eq(again, piece);
        ck_assert(unit_is_zero(again, sizes[i]));
    }
    come_and_go(500, 100000);
}
END_TEST

/* The descriptor of an arena that comes and goes. */
START_TEST(no_piece_is_lost)
{
    pm_meta_free(pm_meta_alloc(18600), 18600);
    come_and_go(18600, 1000);
}
END_TEST

START_TEST(the_rest_of_a_chunk_is_used)
{
    enum { CHUNK = 256 * 1024, PIECE = 60 * 1024, REST = CHUNK % PIECE - 1024 };
    for (int i = 0; i < 2 * (CHUNK / PIECE); i++)
        ck_assert_ptr_nonnull(pm_meta_alloc(PIECE));
    size_t mapped = pm_meta_mapped();
    ck_assert_uint_eq(mapped, (2 + 1) * CHUNK); /* the first is twice as much */
    for (int i = 0; i < 2 * (REST / 1024); i++)
        ck_assert(unit_is_zero(pm_meta_alloc(1024), 1024));
    ck_assert_uint_eq(pm_meta_mapped(), mapped);
}
END_TEST

START_TEST(a_large_piece_keeps_the_chunk)
{
    char *before = pm_meta_alloc(64);
    size_t mapped = pm_meta_mapped();
    char *large = pm_meta_alloc(PM_MIB);
    ck_assert(unit_is_zero(large, PM_MIB));
    ck_assert_uint_eq(pm_meta_mapped(), mapped + PM_MIB);
    ck_assert_ptr_eq((char *)pm_meta_alloc(64), before + 64);
    memset(large, 0xff, PM_MIB);
    pm_meta_free(large, PM_MIB);
    ck_assert(unit_is_zero(pm_meta_alloc(160 * 64), 160 * 64));
}
END_TEST

START_TEST(refused_memory_is_null_and_harmless)
{
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    errno = 0;
    ck_assert_ptr_null(pm_meta_alloc(64));
    ck_assert_ptr_null(pm_meta_alloc(PM_MIB));
    ck_assert_ptr_null(pm_meta_map(1));
    ck_assert_int_eq(errno, 0);
    ck_assert_uint_eq(pm_meta_mapped(), 0);
    unit_os_heal();
    ck_assert_ptr_nonnull(pm_meta_alloc(64));
    ck_assert_uint_gt(pm_meta_mapped(), 0);
}
END_TEST

START_TEST(tables_are_whole_pages)
{
    size_t mapped = pm_meta_mapped();
    char *table = pm_meta_map(1);
    ck_assert_uint_eq((uintptr_t)table % pm_os_page_size(), 0);
    ck_assert(unit_is_zero(table, pm_os_page_size()));
    ck_assert_uint_eq(pm_meta_mapped() - mapped, pm_os_page_size());
}
END_TEST

static void *churn(void *argument)
{
    unsigned tag = *(unsigned *)argument;
    for (size_t i = 0; i < 3000; i++) {
        size_t size = 64 + i % 13 * 64;
        char *piece = pm_meta_alloc(size);
        UNIT_CHECK(unit_is_zero(piece, size));
        unit_fill(piece, size, tag);
        UNIT_CHECK(unit_intact(piece, size, tag));
        pm_meta_free(piece, size);
    }
    return NULL;
}

START_TEST(threads_share_it)
{
    pthread_t threads[4];
    unsigned tags[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, &tags[i]), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

START_TEST(lines_come_and_go_together)
{
    enum { LINES = 8 };
    void *pieces[LINES], *again[LINES];
    ck_assert_uint_eq(pm_meta_alloc_lines(pieces, LINES), LINES);
    for (size_t i = 0; i < LINES; i++) {
        ck_assert_uint_eq((uintptr_t)pieces[i] % PM_CACHE_LINE, 0);
        unit_fill(pieces[i], PM_CACHE_LINE, (unsigned)i);
    }
    for (size_t i = 0; i < LINES; i++)
        ck_assert(unit_intact(pieces[i], PM_CACHE_LINE, (unsigned)i));
    pm_meta_free_lines(pieces, LINES);
    ck_assert_uint_eq(pm_meta_alloc_lines(again, LINES), LINES);
    for (size_t i = 0; i < LINES; i++)
        ck_assert_ptr_eq(again[i], pieces[LINES - 1 - i]); /* the last freed first */
}
END_TEST

START_TEST(as_many_lines_as_there_is_memory_for)
{
    void *pieces[8];
    unit_os_install();
    unit_os_fail(UNIT_BIT(UNIT_MAP), 1, true);
    size_t count, all = 0;
    while ((count = pm_meta_alloc_lines(pieces, UNIT_COUNT_OF(pieces))) == UNIT_COUNT_OF(pieces))
        all += count;
    ck_assert_uint_eq(pm_meta_alloc_lines(pieces, 1), 0);
    unit_os_heal();
    ck_assert_uint_eq(pm_meta_alloc_lines(pieces, 1), 1);
    ck_assert_uint_lt(all + count, (size_t)256 * 1024 / PM_CACHE_LINE + 1);
}
END_TEST

/* As many pools have. */
enum { DESCRIPTORS = 2000, SIZE = 800, ALL = DESCRIPTORS * 832 };

static char *descriptors[DESCRIPTORS];

static void make_descriptors(void)
{
    for (size_t i = 0; i < DESCRIPTORS; i++) {
        descriptors[i] = pm_meta_alloc(SIZE);
        ck_assert(unit_is_zero(descriptors[i], SIZE));
        unit_fill(descriptors[i], SIZE, (unsigned)i);
    }
}

/* All but one of so many. */
static void free_descriptors(size_t kept)
{
    for (size_t i = 0; i < DESCRIPTORS; i++) {
        if (i % kept != 0)
            pm_meta_free(descriptors[i], SIZE);
    }
}

static void are_intact(size_t kept)
{
    for (size_t i = 0; i < DESCRIPTORS; i += kept)
        ck_assert(unit_intact(descriptors[i], SIZE, (unsigned)i));
}

START_TEST(pages_without_a_piece_go_back)
{
    enum { KEPT = 100 };
    make_descriptors();
    size_t mapped = pm_meta_mapped();
    free_descriptors(KEPT);
    size_t purged = pm_meta_purge(false);
    ck_assert_uint_ge(purged, ALL - ALL / 8);
    ck_assert_uint_lt(purged, ALL);
    ck_assert_uint_eq(pm_meta_mapped(), mapped);
    ck_assert_uint_eq(pm_meta_kept(), mapped - purged);
    ck_assert_uint_eq(pm_meta_purge(false), 0);
    are_intact(KEPT);
    for (size_t i = 0; i < DESCRIPTORS; i++) {
        if (i % KEPT != 0)
            descriptors[i] = pm_meta_alloc(SIZE);
        ck_assert(i % KEPT == 0 || unit_is_zero(descriptors[i], SIZE));
    }
    ck_assert_uint_le(pm_meta_mapped(), mapped + mapped / 4); /* the same addresses serve again */
    are_intact(KEPT);
}
END_TEST

START_TEST(what_served_of_late_stays)
{
    make_descriptors();
    free_descriptors(DESCRIPTORS);
    ck_assert_uint_eq(pm_meta_purge(true), 0); /* of late they were in use */
    make_descriptors();
    free_descriptors(DESCRIPTORS);
    ck_assert_uint_eq(pm_meta_purge(true), 0); /* meanwhile they were again */
    ck_assert_uint_ge(pm_meta_purge(true), ALL - ALL / 8);
}
END_TEST

START_TEST(pages_that_the_system_refuses_serve_on)
{
    unit_os_install();
    make_descriptors();
    free_descriptors(DESCRIPTORS);
    unit_os_fail(UNIT_BIT(UNIT_PURGE), 1, true);
    ck_assert_uint_eq(pm_meta_purge(false), 0);
    size_t mapped = pm_meta_mapped();
    make_descriptors();
    ck_assert_uint_le(pm_meta_mapped(), mapped + mapped / 4);
    unit_os_heal();
}
END_TEST

/* Here and there is one in use: nothing is gained, and it is not tried again for that. */
START_TEST(pages_in_use_are_left_alone)
{
    enum { LINES = 20000, EACH = 32 };
    static void *lines[LINES];
    for (size_t i = 0; i < LINES; i++)
        lines[i] = pm_meta_alloc(PM_CACHE_LINE);
    for (size_t i = 0; i < LINES; i++) {
        if (i % EACH != 0)
            pm_meta_free(lines[i], PM_CACHE_LINE);
    }
    ck_assert_uint_eq(pm_meta_purge(false), 0);
    char *piece = pm_meta_alloc((EACH - 1) * PM_CACHE_LINE); /* they have grown together */
    ck_assert(unit_is_zero(piece, (EACH - 1) * PM_CACHE_LINE));
    bool is_between = false;
    for (size_t i = 0; i < LINES; i += EACH)
        is_between |= piece == (char *)lines[i] + PM_CACHE_LINE;
    ck_assert(is_between || pm_os_page_size() < EACH * PM_CACHE_LINE);
}
END_TEST

/* A purge goes through all of it: after one that had to leave much, a little more is not worth it.
 */
START_TEST(the_more_had_to_stay_the_more_has_to_come)
{
    enum { LINES = 60000, EACH = 32, SOME = 2000 };
    static void *lines[LINES], *some[SOME];
    for (size_t i = 0; i < LINES; i++)
        lines[i] = pm_meta_alloc(PM_CACHE_LINE);
    for (size_t i = 0; i < SOME; i++)
        some[i] = pm_meta_alloc(PM_CACHE_LINE);
    for (size_t i = 0; i < LINES; i++) {
        if (i % EACH != 0)
            pm_meta_free(lines[i], PM_CACHE_LINE);
    }
    ck_assert_uint_eq(pm_meta_purge(false), 0);
    for (size_t i = 0; i < SOME; i++)
        pm_meta_free(some[i], PM_CACHE_LINE);
    ck_assert_uint_eq(pm_meta_purge(false), 0);
    for (size_t i = 0; i < LINES; i += EACH)
        pm_meta_free(lines[i], PM_CACHE_LINE); /* now they lie free as a whole */
    pm_meta_purge(false);
    make_descriptors();
    free_descriptors(DESCRIPTORS);
    ck_assert_uint_gt(pm_meta_purge(false), (LINES + SOME) * PM_CACHE_LINE / 2);
}
END_TEST

static atomic_bool is_over;

static void *purge_all_along(void *argument)
{
    size_t *purged = argument;
    while (!atomic_load(&is_over)) {
        pm_lock(&pm_purge_lock);
        *purged += pm_meta_purge(false);
        pm_unlock(&pm_purge_lock);
    }
    return NULL;
}

/* Pieces of all sizes come and go meanwhile; what there was of them is free now and then. */
static void *come_and_go_in_hundreds(void *argument)
{
    enum { HELD = 200 };
    unsigned tag = *(unsigned *)argument;
    char *held[HELD];
    for (size_t round = 0; round < 40; round++) {
        for (size_t i = 0; i < HELD; i++) {
            size_t size = 64 + (i + round) % 40 * 64;
            held[i] = pm_meta_alloc(size);
            UNIT_CHECK(unit_is_zero(held[i], size));
            unit_fill(held[i], size, tag);
        }
        for (size_t i = 0; i < HELD; i++) {
            size_t size = 64 + (i + round) % 40 * 64;
            UNIT_CHECK(unit_intact(held[i], size, tag));
            pm_meta_free(held[i], size);
        }
    }
    return NULL;
}

START_TEST(pages_go_while_others_allocate)
{
    pthread_t threads[3], purger;
    unsigned tags[3] = {1, 2, 3};
    size_t purged = 0;
    ck_assert_int_eq(pthread_create(&purger, NULL, purge_all_along, &purged), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go_in_hundreds, &tags[i]), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    atomic_store(&is_over, true);
    ck_assert_int_eq(pthread_join(purger, NULL), 0);
    pm_lock(&pm_purge_lock);
    ck_assert_uint_gt(purged + pm_meta_purge(false), 0);
    pm_unlock(&pm_purge_lock);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, pieces_are_zeroed_and_apart);
    tcase_add_test(tests, a_freed_piece_serves_its_size_again);
    tcase_add_test(tests, lines_come_and_go_together);
    tcase_add_test(tests, as_many_lines_as_there_is_memory_for);
    tcase_add_test(tests, no_piece_is_lost);
    tcase_add_test(tests, pages_without_a_piece_go_back);
    tcase_add_test(tests, what_served_of_late_stays);
    tcase_add_test(tests, pages_that_the_system_refuses_serve_on);
    tcase_add_test(tests, pages_in_use_are_left_alone);
    tcase_add_test(tests, the_more_had_to_stay_the_more_has_to_come);
    tcase_add_test(tests, pages_go_while_others_allocate);
    tcase_add_test(tests, the_rest_of_a_chunk_is_used);
    tcase_add_test(tests, a_large_piece_keeps_the_chunk);
    tcase_add_test(tests, refused_memory_is_null_and_harmless);
    tcase_add_test(tests, tables_are_whole_pages);
    tcase_add_test(tests, threads_share_it);
}

int main(void)
{
    return unit_run("meta", add);
}
