/* free_interior_aligned.c - free of an address inside an aligned block. */
#include "misuse.h"

int main(void)
{
    char *block = aligned_alloc(4096, 6000);
    void *volatile p = block + 4096;
    expect_address(p);
    expect_address(block);
    free(p);
    return 0;
}
