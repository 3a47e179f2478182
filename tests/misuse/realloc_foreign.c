/* realloc_foreign.c - realloc of static data. */
#include "misuse.h"

static char data[64] = {1};

int main(void)
{
    void *volatile p = data;
    expect_address(p);
    p = realloc(p, 200);
    return 0;
}
