/* realloc_to_zero_freed.c - realloc to zero, which frees, of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    free(p);
    p = realloc(p, 0);
    return 0;
}
