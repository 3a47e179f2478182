/*
 * pair_mixed: 1000 live blocks of 16 to 1024 bytes, a random one freed and replaced in each turn,
 * for bench/instructions, which takes the difference between two iteration counts. The random
 * numbers are the cheapest that serve, because the loop is part of the count.
 *
 * Usage: pair_mixed [ITERATIONS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIVE = 1000, SMALLEST = 16, LARGEST = 1024 };

int main(int argc, char **argv)
{
    static char *slots[LIVE];
    unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000000;
    uint64_t r = 0x9e3779b97f4a7c15u;
    for (unsigned long i = iterations; i > 0; i--) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        uint64_t slot = ((r >> 32) * LIVE) >> 32;
        uint64_t size = SMALLEST + (((r & 0xffffffff) * (LARGEST - SMALLEST + 1)) >> 32);
        free(slots[slot]);
        char *p = malloc(size);
        *(volatile char *)p = 1;
        slots[slot] = p;
    }
    unsigned long live = 0;
    for (size_t i = 0; i < LIVE; i++) {
        live += slots[i] && *slots[i] == 1;
        free(slots[i]);
    }
    printf("checksum %lu\n", iterations + live);
    return 0;
}
