/* reallocarray_freed.c - reallocarray of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    free(p);
    p = reallocarray(p, 20, 30);
    return 0;
}
