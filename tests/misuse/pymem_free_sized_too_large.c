/* pymem_free_sized_too_large.c - a small block freed with a size that it never had. */
#include "misuse.h"

#include <pymem/malloc.h>

int main(void)
{
    void *volatile p = new_block(100);
    volatile size_t size = 113;
    expect_address(p);
    pymem_free_sized(p, size);
    return 0;
}
