/*
 * test_os_linux.c - what os.h promises of the system: contents, addresses, and
 * an errno that nobody touches.
 */
#include "unit.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { PAGES = 8, MARK = 77 };

static size_t page;

static void setup(void)
{
    page = pm_os_page_size();
    errno = MARK;
}

/* On a system without MREMAP_DONTUNMAP (before Linux 5.7, valgrind) nothing can be shown. */
static void *try_move(void *start, size_t size)
{
    void *moved = pm_os_memory.move(start, size);
    ck_assert_int_eq(errno, MARK);
    return moved;
}

START_TEST(the_page_size_is_the_systems)
{
    ck_assert_uint_eq(page, (size_t)sysconf(_SC_PAGESIZE));
    pm_os_set_page_size(65536);
    ck_assert_uint_eq(pm_os_page_size(), 65536);
}
END_TEST

START_TEST(a_touched_page_is_zero_and_resident)
{
    unsigned char resident[PAGES] = {0};
    char *start = pm_os_memory.map(PAGES * page);
    ck_assert_uint_lt(pm_os_memory.touch(start + page), 60 * 1000 * 1000);
    ck_assert_int_eq(mincore(start, PAGES * page, resident), 0);
    ck_assert_int_eq(resident[1] & 1, 1);
    ck_assert(unit_is_zero(start, PAGES * page));
}
END_TEST

