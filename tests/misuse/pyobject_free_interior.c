/* pyobject_free_interior.c - PyObject_Free of an address inside a small block. */
#include "misuse.h"

int main(void)
{
    char *block = PyObject_Malloc(64);
    void *volatile p = block + 16;
    expect_address(p);
    expect_address(block);
    PyObject_Free(p);
    return 0;
}
