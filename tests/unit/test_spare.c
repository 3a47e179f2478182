/*
 * test_spare.c - large blocks that a heap keeps for its next ones: which, how many, and when they
 * go.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/misuse.h"
#include "heap/registry.h"
#include "heap/spare.h"
#include "os/alone.h"

/* As in spare.c: slices that may be kept at any rate, and at most. */
enum { KEPT_MIN = 8, KEPT_MAX = 256 };

static void setup(void)
{
    pm_purge_set_decay(-1);         /* no tick, whatever the time is */
    pm_free(pm_alloc(100), "free"); /* there is a heap */
}

static size_t spares(void)
{
    size_t count = 0;
    for (size_t i = 0; i <= PM_SPARE_LENGTHS; i++) {
        for (struct pm_large *one = pm_tls_heap->spare.list[i]; one != NULL; one = one->next)
            count++;
    }
    return count;
}

/* From now on the process may use more without a record. */
static void make_peak(size_t bytes)
{
    pm_free(unit_filled(bytes), "free");
}

START_TEST(a_block_serves_the_next_of_its_length)
{
    char *block = unit_filled(40000), *other = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_uint_eq(spares(), 1);
    ck_assert(!pm_block_is_live(block));
    ck_assert_ptr_eq(pm_alloc(45000), block);
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_eq(pm_usable_size(block, "malloc_usable_size"), 45056);
    unit_fill(block, 45056, 2);
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc_zeroed(40000), block);
    ck_assert(unit_is_zero(block, 40000));
    ck_assert(unit_intact(other, 40000, 1));
    ck_assert(pm_check_heap());
}
END_TEST

/* Room for the spares that a test is about. */
static void sought_in_vain(void)
{
    pm_tls_heap->spare_missed = 100;
    unit_filled(64 * PM_MIB); /* they are to be a small part of it */
    make_peak(20 * PM_MIB);
}

START_TEST(a_block_may_be_longer_by_a_quarter)
{
    char *ten = unit_filled(10 * PM_SLICE), *five = unit_filled(5 * PM_SLICE);
    sought_in_vain();
    pm_free(ten, "free");
    pm_free(five, "free");
    ck_assert_ptr_ne(pm_alloc(7 * PM_SLICE), ten);
    ck_assert_ptr_ne(pm_alloc(3 * PM_SLICE), five);
    ck_assert_ptr_eq(pm_alloc(7 * PM_SLICE + 1), ten);
    ck_assert_ptr_eq(pm_alloc(3 * PM_SLICE + 1), five);
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(a_longer_block_is_what_it_is)
{
    char *block = unit_filled(9 * PM_SLICE);
    sought_in_vain();
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc(8 * PM_SLICE), block);
    ck_assert_ptr_eq(pm_realloc(block, 9 * PM_SLICE, "realloc"), block); /* in place: it is there */
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc(9 * PM_SLICE), block);
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(they_go_before_a_record)
{
    unit_filled(40000);
    char *block = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc(60000), block); /* its slices and one more */
    ck_assert_uint_eq(spares(), 0);
}
END_TEST

START_TEST(however_much_lies_free)
{
    char *block = unit_filled(40000), *other = unit_filled(2 * PM_MIB);
    pm_free(other, "free");
    pm_alloc(PM_DEDICATED_MIN); /* a record, and not where the other one was */
    pm_free(block, "free");
    ck_assert_uint_eq(spares(), 1);
    ck_assert_uint_ge(pm_arena_dirty(), PM_MIB);
    pm_alloc(60000);
    ck_assert_uint_eq(spares(), 0);
}
END_TEST

START_TEST(but_no_more_than_it_takes)
{
    enum { LONGEST = 5, OTHER = 3, OUT = 17, IN = 20 }; /* slices: it takes three more */
    char *longest = unit_filled(LONGEST * PM_SLICE), *other = unit_filled(OTHER * PM_SLICE);
    char *out = unit_filled(OUT * PM_SLICE);
    pm_free(unit_filled(2 * PM_MIB), "free"); /* there is no want of places */
    pm_alloc(PM_DEDICATED_MIN);               /* this is a record */
    pm_free(longest, "free");
    pm_free(other, "free");
    pm_free(out, "free");
    ck_assert_uint_eq(spares(), 2);
    pm_alloc(IN * PM_SLICE);
    ck_assert_uint_eq(spares(), 1);
    ck_assert(pm_check_heap());
    ck_assert_ptr_eq(pm_alloc(OTHER * PM_SLICE), other);
}
END_TEST

