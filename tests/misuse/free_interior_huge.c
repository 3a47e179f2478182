/* free_interior_huge.c - free of an address far inside a block of 300 MB. */
#include "misuse.h"

int main(void)
{
    char *block = new_block((size_t)300 << 20);
    void *volatile p = block + ((size_t)200 << 20);
    expect_address(p);
    expect_address(block);
    free(p);
    return 0;
}
