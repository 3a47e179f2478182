/* free_stack.c - free of a local variable. */
#include "misuse.h"

int main(void)
{
    long on_stack[8] = {0};
    void *volatile p = &on_stack[2];
    expect_address(p);
    free(p);
    return 0;
}
