/* free_interior_small.c - free of an aligned address inside a small block. */
#include "misuse.h"

int main(void)
{
    char *block = new_block(200);
    void *volatile p = block + 32;
    expect_address(p);
    expect_address(block);
    free(p);
    return 0;
}
