/* free_interior_odd.c - free of the second byte of a small block. */
#include "misuse.h"

int main(void)
{
    char *block = new_block(16);
    void *volatile p = block + 1;
    expect_address(p);
    expect_address(block);
    free(p);
    return 0;
}
