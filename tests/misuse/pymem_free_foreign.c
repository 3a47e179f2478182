/* pymem_free_foreign.c - PyMem_Free of a local variable. */
#include "misuse.h"

int main(void)
{
    long on_stack = 1;
    void *volatile p = &on_stack;
    expect_address(p);
    PyMem_Free(p);
    return 0;
}
