/*
 * pair_lifo: nothing but malloc(64) and free in turn, for bench/instructions, which takes the
 * difference between two iteration counts.
 *
 * Usage: pair_lifo [ITERATIONS]
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 30000000;
    for (unsigned long i = iterations; i > 0; i--) {
        char *p = malloc(64);
        *(volatile char *)p = 1;
        free(p);
    }
    printf("checksum %lu\n", iterations);
    return 0;
}
