/*
 * limits_lower.c - run by limits.sh: RLIMIT_AS is lowered below what the
 * process already uses while the heap holds blocks, and lifted again.
 */
#include "limits_test.h"

int main(void)
{
    struct rlimit original, low;
    struct link *all = NULL, *more = NULL;
    CHECK(getrlimit(RLIMIT_AS, &original) == 0);
    for (int i = 0; i < 100000; i++) {
        struct link *block = malloc((size_t)(i % 700) + sizeof(struct link));
        CHECK(block != NULL);
        block->next = all;
        block->size = sizeof(struct link);
        all = block;
    }
    void *volatile large = malloc(64 * MIB);
    CHECK(large != NULL);
    memset(large, 1, 64 * MIB);

    low = original;
    low.rlim_cur = 1 * MIB;
    CHECK(setrlimit(RLIMIT_AS, &low) == 0);
    fill(100 * MIB, &more);
    fill(1000, &more);
    fill(16, &more);
    /* Giving back needs no new memory, and what is given back serves again. */
    free(large);
    release(&all);
    for (int i = 0; i < 1000; i++) {
        struct link *block = malloc(400);
        CHECK(block != NULL);
        block->next = all;
        block->size = 400;
        all = block;
    }
    release(&all);
    release(&more);

    CHECK(setrlimit(RLIMIT_AS, &original) == 0);
    large = malloc(256 * MIB);
    CHECK(large != NULL);
    memset(large, 2, 256 * MIB);
    free(large);
    puts("limits_lower: all checks passed");
    return EXIT_SUCCESS;
}
