/*
 * sleepers.c - threads that work in bursts and sleep in between, while others give back what is
 * free inside their pools: nobody's blocks change.
 *
 * Usage: sleepers [BURSTS [THREADS]]
 *
 * Each thread replaces blocks of its own and frees what it finds on a board that all share, where
 * it leaves others.  The decay time is two milliseconds, so that most sleeps are long enough for a
 * visit, and many threads wake up in the middle of one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "heap_under_test.h"
#include "labelled.h"
#include "stress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
    THREADS_MOST = 32,
    OWN = 600,        /* blocks of each thread */
    BOARD = 500,      /* and of all */
    BURST = 1500,     /* replacements at a time */
    LONGEST_NAP = 12, /* milliseconds; some bursts are followed by none */
    CHECK_EVERY = 16, /* bursts */
    SMALLEST = 16,    /* bytes, and mostly no more than this much more, */
    MOSTLY = 700,
    LARGEST = 150000 /* but at times up to this */
};

#define OPTION "PYMEM_CONF"

struct worker {
    pthread_t thread;
    struct stress_rng rng;
    unsigned long bursts;
    void *own[OWN];
};

static _Atomic(void *) board[BOARD];
static atomic_uint at_work;

static void *make(struct stress_rng *rng)
{
    size_t size = SMALLEST + stress_below(rng, MOSTLY);
    if (stress_below(rng, 12) == 0)
        size = SMALLEST + stress_below(rng, LARGEST);
    return make_block(rng, size);
}

static void check_and_free(void *block)
{
    if (block != NULL)
        free_block(block);
}

static void replace(struct worker *worker)
{
    void **slot = &worker->own[stress_below(&worker->rng, OWN)];
    if (stress_below(&worker->rng, 4) == 0) { /* to others; what is there goes */
        check_and_free(atomic_exchange(&board[stress_below(&worker->rng, BOARD)], *slot));
        *slot = NULL;
    } else {
        check_and_free(*slot);
        *slot = stress_below(&worker->rng, 8) != 0 ? make(&worker->rng) : NULL;
    }
}

/* Before some sleeps most goes: then there is something to give back. */
static void drop_most(struct worker *worker)
{
    for (size_t i = 0; i < OWN; i++) {
        if (stress_below(&worker->rng, 10) == 0)
            continue;
        check_and_free(worker->own[i]);
        worker->own[i] = NULL;
    }
}

static void nap(struct stress_rng *rng)
{
    size_t milliseconds = stress_below(rng, 3) == 0 ? 0 : stress_below(rng, LONGEST_NAP);
    if (milliseconds != 0)
        usleep((useconds_t)(milliseconds * 1000));
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (unsigned long burst = 0; burst < worker->bursts; burst++) {
        for (int i = 0; i < BURST; i++)
            replace(worker);
        if (stress_below(&worker->rng, 2) == 0)
            drop_most(worker);
        if (burst % CHECK_EVERY == 0)
            hut_check();
        nap(&worker->rng);
    }
    for (size_t i = 0; i < OWN; i++)
        check_and_free(worker->own[i]);
    hut_check();
    atomic_fetch_sub(&at_work, 1);
    return NULL;
}

/* Somebody always makes calls. */
static void stay_awake(struct stress_rng *rng)
{
    while (atomic_load(&at_work) != 0) {
        void *some[200];
        for (size_t i = 0; i < 200; i++)
            some[i] = make(rng);
        for (size_t i = 0; i < 200; i++)
            check_and_free(some[i]);
        usleep(500);
    }
}

/* The option is read at the start. */
static void ensure_short_decay(char **argv)
{
    if (getenv(OPTION) != NULL)
        return;
    if (setenv(OPTION, "decay_ms:2", 1) != 0 || execv("/proc/self/exe", argv) != 0)
        stress_fail("cannot set %s and begin again", OPTION);
}

int main(int argc, char **argv)
{
    ensure_short_decay(argv);
    uint64_t seed = stress_begin("sleepers");
    unsigned long bursts = stress_argument(argc, argv, 1, STRESS_COUNT(400));
    unsigned long threads = stress_argument(argc, argv, 2, 6);
    if (threads > THREADS_MOST)
        stress_fail("no more than %d threads", THREADS_MOST);
    struct worker *workers = stress_pages(threads * sizeof *workers);
    atomic_store(&at_work, (unsigned)threads);
    for (unsigned long i = 0; i < threads; i++) {
        workers[i].rng = stress_rng_of(seed, i + 1);
        workers[i].bursts = bursts;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            stress_fail("no thread");
    }
    struct stress_rng rng = stress_rng_of(seed, 0);
    stay_awake(&rng);
    for (unsigned long i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < BOARD; i++)
        check_and_free(atomic_load(&board[i]));
    hut_check();
    stress_pages_free(workers, threads * sizeof *workers);
    stress_say("all blocks kept what they held");
    return 0;
}
