/*
 * big_blocks: blocks of 64 KB to 16 MB, evenly spread over the orders of magnitude, are allocated,
 * touched on every page and freed, oldest first, as buffers for files, images or matrices are.
 *
 * Usage: big_blocks [BLOCKS [WINDOW]]     WINDOW blocks live at once
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 64 << 10, DOUBLINGS = 8, STRIDE = 4096 };

struct big {
    unsigned char *bytes;
    size_t size;
};

static uint64_t rng_state = 0x9e3779b97f4a7c15u;

static uint32_t random32(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32);
}

static size_t number_arg(int argc, char **argv, int i, size_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

static struct big big_new(unsigned char tag)
{
    size_t base = (size_t)SMALLEST << (random32() % DOUBLINGS);
    struct big b = {.size = base + random32() % base};
    b.bytes = malloc(b.size);
    if (!b.bytes) {
        perror("big_blocks");
        exit(1);
    }
    for (size_t i = 0; i < b.size; i += STRIDE)
        b.bytes[i] = tag;
    b.bytes[b.size - 1] = tag;
    return b;
}

static size_t big_drop(struct big b, unsigned char tag)
{
    if (!b.bytes)
        return 0;
    if (b.bytes[0] != tag || b.bytes[b.size - 1] != tag) {
        fprintf(stderr, "big_blocks: block %p was overwritten\n", (void *)b.bytes);
        abort();
    }
    free(b.bytes);
    return b.size;
}

int main(int argc, char **argv)
{
    size_t blocks = number_arg(argc, argv, 1, 2500);
    size_t length = number_arg(argc, argv, 2, 16);
    struct big *window = calloc(length, sizeof *window);
    if (!window || length == 0) {
        fprintf(stderr, "usage: big_blocks [BLOCKS [WINDOW]]\n");
        return 2;
    }
    uint64_t sum = 0;
    for (size_t n = 0; n < blocks; n++) {
        size_t i = n % length;
        sum += big_drop(window[i], (unsigned char)i);
        window[i] = big_new((unsigned char)i);
    }
    for (size_t i = 0; i < length; i++)
        sum += big_drop(window[i], (unsigned char)i);
    free(window);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
