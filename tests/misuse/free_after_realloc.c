/* free_after_realloc.c - free of the old address of a block that realloc has moved. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    void *volatile moved = realloc(p, 100000);
    expect_address(p);
    free(moved == p ? NULL : p);
    return 0;
}
