/*
 * larson: a server in the manner of Larson and Krishnan, "Memory allocation for long-running
 * server applications" (ISMM 1998). Each of N chains owns an array of blocks and replaces random
 * members; after a while the running thread starts a successor, hands it the array and ends. So
 * most blocks are freed by another thread than the one that allocated them, and threads come and
 * go while their blocks live on.
 *
 * Usage: larson [THREADS [GENERATIONS [REPLACEMENTS [SLOTS]]]]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 16, LARGEST = 1000 };

struct block {
    uint32_t size;
    uint32_t tag;
    unsigned char rest[];
};

/* What one thread hands to its successor; touched by one thread at a time. */
struct chain {
    uint64_t rng;
    uint64_t sum;
    size_t generations;  /* threads still to run, this one included */
    size_t replacements; /* per thread */
    size_t length;
    struct block **slots;
};

static pthread_attr_t detached;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t chain_ended = PTHREAD_COND_INITIALIZER;
static size_t chains_running; /* under lock */

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
    fprintf(stderr, "larson: %s failed\n", what);
    exit(1);
}

static struct block *block_new(uint64_t *rng, uint32_t tag)
{
    uint32_t size = SMALLEST + random32(rng) % (LARGEST - SMALLEST + 1);
    struct block *b = malloc(size);
    if (!b)
        fail("malloc");
    b->size = size;
    b->tag = tag;
    ((unsigned char *)b)[size - 1] = (unsigned char)tag;
    return b;
}

static uint32_t block_drop(struct block *b, uint32_t tag)
{
    uint32_t size = b->size;
    if (b->tag != tag || ((unsigned char *)b)[size - 1] != (unsigned char)tag) {
        fprintf(stderr, "larson: block %p was overwritten\n", (void *)b);
        abort();
    }
    free(b);
    return size;
}

static void *generation(void *arg);

static void start_generation(struct chain *c)
{
    pthread_t thread;
    if (pthread_create(&thread, &detached, generation, c) != 0)
        fail("pthread_create");
}

static void *generation(void *arg)
{
    struct chain *c = arg;
    for (size_t n = 0; n < c->replacements; n++) {
        size_t i = random32(&c->rng) % c->length;
        c->sum += block_drop(c->slots[i], (uint32_t)i);
        c->slots[i] = block_new(&c->rng, (uint32_t)i);
    }
    if (--c->generations > 0) {
        start_generation(c);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    if (--chains_running == 0)
        pthread_cond_signal(&chain_ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* The main thread fills every array, as the server of the paper does. */
static void chain_init(struct chain *c, uint64_t seed)
{
    c->rng = seed * 0x9e3779b97f4a7c15u;
    c->slots = calloc(c->length, sizeof *c->slots);
    if (!c->slots)
        fail("calloc");
    for (size_t i = 0; i < c->length; i++)
        c->slots[i] = block_new(&c->rng, (uint32_t)i);
}

static uint64_t chain_drop(struct chain *c)
{
    for (size_t i = 0; i < c->length; i++)
        c->sum += block_drop(c->slots[i], (uint32_t)i);
    free(c->slots);
    return c->sum;
}

int main(int argc, char **argv)
{
    size_t threads = number_arg(argc, argv, 1, 4);
    struct chain model = {.generations = number_arg(argc, argv, 2, 100),
                          .replacements = number_arg(argc, argv, 3, 80000),
                          .length = number_arg(argc, argv, 4, 1000)};
    struct chain *chains = calloc(threads, sizeof *chains);
    if (!chains || !threads || !model.generations || !model.length) {
        fprintf(stderr, "usage: larson [THREADS [GENERATIONS [REPLACEMENTS [SLOTS]]]]\n");
        return 2;
    }
    for (size_t i = 0; i < threads; i++) {
        chains[i] = model;
        chain_init(&chains[i], i + 1);
    }
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    chains_running = threads;
    for (size_t i = 0; i < threads; i++)
        start_generation(&chains[i]);
    pthread_mutex_lock(&lock);
    while (chains_running > 0)
        pthread_cond_wait(&chain_ended, &lock);
    pthread_mutex_unlock(&lock);
    uint64_t sum = 0;
    for (size_t i = 0; i < threads; i++)
        sum += chain_drop(&chains[i]);
    free(chains);
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
