/*
 * pymem_free_sized_too_large_elsewhere.c - as pymem_free_sized_too_large, while larger blocks
 * were freed in many other pools just before: the heap's table of pools names those.
 */
#include "misuse.h"

#include <pymem/malloc.h>

enum { OTHERS = 20000 };

int main(void)
{
    static char *others[OTHERS];
    void *volatile p = new_block(64);
    volatile size_t size = 800;
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = new_block(1000);
    for (size_t i = 0; i < OTHERS; i += 2)
        pymem_free_sized(others[i], 1000);
    expect_address(p);
    pymem_free_sized(p, size);
    return 0;
}
