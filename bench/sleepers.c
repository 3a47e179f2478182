/*
 * sleepers: how much memory comes back from threads that wait for work. They build blocks of 16 to
 * 512 bytes, together 400,000, and sleep; what is freed then, and by whom, is the argument:
 *
 *   built      all, by the main thread
 *   replaced   the same, but each thread has replaced blocks at random before
 *   own        each thread frees a random 98 % of its own before it sleeps
 *   some       as `replaced`, but a random tenth is kept
 *
 * The main thread then makes some calls every tenth of a second. The resident memory is printed as
 * it was when all was built, and after SECONDS of that.
 *
 * Usage: sleepers built|replaced|own|some [SECONDS [THREADS]]
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 400000, THREADS_MOST = 64, SMALLEST = 16, LARGEST = 512, CALLS = 200 };

struct worker {
    pthread_t thread;
    uint64_t random;
    void **blocks;
};

static const char *what;
static size_t each; /* thread's blocks */
static pthread_barrier_t turn;

static bool is(const char *word)
{
    return strcmp(what, word) == 0;
}

static uint32_t random32(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

static void fail(const char *message)
{
    fprintf(stderr, "sleepers: %s\n", message);
    exit(1);
}

static void *new_block(uint64_t *random)
{
    size_t size = SMALLEST + random32(random) % (LARGEST - SMALLEST + 1);
    void *block = malloc(size);
    if (block == NULL)
        fail("no memory");
    return memset(block, 1, size);
}

static void drop(void **block)
{
    free(*block);
    *block = NULL;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (size_t i = 0; i < each; i++)
        worker->blocks[i] = new_block(&worker->random);
    for (size_t i = 0; i < 2 * each && (is("replaced") || is("some")); i++) {
        void **block = &worker->blocks[random32(&worker->random) % each];
        free(*block);
        *block = new_block(&worker->random);
    }
    for (size_t i = 0; i < each && is("own"); i++) {
        if (random32(&worker->random) % 50 != 0)
            drop(&worker->blocks[i]);
    }
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return NULL;
}

static void drop_for(struct worker *worker)
{
    for (size_t i = 0; i < each && !is("own"); i++) {
        if (!is("some") || random32(&worker->random) % 10 != 0)
            drop(&worker->blocks[i]);
    }
}

static double resident_mb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        fail("no /proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void make_calls(unsigned long seconds)
{
    for (unsigned long tenth = 0; tenth < 10 * seconds; tenth++) {
        usleep(100000);
        for (int i = 0; i < CALLS; i++) {
            void *volatile block = malloc(300);
            free(block);
        }
    }
}

int main(int argc, char **argv)
{
    what = argc > 1 ? argv[1] : "replaced";
    if (!is("built") && !is("replaced") && !is("own") && !is("some"))
        fail("built, replaced, own or some");
    unsigned long seconds = argc > 2 ? strtoul(argv[2], NULL, 10) : 12;
    unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 4;
    if (threads == 0 || threads > THREADS_MOST)
        fail("1 to 64 threads");
    each = BLOCKS / threads;
    pthread_barrier_init(&turn, NULL, (unsigned)threads + 1);
    static struct worker workers[THREADS_MOST];
    for (unsigned long i = 0; i < threads; i++) {
        workers[i].random = 0x9e3779b97f4a7c15u * (i + 1);
        workers[i].blocks = calloc(each, sizeof(void *));
        if (workers[i].blocks == NULL ||
            pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("no thread");
    }
    pthread_barrier_wait(&turn);
    double built = resident_mb();
    for (unsigned long i = 0; i < threads; i++)
        drop_for(&workers[i]);
    make_calls(seconds);
    printf("%s: built %.1f MB, after %lu s %.1f MB\n", what, built, seconds, resident_mb());
    pthread_barrier_wait(&turn);
    for (unsigned long i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    return 0;
}
