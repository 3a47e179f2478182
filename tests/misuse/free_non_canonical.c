/* free_non_canonical.c - free of an address that no process can have. */
#include "misuse.h"

int main(void)
{
    void *volatile p = (void *)((uintptr_t)new_block(64) | (uintptr_t)0x5a5a << 48);
    expect_address(p);
    free(p);
    return 0;
}
