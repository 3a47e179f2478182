/* free_small_integer.c - free of a small integer in a pointer. */
#include "misuse.h"

int main(void)
{
    void *volatile p = (void *)(uintptr_t)48;
    expect_address(p);
    free(p);
    return 0;
}
