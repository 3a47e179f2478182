/* pymem_usable_size_freed.c - pymem_usable_size of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    free(p);
    return (int)pymem_usable_size(p);
    return 0;
}
