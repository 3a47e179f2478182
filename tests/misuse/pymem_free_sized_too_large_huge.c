/* pymem_free_sized_too_large_huge.c - a large block freed with a size that it never had. */
#include "misuse.h"

#include <pymem/malloc.h>

int main(void)
{
    void *volatile p = new_block(1000000);
    volatile size_t size = 2000000;
    expect_address(p);
    pymem_free_sized(p, size);
    return 0;
}