START_TEST(touching_a_page_is_a_fault)
{
    char *start = pm_os_memory.map(PAGES * page);
    size_t before = pm_os_memory.faults();
    (void)*(volatile char *)start;
    ck_assert(before == 0 || pm_os_memory.faults() > before);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(mapped_pages_are_zero_and_writable)
{
    char *start = pm_os_memory.map(PAGES * page);
    ck_assert_ptr_nonnull(start);
    ck_assert_uint_eq((uintptr_t)start % page, 0);
    ck_assert(unit_is_zero(start, PAGES * page));
    memset(start, 1, PAGES * page);
    ck_assert(pm_os_purge_one(start + page, 2 * page));
    ck_assert(unit_is_zero(start + page, 2 * page));
    ck_assert_int_eq(start[page - 1], 1);
    ck_assert_int_eq(start[3 * page], 1);
    pm_os_name(start, PAGES * page, "pymem: test");
    ck_assert(pm_os_memory.unmap(start, PAGES * page));
    ck_assert_int_eq(errno, MARK);
}
END_TEST

static void *nothing(void *unused)
{
    return unused;
}

/* The second of three is no page: with one thread and, in one call perhaps, with two. */
START_TEST(runs_go_but_for_those_that_are_refused)
{
    char *start = pm_os_memory.map(PAGES * page);
    struct pm_os_run runs[] = {
        {start, page}, {start + page + 1, page}, {start + 3 * page, 2 * page}};
    if (_i == 1)
        unit_in_thread(nothing, NULL);
    for (int twice = 0; twice < 2; twice++) {
        memset(start, 1, PAGES * page);
        ck_assert_uint_eq(pm_os_purge(runs, 3), 5);
        ck_assert(unit_is_zero(start, page));
        ck_assert_int_eq(start[page], 1);
        ck_assert_int_eq(start[3 * page - 1], 1);
        ck_assert(unit_is_zero(start + 3 * page, 2 * page));
        memset(start, 1, PAGES * page);
        ck_assert_uint_eq(pm_os_memory.purge(runs, 3), 1);
        ck_assert_uint_eq(pm_os_memory.purge(&runs[1], 2), 0);
        ck_assert_int_eq(start[3 * page], 1);
    }
    ck_assert_uint_eq(pm_os_purge(runs, 0), 0);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(refusals_leave_errno_alone)
{
    void *start = pm_os_memory.map(page);
    ck_assert_ptr_null(pm_os_memory.map((size_t)1 << 62));
    ck_assert_ptr_null(pm_os_memory.resize(start, page, (size_t)1 << 62));
    ck_assert(!pm_os_memory.unmap((char *)start + 1, page));
    ck_assert(!pm_os_purge_one((char *)start + 1, page));
    ck_assert_ptr_null(pm_os_memory.move((char *)start + 1, page));
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(resize_keeps_the_contents)
{
    char *start = pm_os_memory.map(2 * page);
    unit_fill(start, 2 * page, 5);
    char *grown = pm_os_memory.resize(start, 2 * page, 4096 * page);
    ck_assert_ptr_nonnull(grown);
    ck_assert(unit_intact(grown, 2 * page, 5));
    ck_assert(unit_is_zero(grown + 2 * page, 4094 * page));
    char *shrunk = pm_os_memory.resize(grown, 4096 * page, page);
    ck_assert_ptr_eq(shrunk, grown);
    ck_assert(unit_holds(shrunk, 2 * page, page, 5));
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(move_takes_the_pages_and_leaves_zeros)
{
    char *start = pm_os_memory.map(PAGES * page);
    unit_fill(start + page, 2 * page, 6);
    start[0] = start[3 * page] = 1;
    char *moved = try_move(start + page, 2 * page);
    if (moved == NULL)
        return;
    ck_assert(unit_intact(moved, 2 * page, 6));
    ck_assert(unit_is_zero(start + page, 2 * page));
    ck_assert_int_eq(start[0] + start[3 * page], 2);
    ck_assert(pm_os_memory.move_back(start + page, moved, 2 * page));
    ck_assert(unit_intact(start + page, 2 * page, 6));
    ck_assert(!pm_os_memory.move_back(start + 1, moved, page));
    ck_assert_int_eq(errno, MARK);
}
END_TEST

/* In the place of libc's: a clock that stands still, where the heap does not need it. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_MONOTONIC_COARSE || getauxval(AT_SYSINFO_EHDR) == 0)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = 1};
    return 0;
}

START_TEST(the_clock_moves_on)
{
    uint64_t before = pm_os_clock_ms();
    unit_sleep_ms(50);
    uint64_t after = pm_os_clock_ms();
    ck_assert_uint_ge(after, before + 30);
    ck_assert_uint_lt(after, before + 60000);
}
END_TEST

static _Atomic uint32_t word;

static void *wake(void *unused)
{
    unit_sleep_ms(20);
    atomic_store(&word, 2);
    pm_os_wake_one(&word);
    return unused;
}

START_TEST(sleep_takes_its_time)
{
    uint64_t before = pm_os_clock_ms();
    errno = EBADF;
    pm_os_sleep_ms(50);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_uint_ge(pm_os_clock_ms() - before, 30);
}
END_TEST

static void *do_nothing(void *argument)
{
    return argument;
}

START_TEST(the_least_stack_is_accepted)
{
    pthread_attr_t attributes;
    pthread_t thread;
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, pm_os_thread_stack_min() + 65536), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, do_nothing, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}
END_TEST

START_TEST(a_waiter_is_woken)
{
    pthread_t thread;
    atomic_store(&word, 1);
    pm_os_wait(&word, 0); /* not the expected value: no wait */
    ck_assert_int_eq(pthread_create(&thread, NULL, wake, NULL), 0);
    while (atomic_load(&word) == 1)
        pm_os_wait(&word, 1);
    pm_os_pause();
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

static void *drain(void *argument)
{
    char part[4096];
    size_t *total = argument;
    for (ssize_t got; (got = read((int)total[1], part, sizeof part)) > 0;)
        total[0] += (size_t)got;
    return NULL;
}

START_TEST(all_of_a_text_is_written)
{
    static char text[1 << 20];
    int ends[2];
    pthread_t thread;
    ck_assert_int_eq(pipe(ends), 0);
    size_t total[2] = {0, (size_t)ends[0]};
    ck_assert_int_eq(pthread_create(&thread, NULL, drain, total), 0);
    pm_os_write(ends[1], text, sizeof text);
    close(ends[1]);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(total[0], sizeof text);
    pm_os_write(-1, "nobody", 6);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(the_environment_is_read)
{
    setenv("PYMEM_UNIT_TEST", "value", 1);
    ck_assert_str_eq(pm_os_environment("PYMEM_UNIT_TEST"), "value");
    ck_assert(pm_os_environment_mentions("PYMEM_UNIT"));
    ck_assert(!pm_os_environment_mentions("PYMEM_UNIT_TEST_"));
    unsetenv("PYMEM_UNIT_TEST");
    ck_assert_ptr_null(pm_os_environment("PYMEM_UNIT_TEST"));
}
END_TEST

START_TEST(the_break_since_the_start_is_known)
{
    uintptr_t start, end;
    pm_os_break_range(&start, &end);
    ck_assert_uint_ne(start, 0);
    ck_assert_uint_le(start, end);
    ck_assert_uint_eq(end, (uintptr_t)sbrk(0));
}
END_TEST

START_TEST(abort_aborts)
{
    pm_os_abort();
}
END_TEST

START_TEST(an_output_that_the_program_closes_is_kept)
{
    int ends[2];
    struct pm_os_output output;
    ck_assert_int_eq(pipe(ends), 0);
    errno = MARK;
    pm_os_keep_output(&output, ends[1]);
    ck_assert_int_eq(pm_os_kept_output(&output), ends[1]);
    close(ends[1]);
    ck_assert_int_eq(pm_os_kept_output(&output), output.kept);
    ck_assert_int_ne(output.kept, ends[1]);
    ck_assert_int_eq(dup2(ends[0], output.kept), output.kept); /* the same pipe */
    ck_assert_int_eq(pm_os_kept_output(&output), output.kept);
    FILE *other = tmpfile();
    ck_assert_ptr_nonnull(other);
    ck_assert_int_eq(dup2(fileno(other), output.kept), output.kept);
    errno = MARK;
    ck_assert_int_eq(pm_os_kept_output(&output), fileno(other) == ends[1] ? ends[1] : -1);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(an_output_that_is_closed_cannot_be_kept)
{
    struct pm_os_output output;
    pm_os_keep_output(&output, 1000);
    ck_assert_int_eq(output.kept, -1);
    ck_assert_int_eq(pm_os_kept_output(&output), -1);
    ck_assert_int_eq(errno, MARK);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, the_page_size_is_the_systems);
    tcase_add_test(tests, a_touched_page_is_zero_and_resident);
    tcase_add_test(tests, touching_a_page_is_a_fault);
    tcase_add_test(tests, mapped_pages_are_zero_and_writable);
    tcase_add_loop_test(tests, runs_go_but_for_those_that_are_refused, 0, 2);
    tcase_add_test(tests, refusals_leave_errno_alone);
    tcase_add_test(tests, resize_keeps_the_contents);
    tcase_add_test(tests, move_takes_the_pages_and_leaves_zeros);
    tcase_add_test(tests, the_clock_moves_on);
    tcase_add_test(tests, sleep_takes_its_time);
    tcase_add_test(tests, the_least_stack_is_accepted);
    tcase_add_test(tests, a_waiter_is_woken);
    tcase_add_test(tests, all_of_a_text_is_written);
    tcase_add_test(tests, the_environment_is_read);
    tcase_add_test(tests, the_break_since_the_start_is_known);
    tcase_add_test(tests, an_output_that_the_program_closes_is_kept);
    tcase_add_test(tests, an_output_that_is_closed_cannot_be_kept);
    tcase_add_test_raise_signal(tests, abort_aborts, SIGABRT);
}

int main(void)
{
    return unit_run("os_linux", add);
}
