/*
 * short_threads: thousands of threads that live for a moment. Each frees what a thread of the wave
 * before left behind, allocates, frees most of it and leaves the rest for the next wave.
 *
 * Usage: short_threads [THREADS [AT_ONCE [BLOCKS]]]     BLOCKS allocated by each thread
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 16, LARGEST = 1024, LEFT_EVERY = 4 };

struct block {
    struct block *next;
    uint32_t size;
    uint32_t check; /* ~size: noticed when the block is overwritten */
};

/* One place in a wave; its thread owns it until the join. */
struct place {
    pthread_t thread;
    uint64_t rng;
    uint64_t sum;
    size_t blocks;
    struct block *inherited; /* left by a thread of the wave before, to be freed */
    struct block *left;
};

static uint32_t random32(uint64_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return (uint32_t)(*rng >> 32);
}

static size_t number_arg(int argc, char **argv, int i, size_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

static void fail(const char *what)
{
    fprintf(stderr, "short_threads: %s failed\n", what);
    exit(1);
}

static struct block *block_new(uint64_t *rng, struct block *next)
{
    uint32_t size = SMALLEST + random32(rng) % (LARGEST - SMALLEST + 1);
    struct block *b = malloc(size);
    if (!b)
        fail("malloc");
    ((unsigned char *)b)[size - 1] = 1;
    *b = (struct block){.next = next, .size = size, .check = ~size};
    return b;
}

static uint64_t list_drop(struct block *b)
{
    uint64_t sum = 0;
    while (b) {
        struct block *next = b->next;
        if (b->check != ~b->size) {
            fprintf(stderr, "short_threads: block %p was overwritten\n", (void *)b);
            abort();
        }
        sum += b->size;
        free(b);
        b = next;
    }
    return sum;
}

static void *live_briefly(void *arg)
{
    struct place *p = arg;
    struct block *own = NULL, *left = NULL;
    p->sum += list_drop(p->inherited);
    for (size_t i = 0; i < p->blocks; i++) {
        if (i % LEFT_EVERY == 0)
            left = block_new(&p->rng, left);
        else
            own = block_new(&p->rng, own);
    }
    p->sum += list_drop(own);
    p->inherited = NULL;
    p->left = left;
    return NULL;
}

static void run_wave(struct place *places, size_t at_once)
{
    for (size_t i = 0; i < at_once; i++) {
        if (pthread_create(&places[i].thread, NULL, live_briefly, &places[i]) != 0)
            fail("pthread_create");
    }
    for (size_t i = 0; i < at_once; i++)
        pthread_join(places[i].thread, NULL);
    /* A neighbour's leavings: never those of the thread's own place. */
    for (size_t i = 0; i < at_once; i++)
        places[i].inherited = places[(i + 1) % at_once].left;
}

int main(int argc, char **argv)
{
    size_t threads = number_arg(argc, argv, 1, 16000);
    size_t at_once = number_arg(argc, argv, 2, 4);
    size_t blocks = number_arg(argc, argv, 3, 400);
    struct place *places = calloc(at_once, sizeof *places);
    if (!places || !at_once) {
        fprintf(stderr, "usage: short_threads [THREADS [AT_ONCE [BLOCKS]]]\n");
        return 2;
    }
    for (size_t i = 0; i < at_once; i++) {
        places[i].rng = (i + 1) * 0x9e3779b97f4a7c15u;
        places[i].blocks = blocks;
    }
    for (size_t done = 0; done < threads; done += at_once)
        run_wave(places, at_once);
    uint64_t sum = 0;
    for (size_t i = 0; i < at_once; i++)
        sum += places[i].sum + list_drop(places[i].inherited);
    free(places);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
