/* free_mapped.c - free of memory that the program mapped itself. */
#include "misuse.h"

#include <sys/mman.h>

int main(void)
{
    void *volatile p =
        mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect_address(p);
    free(p);
    return 0;
}