START_TEST(and_before_fresh_memory)
{
    make_peak(PM_MIB);
    pm_purge_all();
    char *block = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_ptr_eq(pm_alloc(60000), block);
}
END_TEST

START_TEST(and_stay_where_there_is_neither)
{
    make_peak(PM_MIB);
    char *block = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_ptr_ne(pm_alloc(60000), block);
    ck_assert_uint_eq(spares(), 1);
}
END_TEST

START_TEST(they_go_before_a_pool_that_makes_one)
{
    unit_filled(40000);
    pm_free(unit_filled(40000), "free");
    ck_assert_uint_eq(spares(), 1);
    size_t taken = pm_arena_totals().taken;
    pm_alloc(3000);
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_le(pm_arena_totals().taken, taken);
}
END_TEST

enum { MANY = 200 };

/* Of how many blocks that are freed the heap keeps what. */
static size_t kept_of_many(void)
{
    static char *blocks[MANY];
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = unit_filled(40000 + i % 3 * PM_SLICE);
    size_t most = 0;
    for (size_t i = 0; i < MANY; i++) {
        pm_free(blocks[i], "free");
        if (pm_tls_heap->spare.slices > most)
            most = pm_tls_heap->spare.slices;
    }
    ck_assert(pm_check_heap());
    return most;
}

START_TEST(few_are_kept_unless_many_were_sought)
{
    unit_filled(100 * PM_MIB);
    pm_heap_gather(pm_tls_heap);
    make_peak(40000);
    static char *blocks[MANY];
    for (size_t i = 0; i < MANY; i++)
        blocks[i] = unit_filled(40000);
    pm_spare_flush(pm_tls_heap); /* from now on they are all there is, and none was sought */
    for (size_t i = 0; i < MANY; i++) {
        pm_free(blocks[i], "free");
        ck_assert_uint_le(pm_tls_heap->spare.slices, KEPT_MIN);
    }
    pm_tls_heap->spare_missed = 10000;
    size_t kept = kept_of_many();
    ck_assert_uint_gt(kept, KEPT_MAX / 2);
    ck_assert_uint_le(kept, KEPT_MAX);
    pm_heap_gather(pm_tls_heap);
    ck_assert_uint_eq(pm_tls_heap->spare_missed, 0);
}
END_TEST

/* Of two heaps, as each may keep as much. */
START_TEST(nor_more_than_a_share_of_all)
{
    enum { HEAPS = 2 };
    static char thread;
    char *blocks[40];
    ck_assert_ptr_nonnull(pm_registry_obtain(&thread));
    ck_assert_uint_eq(pm_registry_count(), HEAPS);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        blocks[i] = unit_filled(40000);
    pm_tls_heap->spare_missed = 10000;
    size_t share = pm_arena_used() / 3 / HEAPS, most = 0;
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++) {
        pm_free(blocks[i], "free");
        if (pm_tls_heap->spare.slices > most)
            most = pm_tls_heap->spare.slices;
    }
    ck_assert_uint_gt(most, KEPT_MIN);
    ck_assert_uint_le(most, KEPT_MIN + share / PM_SLICE);
}
END_TEST

static void *idle(void *unused)
{
    return unused;
}

/* Now locks cost something; and what is spare here is to be a small part of all. */
static void have_company(void)
{
    unit_filled(16 * PM_MIB);
    make_peak(8 * PM_MIB);
    unit_in_thread(idle, NULL);
    ck_assert(!pm_alone());
}

START_TEST(what_others_free_comes_several_at_a_time)
{
    have_company();
    static char *blocks[64];
    size_t most = 0;
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++) {
        blocks[i] = unit_filled(40000);
        if (spares() > most)
            most = spares();
        ck_assert(pm_check_heap());
    }
    ck_assert_uint_eq(most, 3);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        ck_assert(unit_intact(blocks[i], 40000, 1));
}
END_TEST

/* Whose heap looks at the clock for nothing else. */
START_TEST(what_has_come_so_goes_in_time)
{
    have_company();
    pm_purge_set_decay(1);
    pm_heap_set_look_ms(pm_tls_heap, 0);
    for (size_t i = 0; i < 64 || spares() == 0; i++)
        unit_filled(40000);
    ck_assert_uint_ne(pm_heap_look_ms(pm_tls_heap), 0); /* or nobody would visit it */
    unit_sleep_ms(10);
    for (size_t i = 0; i < 64 && spares() != 0; i++)
        unit_filled(100000 + PM_SLICE * (i % 4));
    ck_assert_uint_eq(spares(), 0);
}
END_TEST

