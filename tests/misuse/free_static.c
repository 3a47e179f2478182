/* free_static.c - free of static data. */
#include "misuse.h"

static char data[4096] = {1};

int main(void)
{
    void *volatile p = data + 64;
    expect_address(p);
    free(p);
    return 0;
}
