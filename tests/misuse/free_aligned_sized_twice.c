/* free_aligned_sized_twice.c - free_aligned_sized of a block that is free. */
#include "misuse.h"

void free_aligned_sized(void *block, size_t alignment, size_t size);

int main(void)
{
    void *volatile p = aligned_alloc(256, 512);
    expect_address(p);
    free_aligned_sized(p, 256, 512);
    free_aligned_sized(p, 256, 512);
    return 0;
}
