/* free_interior_of_freed.c - free of an address inside a block that is free. */
#include "misuse.h"

int main(void)
{
    char *volatile block = new_block(200);
    void *volatile p = block + 16;
    expect_address(p);
    free(block);
    free(p);
    return 0;
}
