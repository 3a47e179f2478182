/*
 * mixed: one thread holds a live set of blocks of very different sizes (16 bytes to 32 KB, evenly
 * spread over the orders of magnitude) and replaces random members, as a long-running service does.
 *
 * Usage: mixed [REPLACEMENTS [LIVE]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILLED = 128, STRIDE = 4096 };

struct block {
    uint32_t size;
    uint32_t tag;
    unsigned char rest[];
};

static uint64_t rng_state = 0x2545f4914f6cdd1du;

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

/* Each of the eleven doublings between 16 and 32768 is equally likely. */
static uint32_t random_size(void)
{
    uint32_t base = 16u << (random32() % 11);
    return base + random32() % base + 1;
}

/* Fills the start and touches every page, as a program that uses its memory would. */
static struct block *block_new(uint32_t tag)
{
    uint32_t size = random_size();
    unsigned char *bytes = malloc(size);
    if (!bytes) {
        perror("mixed");
        exit(1);
    }
    memset(bytes, (int)(tag & 0xff), size < FILLED ? size : FILLED);
    for (uint32_t i = STRIDE; i < size; i += STRIDE)
        bytes[i] = (unsigned char)tag;
    struct block *b = (struct block *)bytes;
    b->size = size;
    b->tag = tag;
    bytes[size - 1] = (unsigned char)tag;
    return b;
}

static uint32_t block_drop(struct block *b, uint32_t tag)
{
    uint32_t size = b->size;
    if (b->tag != tag || ((unsigned char *)b)[size - 1] != (unsigned char)tag) {
        fprintf(stderr, "mixed: block %p was overwritten\n", (void *)b);
        abort();
    }
    free(b);
    return size;
}

int main(int argc, char **argv)
{
    size_t replacements = number_arg(argc, argv, 1, 5000000);
    size_t live = number_arg(argc, argv, 2, 8000);
    struct block **slots = calloc(live, sizeof *slots);
    if (!slots || live == 0) {
        fprintf(stderr, "usage: mixed [REPLACEMENTS [LIVE]]\n");
        return 2;
    }
    for (size_t i = 0; i < live; i++)
        slots[i] = block_new((uint32_t)i);
    uint64_t sum = 0;
    for (size_t n = 0; n < replacements; n++) {
        size_t i = random32() % live;
        sum += block_drop(slots[i], (uint32_t)i);
        slots[i] = block_new((uint32_t)i);
    }
    for (size_t i = 0; i < live; i++)
        sum += block_drop(slots[i], (uint32_t)i);
    free(slots);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
