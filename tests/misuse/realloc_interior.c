/* realloc_interior.c - realloc of an address inside a small block. */
#include "misuse.h"

int main(void)
{
    char *block = new_block(100);
    void *volatile p = block + 16;
    expect_address(p);
    expect_address(block);
    p = realloc(p, 200);
    return 0;
}
