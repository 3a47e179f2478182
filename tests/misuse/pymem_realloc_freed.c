/* pymem_realloc_freed.c - PyMem_Realloc of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile keep = PyMem_Malloc(40);
    void *volatile p = PyMem_Malloc(40);
    expect_address(p);
    PyMem_Free(p);
    p = PyMem_Realloc(p, 100);
    PyMem_Free(keep);
    return 0;
}
