/* pymem_rawrealloc_foreign.c - PyMem_RawRealloc of a small integer. */
#include "misuse.h"

int main(void)
{
    void *volatile p = (void *)(uintptr_t)4096;
    expect_address(p);
    p = PyMem_RawRealloc(p, 100);
    return 0;
}
