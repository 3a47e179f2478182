/*
 * realloc_growth: blocks that grow in place or move. First many vectors side by side, each growing
 * by half until it reaches its own limit and starts again; then one block from 1 MB by 10 % steps.
 *
 * Usage: realloc_growth [PUSHES [REPEATS [VECTORS [MEGABYTES]]]]
 *        0 PUSHES leaves the vectors out, 0 REPEATS the one big block
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEGABYTE = 1 << 20, STRIDE = 4096 };

struct vector {
    uint64_t *data;
    size_t length, capacity;
    size_t limit; /* elements at which it is dropped */
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

static void *grow(void *p, size_t size)
{
    p = realloc(p, size);
    if (!p) {
        perror("realloc_growth");
        exit(1);
    }
    return p;
}

static void check(int good)
{
    if (!good) {
        fprintf(stderr, "realloc_growth: contents were lost\n");
        abort();
    }
}

/* The element at i is i + length limit, so that a block moved to the wrong vector is noticed. */
static void vector_push(struct vector *v)
{
    if (v->length == v->capacity) {
        v->capacity = v->capacity ? v->capacity + v->capacity / 2 : 4;
        v->data = grow(v->data, v->capacity * sizeof *v->data);
    }
    v->data[v->length] = v->length + v->limit;
    v->length++;
}

static uint64_t vector_drop(struct vector *v)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v->length; i += 61) {
        check(v->data[i] == i + v->limit);
        sum += v->data[i];
    }
    free(v->data);
    /* Each of the ten doublings between 16 and 16384 elements is equally likely. */
    size_t base = (size_t)16 << (random32() % 10);
    *v = (struct vector){.limit = base + random32() % base};
    return sum;
}

static uint64_t grow_vectors(size_t pushes, size_t count)
{
    struct vector *vectors = calloc(count, sizeof *vectors);
    uint64_t sum = 0;
    check(vectors != NULL);
    for (size_t i = 0; i < count; i++)
        sum += vector_drop(&vectors[i]);
    while (pushes > 0) {
        struct vector *v = &vectors[random32() % count];
        size_t run = 1 + random32() % 64;
        for (; run > 0 && pushes > 0; run--, pushes--)
            vector_push(v);
        if (v->length >= v->limit)
            sum += vector_drop(v);
    }
    for (size_t i = 0; i < count; i++)
        sum += vector_drop(&vectors[i]);
    free(vectors);
    return sum;
}

/* Writes one byte per 4 KB of what is new and, at the end, checks all of them. */
static uint64_t grow_big_block(size_t limit)
{
    unsigned char *block = NULL;
    size_t size = MEGABYTE, touched = 0;
    uint64_t sum = 0;
    for (;;) {
        block = grow(block, size);
        for (; touched < size; touched += STRIDE)
            block[touched] = (unsigned char)(touched / STRIDE);
        if (size >= limit)
            break;
        size = size + size / 10 < limit ? size + size / 10 : limit;
    }
    for (size_t i = 0; i < touched; i += STRIDE) {
        check(block[i] == (unsigned char)(i / STRIDE));
        sum += block[i];
    }
    free(block);
    return sum;
}

int main(int argc, char **argv)
{
    size_t pushes = number_arg(argc, argv, 1, 100000000);
    size_t repeats = number_arg(argc, argv, 2, 2);
    size_t vectors = number_arg(argc, argv, 3, 2000);
    size_t megabytes = number_arg(argc, argv, 4, 256);
    if (!vectors || !megabytes) {
        fprintf(stderr, "usage: realloc_growth [PUSHES [REPEATS [VECTORS [MEGABYTES]]]]\n");
        return 2;
    }
    uint64_t sum = grow_vectors(pushes, vectors);
    for (size_t i = 0; i < repeats; i++)
        sum += grow_big_block(megabytes * MEGABYTE);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
