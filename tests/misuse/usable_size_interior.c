/* usable_size_interior.c - malloc_usable_size of an address inside a large block. */
#include "misuse.h"

int main(void)
{
    char *block = new_block(1000000);
    void *volatile p = block + 64;
    expect_address(p);
    expect_address(block);
    return (int)malloc_usable_size(p);
    return 0;
}
