/* free_sized_interior.c - free_sized of an address inside a small block. */
#include "misuse.h"

void free_sized(void *block, size_t size);

int main(void)
{
    char *block = new_block(100);
    void *volatile p = block + 48;
    expect_address(p);
    expect_address(block);
    free_sized(p, 52);
    return 0;
}
