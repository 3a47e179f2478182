/*
 * test_fatal.c - the last words: one exact line each, then SIGABRT.
 */
#include "unit.h"

#include "os/fatal.h"

static void foreign(void *address)
{
    pm_fatal_foreign("free", address);
}

static void interior(void *address)
{
    pm_fatal_interior("realloc", address, (uintptr_t)address - 16);
}

static void already_free(void *address)
{
    pm_fatal_free("PyMem_Free", address);
}

static void broken(void *address)
{
    pm_fatal_broken("one and one are two", address);
}

START_TEST(each_says_what_is_wrong)
{
    unit_child_aborts(foreign, (void *)0x1230, "pymem: free: 0x1230 is not a block of this heap\n");
    unit_child_aborts(interior, (void *)0x7fffdead0010,
                      "pymem: realloc: 0x7fffdead0010 is inside the block at 0x7fffdead0000\n");
    unit_child_aborts(already_free, (void *)0x40, "pymem: PyMem_Free: 0x40 is already free\n");
    unit_child_aborts(broken, (void *)0xabc0,
                      "pymem: broken heap: 0xabc0 breaks: one and one are two\n");
}
END_TEST

START_TEST(any_address_can_be_told)
{
    unit_child_aborts(foreign, (void *)UINTPTR_MAX,
                      "pymem: free: 0xffffffffffffffff is not a block of this heap\n");
    unit_child_aborts(foreign, NULL, "pymem: free: 0x0 is not a block of this heap\n");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, each_says_what_is_wrong);
    tcase_add_test(tests, any_address_can_be_told);
}

int main(void)
{
    return unit_run("fatal", add);
}