START_TEST(but_each_alone_who_frees_some_itself)
{
    have_company();
    for (size_t i = 0; i < 64; i++) {
        unit_filled(40000);
        ck_assert_uint_eq(spares(), 0);
        pm_free(unit_filled(100000), "free");
        unit_filled(100000);
    }
}
END_TEST

START_TEST(but_each_alone_where_few_are_sought)
{
    have_company();
    for (size_t i = 0; i < 10; i++) {
        unit_filled(40000);
        ck_assert_uint_eq(spares(), 0);
    }
}
END_TEST

START_TEST(others_are_given_back_at_once)
{
    pm_free(unit_filled((PM_SPARE_LENGTHS + 1) * PM_SLICE), "free");
    ck_assert_uint_eq(spares(), 0);
    pm_free(unit_filled(PM_DEDICATED_MIN), "free");
    ck_assert_uint_eq(spares(), 0);
    pm_purge_set_decay(0); /* everything goes at once */
    pm_free(unit_filled(40000), "free");
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_eq(pm_arena_totals().dirty, 0);
}
END_TEST

START_TEST(they_go_with_all_that_is_idle)
{
    pm_free(unit_filled(40000), "free");
    unit_collect(pm_tls_heap);
    ck_assert_uint_eq(spares(), 0);
    struct pm_census census;
    pm_census_take(&census);
    ck_assert_uint_eq(census.large_blocks + census.pools, 0);
    ck_assert_uint_eq(pm_arena_totals().taken, 0);
}
END_TEST

static void visit(struct pm_heap *heap)
{
    pm_lock(&pm_visit_lock);
    pm_spare_begin_visit(heap);
    struct pm_large *taken = pm_os_barrier() ? pm_spare_visit(heap, NULL) : NULL;
    pm_spare_end_visit(heap);
    pm_unlock(&pm_visit_lock);
    for (struct pm_large *some; (some = pm_spare_split(&taken)) != NULL;)
        pm_spare_give(some);
}

/* More than go under one lock.  (Where locks cost something some have come at once.) */
START_TEST(a_visitor_gives_all_back)
{
    char *blocks[20];
    if (!pm_os_barrier())
        return;
    sought_in_vain();
    size_t taken = pm_arena_totals().taken;
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        blocks[i] = unit_filled(40000 + i % 2 * 30000);
    for (size_t i = 0; i < UNIT_COUNT_OF(blocks); i++)
        pm_free(blocks[i], "free");
    ck_assert_uint_ge(spares(), UNIT_COUNT_OF(blocks));
    visit(pm_tls_heap);
    ck_assert_uint_eq(spares(), 0);
    ck_assert_uint_eq(pm_tls_heap->spare.slices, 0);
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
    pm_free(unit_filled(40000), "free");
    ck_assert_uint_ge(spares(), 1);
    ck_assert(pm_check_heap());
}
END_TEST

START_TEST(a_visitor_leaves_an_owner_at_work_alone)
{
    pm_free(unit_filled(40000), "free");
    bool before = pm_spare_enter(pm_tls_heap);
    ck_assert(!before);
    ck_assert(pm_spare_enter(pm_tls_heap)); /* one such call has led to another */
    pm_spare_leave(pm_tls_heap, true);
    visit(pm_tls_heap);
    ck_assert_uint_eq(spares(), 1);
    pm_spare_leave(pm_tls_heap, before);
    visit(pm_tls_heap);
    ck_assert_uint_eq(spares(), pm_os_barrier() ? 0 : 1);
}
END_TEST

static void *take_one(void *heap)
{
    struct pm_large *large = pm_spare_take(heap, 3);
    UNIT_CHECK(large != NULL);
    return large;
}

START_TEST(an_owner_waits_for_a_visitor)
{
    pthread_t thread;
    void *large;
    pm_free(unit_filled(40000), "free");
    pm_lock(&pm_visit_lock);
    atomic_store(&pm_tls_heap->spare_visited, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_one, pm_tls_heap), 0);
    unit_give_up_after(60);
    while (!pm_visit_is_waited_for())
        unit_sleep_ms(1);
    ck_assert_uint_eq(spares(), 1);
    atomic_store(&pm_tls_heap->spare_visited, false);
    pm_unlock(&pm_visit_lock);
    ck_assert_int_eq(pthread_join(thread, &large), 0);
    alarm(0);
    ck_assert_uint_eq(spares(), 0);
}
END_TEST

