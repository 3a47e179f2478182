/* free_twice.c - free of a small block twice in a row. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    free(p);
    free(p);
    return 0;
}
