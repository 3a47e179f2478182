/* free_after_trim.c - a second free when the memory has been given back. */
#include "misuse.h"

int main(void)
{
    char *volatile blocks[20000];
    for (int i = 0; i < 20000; i++)
        blocks[i] = malloc(64);
    for (int i = 0; i < 20000; i++)
        free(blocks[i]);
    pymem_trim();
    expect_address(blocks[10000]);
    free(blocks[10000]);
    return 0;
}
