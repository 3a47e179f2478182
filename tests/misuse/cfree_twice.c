/* cfree_twice.c - cfree of a block that is free. */
#include "misuse.h"

void cfree(void *block);

int main(void)
{
    void *volatile p = new_block(64);
    expect_address(p);
    cfree(p);
    cfree(p);
    return 0;
}
