/*
 * remote.c - blocks that are freed by other threads than allocated them, and
 * threads and processes that use the heap while they end.
 *
 * Usage: remote [BLOCKS [THREADS]]
 *
 *   rings      producers and consumers, 1:1 and 2:2; the consumers only free
 *   heirs      each producer ends while the consumers still free its blocks
 *   teardown   threads (3,000) that allocate and free in the destructors of
 *              thread-specific data, in every round of them, and in those of
 *              C++ thread_local objects; resident memory must stay flat
 *   exit       allocation in atexit handlers, in destructors of the program
 *              and in a stream that is flushed after all of them
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "heap_under_test.h"
#include "labelled.h"
#include "stress.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RING = 1024,
    MOST_SIDE = 2,      /* producers, and consumers, at most */
    HEIR_BLOCKS = 2000, /* allocated by each producer that ends early */
    LATE_KEYS = 3,
    /* As many as POSIX promises; TSan needs the last one for itself. */
    LATE_ROUNDS = STRESS_TSAN ? 3 : 4,
    LATE_BLOCKS = 40,
    GROWTH_MOST = 16384 /* KiB of resident memory while threads come and go */
};

/* One producer, one consumer; each end writes only its own index. */
struct ring {
    _Alignas(64) atomic_size_t head; /* next to be read; the consumer's */
    _Alignas(64) atomic_size_t tail; /* next to be written; the producer's */
    _Alignas(64) void *blocks[RING];
};

struct side {
    pthread_t thread;
    unsigned id;
    unsigned partners;
    unsigned long count; /* a producer's blocks */
};

static uint64_t seed;
static struct ring *rings; /* of producer p and consumer c: p * MOST_SIDE + c */
static atomic_uint producing;

static void ring_put(struct ring *ring, void *block)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    while (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING)
        sched_yield();
    ring->blocks[tail % RING] = block;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

static void *ring_get(struct ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return NULL;
    void *block = ring->blocks[head % RING];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return block;
}

static void *produce(void *argument)
{
    struct side *me = argument;
    struct stress_rng rng = stress_rng_of(seed, me->id + 1000 * me->count);
    for (unsigned long i = 0; i < me->count; i++) {
        void *block = make_block(&rng, stress_mixed_size(&rng));
        unsigned to = (unsigned)stress_below(&rng, me->partners);
        ring_put(&rings[me->id * MOST_SIDE + to], block);
    }
    return NULL;
}

/* Frees what comes from all producers until there is none and nothing left. */
static void *consume(void *argument)
{
    struct side *me = argument;
    for (bool more = true; more;) {
        more = atomic_load(&producing) > 0;
        bool idle = true;
        for (unsigned from = 0; from < me->partners; from++) {
            for (void *block; (block = ring_get(&rings[from * MOST_SIDE + me->id])) != NULL;) {
                free_block(block);
                idle = false;
            }
        }
        if (idle)
            sched_yield();
        else
            more = true;
    }
    return NULL;
}

static void start_side(struct side *side, unsigned id, unsigned partners, unsigned long count)
{
    *side = (struct side){.id = id, .partners = partners, .count = count};
    if (pthread_create(&side->thread, NULL, count > 0 ? produce : consume, side) != 0)
        stress_fail("cannot create a thread");
}

static void run_rings(unsigned producers, unsigned consumers, unsigned long blocks)
{
    struct side producer[MOST_SIDE], consumer[MOST_SIDE];
    double start = stress_seconds();
    atomic_store(&producing, producers);
    for (unsigned i = 0; i < consumers; i++)
        start_side(&consumer[i], i, producers, 0);
    for (unsigned i = 0; i < producers; i++)
        start_side(&producer[i], i, consumers, blocks / producers);
    for (unsigned i = 0; i < producers; i++)
        pthread_join(producer[i].thread, NULL);
    atomic_store(&producing, 0);
    for (unsigned i = 0; i < consumers; i++)
        pthread_join(consumer[i].thread, NULL);
    hut_check();
    stress_say("rings %u:%u: %lu blocks in %.1f s", producers, consumers, blocks,
               stress_seconds() - start);
}

/* One producer after the other, each one ended while its blocks are freed. */
static void run_heirs(unsigned generations)
{
    struct side producer, consumer[MOST_SIDE];
    long early = 0;
    atomic_store(&producing, 1);
    for (unsigned i = 0; i < MOST_SIDE; i++)
        start_side(&consumer[i], i, 1, 0);
    for (unsigned g = 0; g < generations; g++) {
        start_side(&producer, 0, MOST_SIDE, HEIR_BLOCKS + g % 7);
        pthread_join(producer.thread, NULL);
        if (g == generations / 4)
            early = stress_resident_kib();
    }
    long late = stress_resident_kib();
    atomic_store(&producing, 0);
    for (unsigned i = 0; i < MOST_SIDE; i++)
        pthread_join(consumer[i].thread, NULL);
    hut_check();
    stress_say("heirs: %u producers; resident after a quarter %ld KiB, at the end %ld KiB",
               generations, early, late);
    if (!STRESS_SANITIZED && late - early > GROWTH_MOST)
        stress_fail("resident memory grew by %ld KiB (most: %d)", late - early, GROWTH_MOST);
}

/* What a thread hands from one round of destructors to the next. */
struct late {
    unsigned key;
    unsigned rounds;
    struct stress_rng rng;
    void *blocks[LATE_BLOCKS];
};

static pthread_key_t late_keys[LATE_KEYS];
static atomic_ulong late_runs;