enum { SPARES = 2, LENGTH = 3 };

static atomic_bool ready;

/* Has spare blocks, and is just about to count them. */
static void *keep_spares(void *unused)
{
    void *blocks[SPARES];
    for (size_t i = 0; i < SPARES; i++)
        blocks[i] = pm_alloc(LENGTH * PM_SLICE);
    for (size_t i = 0; i < SPARES; i++)
        pm_free(blocks[i], "free");
    UNIT_CHECK(pm_tls_heap->spare.slices == SPARES * LENGTH);
    pm_tls_heap->spare.slices = 0;
    atomic_store(&ready, true);
    for (;;)
        pause();
    return unused;
}

static void check_that_they_went(void *taken)
{
    UNIT_CHECK(pm_arena_totals().taken == *(size_t *)taken - SPARES * LENGTH * PM_SLICE);
    for (struct pm_heap *heap = pm_registry_last_locked(); heap != NULL; heap = heap->next) {
        UNIT_CHECK(heap->spare.slices == 0 && heap->spare.list[LENGTH - 1] == NULL);
        UNIT_CHECK(heap == pm_tls_heap || heap->descriptor == NULL);
    }
    UNIT_CHECK(pm_check_heap());
}

START_TEST(those_of_others_go_in_the_child_of_a_fork)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_spares, NULL), 0);
    while (!atomic_load(&ready))
        unit_sleep_ms(1);
    size_t taken = pm_arena_totals().taken;
    unit_child_passes(check_that_they_went, &taken);
}
END_TEST

static void *free_it(void *block)
{
    pm_free(block, "free"); /* gets a heap by that */
    UNIT_CHECK(spares() == 1);
    return NULL;
}

START_TEST(they_go_with_their_thread)
{
    size_t taken = pm_arena_totals().taken;
    unit_in_thread(free_it, unit_filled(40000));
    ck_assert_uint_eq(pm_arena_totals().taken, taken);
}
END_TEST

START_TEST(a_spare_block_is_free)
{
    struct pm_census before, after;
    pm_census_take(&before);
    char *block = unit_filled(40000);
    pm_free(block, "free");
    ck_assert_uint_eq(spares(), 1);
    ck_assert(!pm_block_is_live(block));
    ck_assert(!pm_block_is_live(block + PM_SLICE));
    pm_census_take(&after);
    ck_assert_uint_eq(after.large_blocks, before.large_blocks);
    ck_assert_uint_eq(after.live_blocks, before.live_blocks);
    ck_assert_uint_eq(after.allocated, before.allocated);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_block_serves_the_next_of_its_length);
    tcase_add_test(tests, a_block_may_be_longer_by_a_quarter);
    tcase_add_test(tests, a_longer_block_is_what_it_is);
    tcase_add_test(tests, they_go_before_a_record);
    tcase_add_test(tests, however_much_lies_free);
    tcase_add_test(tests, but_no_more_than_it_takes);
    tcase_add_test(tests, and_before_fresh_memory);
    tcase_add_test(tests, and_stay_where_there_is_neither);
    tcase_add_test(tests, they_go_before_a_pool_that_makes_one);
    tcase_add_test(tests, few_are_kept_unless_many_were_sought);
    tcase_add_test(tests, nor_more_than_a_share_of_all);
    tcase_add_test(tests, what_others_free_comes_several_at_a_time);
    tcase_add_test(tests, what_has_come_so_goes_in_time);
    tcase_add_test(tests, but_each_alone_who_frees_some_itself);
    tcase_add_test(tests, but_each_alone_where_few_are_sought);
    tcase_add_test(tests, others_are_given_back_at_once);
    tcase_add_test(tests, they_go_with_all_that_is_idle);
    tcase_add_test(tests, a_visitor_gives_all_back);
    tcase_add_test(tests, a_visitor_leaves_an_owner_at_work_alone);
    tcase_add_test(tests, an_owner_waits_for_a_visitor);
    tcase_add_test(tests, those_of_others_go_in_the_child_of_a_fork);
    tcase_add_test(tests, they_go_with_their_thread);
    tcase_add_test(tests, a_spare_block_is_free);
}

int main(void)
{
    return unit_run("spare", add);
}
