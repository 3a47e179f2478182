/* pymem_free_sized_twice.c - the same block freed twice, with its size. */
#include "misuse.h"

#include <pymem/malloc.h>

int main(void)
{
    void *volatile p = new_block(100);
    expect_address(p);
    pymem_free_sized(p, 100);
    pymem_free_sized(p, 100);
    return 0;
}
