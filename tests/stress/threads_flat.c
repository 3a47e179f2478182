/*
 * threads_flat.c - threads that end leave nothing stranded.
 *
 * Usage: threads_flat [THREADS [MEGABYTES]]
 *
 * First, many short-lived threads (10,000): each allocates mixed sizes, frees
 * some and leaves some, which a later thread or the main thread frees.  The
 * resident memory after a quarter of them (it is level from some
 * 2,000 on) and after all must be the same.
 * Second, a few threads build a large structure of small blocks (64 MB) and
 * end; the main thread (then, in a second round, another thread) frees it all
 * and trims: the resident memory must be back where it was.
 *
 * In sanitizer builds contents are checked but resident memory is only
 * printed: most of it is the sanitizer's.
 */
#include "heap_under_test.h"
#include "labelled.h"
#include "stress.h"

#include <pthread.h>

enum {
    AT_ONCE = 4,        /* threads that are alive together */
    BLOCKS = 300,       /* allocated by each short-lived thread */
    LEFT_EACH = 40,     /* of these, left to others */
    LEFT_MOST = 4096,   /* left over at any time */
    SWEEP_EVERY = 500,  /* threads after which main frees all that is left */
    GROWTH_MOST = 8192, /* KiB between a quarter and all of the threads */
    BUILDERS = 4,
    KEPT_MOST = 16384 /* KiB above the start after everything was freed */
};

struct builder {
    pthread_t thread;
    uint64_t seed;
    void **blocks;
    size_t count;
    size_t bytes;
};

static uint64_t seed;
static pthread_mutex_t left_lock = PTHREAD_MUTEX_INITIALIZER;
static void **left; /* blocks without an owner; under left_lock */
static size_t left_count;

static bool leave(void *block)
{
    pthread_mutex_lock(&left_lock);
    bool room = left_count < LEFT_MOST;
    if (room)
        left[left_count++] = block;
    pthread_mutex_unlock(&left_lock);
    return room;
}

static void *take_left(void)
{
    pthread_mutex_lock(&left_lock);
    void *block = left_count > 0 ? left[--left_count] : NULL;
    pthread_mutex_unlock(&left_lock);
    return block;
}

static void *short_life(void *argument)
{
    struct stress_rng rng = stress_rng_of(seed, (uintptr_t)argument);
    void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = make_block(&rng, stress_mixed_size(&rng));
    for (unsigned i = 0; i < LEFT_EACH / 2; i++) {
        void *block = take_left();
        if (block != NULL)
            free_block(block);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i % (BLOCKS / LEFT_EACH) != 0 || !leave(blocks[i]))
            free_block(blocks[i]);
    }
    return NULL;
}

static void sweep(void)
{
    for (void *block; (block = take_left()) != NULL;)
        free_block(block);
}

static void many_threads(unsigned long total)
{
    pthread_t running[AT_ONCE];
    long early = 0;
    unsigned long quarter = (total + 3) / 4;
    for (unsigned long begun = 0; begun < total;) {
        unsigned batch = 0;
        for (; batch < AT_ONCE && begun < total; batch++, begun++) {
            void *number = (void *)(uintptr_t)(begun + 1);
            if (pthread_create(&running[batch], NULL, short_life, number) != 0)
                stress_fail("cannot create thread %lu", begun);
        }
        for (unsigned i = 0; i < batch; i++)
            pthread_join(running[i], NULL);
        if (begun % SWEEP_EVERY < AT_ONCE || begun == total)
            sweep();
        if (early == 0 && begun >= quarter) {
            sweep();
            early = stress_resident_kib();
        }
    }
    long late = stress_resident_kib();
    stress_say("resident after %lu threads %ld KiB, after %lu threads %ld KiB", quarter, early,
               total, late);
    if (!STRESS_SANITIZED && late - early > GROWTH_MOST)
        stress_fail("resident memory grew by %ld KiB with the number of threads (most: %d)",
                    late - early, GROWTH_MOST);
    hut_check();
}

static void *build(void *argument)
{
    struct builder *b = argument;
    struct stress_rng rng = stress_rng_of(b->seed, 0);
    for (size_t done = 0; done < b->bytes; b->count++) {
        size_t size = 64 + stress_below(&rng, 449);
        b->blocks[b->count] = make_block(&rng, size);
        done += size;
    }
    return NULL;
}

static void *tear_down(void *argument)
{
    struct builder *builders = argument;
    for (unsigned i = 0; i < BUILDERS; i++) {
        for (size_t at = 0; at < builders[i].count; at++)
            free_block(builders[i].blocks[at]);
        builders[i].count = 0;
    }
    hut_trim();
    return NULL;
}

static void big_structure(unsigned long megabytes, bool by_other_thread)
{
    struct builder builders[BUILDERS];
    size_t each = megabytes * 1024 * 1024 / BUILDERS;
    size_t table = (each / 64 + 1) * sizeof(void *);
    long start = stress_resident_kib();
    for (unsigned i = 0; i < BUILDERS; i++) {
        builders[i] = (struct builder){.seed = seed ^ i, .bytes = each};
        builders[i].blocks = stress_pages(table);
        if (pthread_create(&builders[i].thread, NULL, build, &builders[i]) != 0)
            stress_fail("cannot create a builder");
    }
    for (unsigned i = 0; i < BUILDERS; i++)
        pthread_join(builders[i].thread, NULL);
    long built = stress_resident_kib();
    hut_check();
    if (by_other_thread) {
        pthread_t other;
        if (pthread_create(&other, NULL, tear_down, builders) != 0)
            stress_fail("cannot create a thread");
        pthread_join(other, NULL);
    } else {
        tear_down(builders);
    }
    for (unsigned i = 0; i < BUILDERS; i++)
        stress_pages_free(builders[i].blocks, table);
    long end = stress_resident_kib();
    hut_check();
    stress_say(
        "%lu MB of small blocks: resident before %ld KiB, built %ld KiB, freed by %s %ld KiB",
        megabytes, start, built, by_other_thread ? "another thread" : "main", end);
    if (!STRESS_SANITIZED && end - start > KEPT_MOST)
        stress_fail("%ld KiB were not given back (most: %d)", end - start, KEPT_MOST);
}

int main(int argc, char **argv)
{
    seed = stress_begin("threads_flat");
    unsigned long total = stress_argument(argc, argv, 1, STRESS_COUNT(10000));
    unsigned long megabytes = stress_argument(argc, argv, 2, STRESS_TSAN ? 16 : 64);
    left = stress_pages(LEFT_MOST * sizeof *left);
    many_threads(total);
    big_structure(megabytes, false);
    big_structure(megabytes, true);
    return 0;
}
