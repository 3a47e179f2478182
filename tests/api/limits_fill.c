/*
 * limits_fill.c - run by limits.sh with 200 MB of address space: memory of
 * each size runs out in good order, comes back, and serves the other sizes.
 */
#include "limits_test.h"

int main(void)
{
    static const size_t sizes[] = {16, 100, 1000, 9000, 70000, 300000, 3 * MIB, 20 * MIB};
    const size_t count = sizeof sizes / sizeof *sizes;
    struct link *all = NULL;
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur <= 256 * MIB);

    /* Upwards and downwards: what one size held must serve the next. */
    for (size_t round = 0; round < 2 * count; round++) {
        size_t size = sizes[round < count ? round : 2 * count - 1 - round];
        size_t bytes = fill(size, &all);
        if (bytes < (size < MIB ? 80 : 60) * MIB) {
            fprintf(stderr, "limits_fill: only %zu bytes in blocks of %zu\n", bytes, size);
            return EXIT_FAILURE;
        }
        release(&all);
    }

    /* All sizes at once, the large ones first, until even 16 bytes fail. */
    for (size_t s = count; s-- > 0;)
        fill(sizes[s], &all);
    release(&all);
    void *volatile block = malloc(50 * MIB);
    CHECK(block != NULL);
    free(block);
    puts("limits_fill: all checks passed");
    return EXIT_SUCCESS;
}
