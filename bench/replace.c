/*
 * replace: each thread has a set of live blocks and replaces random members of it, whose sizes
 * grow by a quarter meanwhile: many small ones are a cache, a few large ones a server's buffers.
 *
 * Usage: replace [THREADS [LIVE [COUNT [SMALLEST [LARGEST [WRITTEN]]]]]]
 *        LIVE blocks in each thread, COUNT replacements in each; WRITTEN percent of a block are
 *        written (and its last byte), or as good as nothing
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };

static size_t live = 300000, count = 4000000, smallest = 32, largest = 320, written = 0;

struct block {
    size_t size;
    unsigned char rest[];
};

struct worker {
    pthread_t thread;
    uint64_t random, sum;
};

static uint32_t random32(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

static void fail(const char *what)
{
    fprintf(stderr, "replace: %s\n", what);
    abort();
}

static struct block *block_new(struct worker *worker, size_t done)
{
    size_t size = smallest + random32(&worker->random) % (largest - smallest + 1);
    size += size / 4 * done / count;
    struct block *block = malloc(size);
    if (!block)
        fail("out of memory");
    if (written != 0)
        memset(block, (int)done, size * written / 100);
    block->size = size;
    ((unsigned char *)block)[size - 1] = (unsigned char)size; /* the last byte is none of `size` */
    return block;
}

static size_t block_drop(struct block *block)
{
    if (!block)
        return 0;
    size_t size = block->size;
    if (((unsigned char *)block)[size - 1] != (unsigned char)size)
        fail("a block was overwritten");
    free(block);
    return size;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct block **blocks = calloc(live, sizeof *blocks);
    if (!blocks)
        fail("out of memory");
    for (size_t done = 0; done < count; done++) {
        size_t at = random32(&worker->random) % live;
        worker->sum += block_drop(blocks[at]);
        blocks[at] = block_new(worker, done);
    }
    for (size_t i = 0; i < live; i++)
        worker->sum += block_drop(blocks[i]);
    free(blocks);
    return NULL;
}

static size_t number_arg(int argc, char **argv, int i, size_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    size_t threads = number_arg(argc, argv, 1, 1);
    live = number_arg(argc, argv, 2, live);
    count = number_arg(argc, argv, 3, count);
    smallest = number_arg(argc, argv, 4, smallest);
    largest = number_arg(argc, argv, 5, largest);
    written = number_arg(argc, argv, 6, written);
    if (threads == 0 || threads > THREADS_MAX || live == 0 || count == 0 ||
        smallest <= sizeof(struct block) || largest < smallest || written > 100) {
        fprintf(stderr, "usage: replace [THREADS [LIVE [COUNT [SMALLEST [LARGEST [WRITTEN]]]]]]\n");
        return 2;
    }
    for (size_t i = 0; i < threads; i++) {
        workers[i].random = 0x9e3779b97f4a7c15u * (i + 1);
        if (threads > 1 && pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("no thread");
    }
    if (threads == 1)
        work(&workers[0]);
    uint64_t sum = 0;
    for (size_t i = 0; i < threads; i++) {
        if (threads > 1)
            pthread_join(workers[i].thread, NULL);
        sum += workers[i].sum;
    }
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
