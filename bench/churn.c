/*
 * churn: one thread allocates and frees small blocks (16 to 256 bytes), first last-in-first-out
 * in bursts of random length, then first-in-first-out through a window of fixed length.
 *
 * Usage: churn [PAIRS [WINDOW]]      PAIRS malloc+free pairs in each of the two orders
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct block {
    uint32_t size;
    uint32_t tag;
    unsigned char rest[];
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

static struct block *block_new(uint32_t tag)
{
    uint32_t size = 16 + random32() % 241;
    struct block *b = malloc(size);
    if (!b) {
        perror("churn");
        exit(1);
    }
    b->size = size;
    b->tag = tag;
    ((unsigned char *)b)[size - 1] = (unsigned char)tag;
    return b;
}

static uint32_t block_drop(struct block *b, uint32_t tag)
{
    uint32_t size = b->size;
    /* In a block of 8 bytes + rest, the last byte never overlaps size or tag. */
    if (b->tag != tag || ((unsigned char *)b)[size - 1] != (unsigned char)tag) {
        fprintf(stderr, "churn: block %p was overwritten\n", (void *)b);
        abort();
    }
    free(b);
    return size;
}

static uint64_t churn_lifo(struct block **window, size_t length, size_t pairs)
{
    uint64_t sum = 0;
    while (pairs > 0) {
        size_t burst = 1 + random32() % length;
        if (burst > pairs)
            burst = pairs;
        for (size_t i = 0; i < burst; i++)
            window[i] = block_new((uint32_t)i);
        for (size_t i = burst; i-- > 0;)
            sum += block_drop(window[i], (uint32_t)i);
        pairs -= burst;
    }
    return sum;
}

static uint64_t churn_fifo(struct block **window, size_t length, size_t pairs)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++)
        window[i] = block_new((uint32_t)i);
    for (size_t done = 0, i = 0; done < pairs; done++) {
        sum += block_drop(window[i], (uint32_t)i);
        window[i] = block_new((uint32_t)i);
        i = i + 1 == length ? 0 : i + 1;
    }
    for (size_t i = 0; i < length; i++)
        sum += block_drop(window[i], (uint32_t)i);
    return sum;
}

int main(int argc, char **argv)
{
    size_t pairs = number_arg(argc, argv, 1, 14000000);
    size_t length = number_arg(argc, argv, 2, 1000);
    struct block **window = calloc(length, sizeof *window);
    if (!window || length == 0) {
        fprintf(stderr, "usage: churn [PAIRS [WINDOW]]\n");
        return 2;
    }
    uint64_t sum = churn_lifo(window, length, pairs);
    sum += churn_fifo(window, length, pairs);
    free(window);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
