/* free_twice_large.c - free of a large block twice. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(1000000);
    expect_address(p);
    free(p);
    free(p);
    return 0;
}
