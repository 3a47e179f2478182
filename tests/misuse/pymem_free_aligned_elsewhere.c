/* pymem_free_aligned_elsewhere.c - a block freed with an alignment that it does not have. */
#include "misuse.h"

#include <pymem/malloc.h>

int main(void)
{
    char *blocks[2] = {new_block(48), new_block(48)};
    void *volatile p = blocks[(uintptr_t)blocks[0] % 4096 == 0];
    expect_address(p);
    pymem_free_aligned_sized(p, 4096, 48);
    return 0;
}
