/* free_twice_huge.c - free of a block of 300 MB twice. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block((size_t)300 << 20);
    expect_address(p);
    free(p);
    free(p);
    return 0;
}
