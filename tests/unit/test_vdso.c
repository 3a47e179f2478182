/*
 * test_vdso.c - what the kernel maps is found by name and works; under valgrind, which hides
 * it, nothing is found.
 */
#include "unit.h"

#include "os/vdso.h"

#include <sys/auxv.h>
#include <time.h>

typedef int clock_function(clockid_t clock, struct timespec *now);

static clock_function *find_clock(void)
{
    void *found = pm_vdso_find("__vdso_clock_gettime");
    return (clock_function *)(found != NULL ? found : pm_vdso_find("__kernel_clock_gettime"));
}

START_TEST(the_clock_is_the_systems)
{
    clock_function *clock = find_clock();
    if (getauxval(AT_SYSINFO_EHDR) == 0) {
        ck_assert(clock == NULL);
        return;
    }
    ck_assert(clock != NULL);
    struct timespec before, now, after;
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    ck_assert_int_eq(clock(CLOCK_MONOTONIC, &now), 0);
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    ck_assert(before.tv_sec < now.tv_sec ||
              (before.tv_sec == now.tv_sec && before.tv_nsec <= now.tv_nsec));
    ck_assert(now.tv_sec < after.tv_sec ||
              (now.tv_sec == after.tv_sec && now.tv_nsec <= after.tv_nsec));
}
END_TEST

START_TEST(only_what_is_there_is_found)
{
    errno = 0;
    ck_assert_ptr_null(pm_vdso_find("__vdso_no_such_function"));
    ck_assert_int_eq(errno, 0);
    ck_assert_ptr_null(pm_vdso_find(""));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, the_clock_is_the_systems);
    tcase_add_test(tests, only_what_is_there_is_found);
}

int main(void)
{
    return unit_run("vdso", add);
}
