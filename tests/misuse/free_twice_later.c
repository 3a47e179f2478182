/* free_twice_later.c - a second free after other blocks have been freed. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64), *volatile other = new_block(64);
    expect_address(p);
    free(p);
    free(other);
    free(p);
    return 0;
}
