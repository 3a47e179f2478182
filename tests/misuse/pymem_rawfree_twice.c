/* pymem_rawfree_twice.c - PyMem_RawFree of a block that is free. */
#include "misuse.h"

int main(void)
{
    void *volatile keep = PyMem_RawMalloc(40);
    void *volatile p = PyMem_RawMalloc(40);
    expect_address(p);
    PyMem_RawFree(p);
    PyMem_RawFree(p);
    PyMem_RawFree(keep);
    return 0;
}