static struct late *late_begin(unsigned key, uint64_t stream)
{
    struct late *late = hut_calloc(1, sizeof *late);
    if (late == NULL)
        stress_fail("no memory for a thread's own data");
    late->key = key;
    late->rng = stress_rng_of(seed, stream);
    return late;
}

static void late_use(void *argument)
{
    struct late *late = argument;
    atomic_fetch_add_explicit(&late_runs, 1, memory_order_relaxed);
    for (unsigned i = 0; i < LATE_BLOCKS; i++) {
        if (late->blocks[i] != NULL)
            free_block(late->blocks[i]);
        late->blocks[i] = make_block(&late->rng, stress_mixed_size(&late->rng));
    }
    if (++late->rounds < LATE_ROUNDS && late->key < LATE_KEYS) {
        pthread_setspecific(late_keys[late->key], late);
        return;
    }
    for (unsigned i = 0; i < LATE_BLOCKS; i++)
        free_block(late->blocks[i]);
    hut_free(late);
}

/* What a compiler emits for a C++ thread_local object with a destructor. */
extern int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *dso)
    __attribute__((weak));
extern void *__dso_handle;

static void *short_life(void *argument)
{
    struct stress_rng rng = stress_rng_of(seed, (uintptr_t)argument);
    /* Half of the threads come to the heap first, half to the keys. */
    void *block = stress_below(&rng, 2) == 0 ? make_block(&rng, 100) : NULL;
    for (unsigned i = 0; i < LATE_KEYS; i++)
        pthread_setspecific(late_keys[i], late_begin(i, stress_next(&rng)));
    if (__cxa_thread_atexit_impl != NULL)
        __cxa_thread_atexit_impl(late_use, late_begin(LATE_KEYS, stress_next(&rng)), &__dso_handle);
    if (block != NULL)
        free_block(block);
    return NULL;
}

static void run_teardown(unsigned long threads)
{
    long early = 0;
    for (unsigned i = 0; i < LATE_KEYS; i++) {
        if (pthread_key_create(&late_keys[i], late_use) != 0)
            stress_fail("cannot create a key");
    }
    for (unsigned long i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, short_life, (void *)(uintptr_t)(i + 1)) != 0)
            stress_fail("cannot create a thread");
        pthread_join(thread, NULL);
        if (i == threads / 4)
            early = stress_resident_kib();
    }
    long late = stress_resident_kib();
    unsigned long expected = threads * LATE_KEYS * LATE_ROUNDS;
    if (__cxa_thread_atexit_impl != NULL)
        expected += threads;
    hut_check();
    stress_say("teardown: %lu threads, %lu destructors ran; resident after a quarter %ld KiB, at "
               "the end %ld KiB",
               threads, atomic_load(&late_runs), early, late);
    if (atomic_load(&late_runs) != expected)
        stress_fail("%lu destructors should have run", expected);
    if (!STRESS_SANITIZED && late - early > GROWTH_MOST)
        stress_fail("resident memory grew by %ld KiB (most: %d)", late - early, GROWTH_MOST);
}

/* Where the stages of a process's end report; -1 in the test's own process. */
static int stage_fd = -1;
static void *kept_till_exit[LATE_BLOCKS];

static void stage(char letter)
{
    struct stress_rng rng = stress_rng_of(seed, (unsigned char)letter);
    for (unsigned i = 0; i < LATE_BLOCKS; i++) {
        free_block(kept_till_exit[i]);
        kept_till_exit[i] = make_block(&rng, stress_mixed_size(&rng));
    }
    if (write(stage_fd, &letter, 1) != 1)
        _exit(3);
}

static void at_exit(void)
{
    stage('a');
}

static __attribute__((destructor)) void at_unload(void)
{
    if (stage_fd >= 0)
        stage('d');
}

static ssize_t at_flush(void *cookie, const char *buffer, size_t size)
{
    (void)cookie;
    (void)buffer;
    stage('f');
    return (ssize_t)size;
}

static _Noreturn void end_process(int fd)
{
    struct stress_rng rng = stress_rng_of(seed, 0);
    for (unsigned i = 0; i < LATE_BLOCKS; i++)
        kept_till_exit[i] = make_block(&rng, stress_mixed_size(&rng));
    stage_fd = fd;
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = at_flush});
    if (stream == NULL || fputs("not yet written", stream) == EOF || atexit(at_exit) != 0)
        _exit(4);
    exit(0);
}

static void run_exit(void)
{
    int ends[2], status;
    char letters[8] = "";
    if (pipe(ends) != 0)
        stress_fail("cannot make a pipe");
    pid_t child = fork();
    if (child < 0)
        stress_fail("cannot fork");
    if (child == 0)
        end_process(ends[1]);
    close(ends[1]);
    for (size_t used = 0; used < sizeof letters - 1;) {
        ssize_t got = read(ends[0], letters + used, sizeof letters - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    stress_say("exit: stages '%s' (atexit, destructor, last flush), status %#x", letters, status);
    if (status != 0 || strcmp(letters, "adf") != 0)
        stress_fail("the process did not end as it should: expected 'adf', status 0");
}

int main(int argc, char **argv)
{
    seed = stress_begin("remote");
    unsigned long blocks = stress_argument(argc, argv, 1, STRESS_COUNT(2000000));
    unsigned long threads = stress_argument(argc, argv, 2, STRESS_COUNT(3000));
    rings = stress_pages(MOST_SIDE * MOST_SIDE * sizeof *rings);
    run_rings(1, 1, blocks);
    run_rings(2, 2, blocks);
    run_heirs((unsigned)(threads / 10));
    run_teardown(threads);
    run_exit();
    return 0;
}
