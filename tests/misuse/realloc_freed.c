/* realloc_freed.c - realloc of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    free(p);
    p = realloc(p, 200);
    return 0;
}
