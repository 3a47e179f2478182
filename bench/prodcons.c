/*
 * prodcons: producers allocate messages, consumers free them. A message is a batch of small blocks
 * in a block of its own, passed through one bounded queue, so that every free is a remote one.
 *
 * Usage: prodcons [PRODUCERS [CONSUMERS [BATCHES [QUEUE]]]]     BATCHES in all, of 64 blocks each
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, SMALLEST = 16, LARGEST = 512 };

struct block {
    uint32_t size;
    uint32_t tag;
    unsigned char rest[];
};

struct batch {
    struct block *blocks[BATCH];
};

/* The queue: a ring of batches, all of it under lock. NULL tells a consumer to end. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static struct batch **ring;
static size_t ring_length, ring_first, ring_count;

struct worker {
    pthread_t thread;
    uint64_t rng;
    uint64_t sum;
    size_t batches;
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
    fprintf(stderr, "prodcons: %s failed\n", what);
    exit(1);
}

static void queue_put(struct batch *b)
{
    pthread_mutex_lock(&lock);
    while (ring_count == ring_length)
        pthread_cond_wait(&not_full, &lock);
    ring[(ring_first + ring_count++) % ring_length] = b;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
}

static struct batch *queue_take(void)
{
    pthread_mutex_lock(&lock);
    while (ring_count == 0)
        pthread_cond_wait(&not_empty, &lock);
    struct batch *b = ring[ring_first];
    ring_first = (ring_first + 1) % ring_length;
    ring_count--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&lock);
    return b;
}

static void *produce(void *arg)
{
    struct worker *w = arg;
    for (size_t n = 0; n < w->batches; n++) {
        struct batch *batch = malloc(sizeof *batch);
        if (!batch)
            fail("malloc");
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t size = SMALLEST + random32(&w->rng) % (LARGEST - SMALLEST + 1);
            struct block *b = malloc(size);
            if (!b)
                fail("malloc");
            b->size = size;
            b->tag = i;
            ((unsigned char *)b)[size - 1] = (unsigned char)i;
            batch->blocks[i] = b;
        }
        queue_put(batch);
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct worker *w = arg;
    struct batch *batch;
    while ((batch = queue_take())) {
        for (uint32_t i = 0; i < BATCH; i++) {
            struct block *b = batch->blocks[i];
            if (b->tag != i || ((unsigned char *)b)[b->size - 1] != (unsigned char)i) {
                fprintf(stderr, "prodcons: block %p was overwritten\n", (void *)b);
                abort();
            }
            w->sum += b->size;
            free(b);
        }
        free(batch);
    }
    return NULL;
}

static void start(struct worker *w, void *(*run)(void *))
{
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        fail("pthread_create");
}

int main(int argc, char **argv)
{
    size_t producers = number_arg(argc, argv, 1, 1);
    size_t consumers = number_arg(argc, argv, 2, 1);
    size_t batches = number_arg(argc, argv, 3, 50000);
    ring_length = number_arg(argc, argv, 4, 64);
    ring = calloc(ring_length, sizeof *ring);
    struct worker *workers = calloc(producers + consumers, sizeof *workers);
    if (!ring || !workers || !producers || !consumers || !ring_length) {
        fprintf(stderr, "usage: prodcons [PRODUCERS [CONSUMERS [BATCHES [QUEUE]]]]\n");
        return 2;
    }
    for (size_t i = 0; i < producers; i++) {
        workers[i].rng = (i + 1) * 0x9e3779b97f4a7c15u;
        workers[i].batches = batches / producers;
        start(&workers[i], produce);
    }
    for (size_t i = 0; i < consumers; i++)
        start(&workers[producers + i], consume);
    for (size_t i = 0; i < producers; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < consumers; i++)
        queue_put(NULL);
    uint64_t sum = 0;
    for (size_t i = 0; i < consumers; i++) {
        pthread_join(workers[producers + i].thread, NULL);
        sum += workers[producers + i].sum;
    }
    free(workers);
    free(ring);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
