/* free_interior_large.c - free of a page boundary inside a large block. */
#include "misuse.h"

int main(void)
{
    char *block = new_block(1000000);
    void *volatile p = block + 8 * 4096;
    expect_address(p);
    expect_address(block);
    free(p);
    return 0;
}
