/*
 * limits_idle.c - run by limits.sh with 200 MB of address space: what small blocks have left behind
 * serves large ones, and the other way round, though a few small ones live on.
 */
#include "limits_test.h"

enum { BLOCKS = 130000, BYTES = 900, KEPT_EACH = BLOCKS / 2 };

static char *blocks[BLOCKS];

/* A pool that holds nothing, or one of the blocks that stay, is at the end of the address space
 * that they had. */
static void small_then_large(size_t large)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i] != NULL)
            continue;
        blocks[i] = malloc(BYTES);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], i % 100, BYTES);
    }
    for (int i = 0; i < BLOCKS; i++) {
        CHECK(blocks[i][0] == i % 100 && blocks[i][BYTES - 1] == i % 100);
        if (i % KEPT_EACH != 0) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
    }
    char *block = malloc(large / 2);
    CHECK(block != NULL);
    block[large / 2 - 1] = 5;
    block = realloc(block, large);
    CHECK(block != NULL && block[large / 2 - 1] == 5);
    free(block);
}

int main(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur <= 256 * MIB);
    for (int round = 0; round < 3; round++)
        small_then_large(150 * MIB);
    puts("limits_idle: all checks passed");
    return EXIT_SUCCESS;
}
