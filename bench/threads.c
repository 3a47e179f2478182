/*
 * threads: a fixed amount of work, shared out among N threads that have nothing to do with each
 * other: each replaces random members of a small live set. What a second or a sixteenth thread
 * costs beyond its share is the allocator's.
 *
 * Usage: threads [THREADS [REPLACEMENTS]]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIVE = 1000, SMALLEST = 16, LARGEST = 512, THREADS_MAX = 256 };

struct worker {
    pthread_t thread;
    uint64_t rng;
    unsigned long replacements;
    unsigned long sum;
};

static void fail(const char *what)
{
    fprintf(stderr, "threads: %s\n", what);
    exit(1);
}

static uint64_t next(uint64_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return *rng;
}

static unsigned char *replace(unsigned char *block, uint64_t random)
{
    free(block);
    size_t size = SMALLEST + random % (LARGEST - SMALLEST + 1);
    block = malloc(size);
    if (block == NULL)
        fail("out of memory");
    block[0] = block[size - 1] = (unsigned char)random;
    return block;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    unsigned char *blocks[LIVE] = {NULL};
    uint64_t rng = worker->rng; /* here, as workers lie on one cache line */
    unsigned long sum = 0;
    for (unsigned long i = 0; i < worker->replacements; i++) {
        uint64_t random = next(&rng);
        size_t at = (random >> 32) % LIVE;
        if (blocks[at] != NULL)
            sum += blocks[at][0];
        blocks[at] = replace(blocks[at], random & 0xffffffff);
    }
    worker->sum = sum;
    for (size_t i = 0; i < LIVE; i++)
        free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    unsigned long threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    unsigned long replacements = argc > 2 ? strtoul(argv[2], NULL, 10) : 64000000;
    if (threads < 1 || threads > THREADS_MAX)
        fail("1 to 256 threads");
    for (unsigned long i = 0; i < threads; i++) {
        workers[i].rng = 0x9e3779b97f4a7c15u + i;
        workers[i].replacements = replacements / threads;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("no thread");
    }
    unsigned long sum = 0;
    for (unsigned long i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        sum += workers[i].sum;
    }
    printf("checksum %lu\n", sum);
    return 0;
}
