/* pyobject_realloc_interior.c - PyObject_Realloc of an address inside a large block. */
#include "misuse.h"

int main(void)
{
    char *block = PyObject_Malloc(1000000);
    void *volatile p = block + 4096;
    expect_address(p);
    expect_address(block);
    p = PyObject_Realloc(p, 100);
    return 0;
}
