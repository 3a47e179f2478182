/*
 * race_double_free.c - two threads free the same block at the same moment.
 *
 * Usage: race_double_free [CHILDREN]
 *
 * Every repetition runs in a process of its own, which must end by SIGABRT
 * with one line on standard error that says "is already free" or, when the
 * block's owner and another thread were inside the same few instructions, names
 * the invariant that broke: never by exiting, hanging, or a bad memory access.
 * The heap may notice at the second
 * free or, when both are in the same few instructions, at the latest before
 * its pool is used up again; never may it hand the block out twice.  The block
 * belongs to one of the two threads, to the main thread, or to a thread that
 * has ended; its size goes through pools of small, middle and big blocks, and large blocks.
 */
#include "heap_under_test.h"
#include "stress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE = STRESS_SANITIZED ? 60 : 10,
    OWNERS = 3,
    REUSED = 1 << 20, /* bytes allocated after a race that went unnoticed */
    STATUS_UNNOTICED = 4,
    STATUS_TWICE = 5
};

static const size_t sizes[] = {1,    16,    48,    100,   512,    1500,
                               4096, 10000, 30000, 40000, 250000, 1000000};
static const char *const owners[OWNERS] = {"one of the two threads", "the main thread",
                                           "a thread that has ended"};

static uint64_t seed;

struct race {
    void *block;
    size_t size;
    unsigned delay[2]; /* turns of an empty loop, to move the threads' timing */
    atomic_uint ready;
};

/* With neighbours, so that the pool does not become empty by the first free:
   its memory would be gone, and so the knowledge of what was in it. */
static void *allocate(void *argument)
{
    struct race *race = argument;
    void *before = hut_malloc(race->size);
    race->block = hut_malloc(race->size);
    void *after = hut_malloc(race->size);
    if (before == NULL || race->block == NULL || after == NULL)
        _exit(2);
    return NULL;
}

/* Frees as soon as both threads are here; spins so that it is the same moment. */
static void free_together(struct race *race, unsigned side)
{
    void *block = race->block;
    unsigned delay = race->delay[side];
    hut_free(hut_malloc(1)); /* what a thread does first takes longer than the window is open */
    atomic_fetch_add(&race->ready, 1);
    while (atomic_load(&race->ready) < 2)
        ;
    for (volatile unsigned i = 0; i < delay; i = i + 1)
        ;
    hut_free(block);
}

static void *first(void *argument)
{
    free_together(argument, 0);
    return NULL;
}

static void *second(void *argument)
{
    free_together(argument, 1);
    return NULL;
}

/* Both frees have returned: uses the pool up, to see what has become of it. */
static _Noreturn void reuse(const struct race *race)
{
    unsigned seen = 0;
    for (size_t bytes = 0; bytes < REUSED; bytes += race->size) {
        if (hut_malloc(race->size) == race->block)
            seen++;
    }
    _exit(seen > 1 ? STATUS_TWICE : STATUS_UNNOTICED);
}

static _Noreturn void live_as_child(unsigned long number)
{
    struct stress_rng rng = stress_rng_of(seed, number);
    struct race race = {.size = sizes[number % (sizeof sizes / sizeof sizes[0])]};
    unsigned owner = (unsigned)stress_below(&rng, OWNERS);
    pthread_t threads[2];
    race.delay[stress_below(&rng, 2)] = (unsigned)stress_below(&rng, 200);
    alarm(PATIENCE);
    if (owner == 2) {
        pthread_create(&threads[0], NULL, allocate, &race);
        pthread_join(threads[0], NULL);
    } else {
        allocate(&race);
    }
    pthread_create(&threads[0], NULL, first, &race);
    if (owner == 0) { /* this thread takes the second part */
        second(&race);
    } else {
        pthread_create(&threads[1], NULL, second, &race);
        pthread_join(threads[1], NULL);
    }
    pthread_join(threads[0], NULL);
    reuse(&race);
}

/* Runs one child; its standard error goes to `text`. */
static int run_child(unsigned long number, char *text, size_t room)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        stress_fail("cannot make a pipe");
    pid_t child = fork();
    if (child < 0)
        stress_fail("cannot fork");
    if (child == 0) {
        if (dup2(ends[1], STDERR_FILENO) < 0)
            _exit(2);
        close(ends[0]);
        close(ends[1]);
        live_as_child(number);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got; used < room - 1 && (got = read(ends[0], text + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    text[used] = '\0';
    for (char *end; (end = strchr(text, '\n')) != NULL;)
        *end = ' ';
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

/* What is wrong with the end of a child, or NULL. */
static const char *judge(int status, const char *text)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_TWICE)
        return "the second free went unnoticed and the block was handed out twice";
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == STATUS_UNNOTICED ? "the second free went unnoticed"
                                                       : "the child failed";
    if (WTERMSIG(status) == SIGALRM)
        return "the child hung";
    if (WTERMSIG(status) != SIGABRT)
        return "the child was killed by another signal than SIGABRT";
    return strstr(text, "is already free") == NULL && strstr(text, "broken heap") == NULL
               ? "no line says 'is already free'"
               : NULL;
}

int main(int argc, char **argv)
{
    static char text[16384];
    seed = stress_begin("race_double_free");
    unsigned long children = stress_argument(argc, argv, 1, STRESS_COUNT(3000));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    unsigned long failures = 0;
    for (unsigned long number = 0; number < children; number++) {
        int status = run_child(number, text, sizeof text);
        const char *problem = judge(status, text);
        if (problem == NULL)
            continue;
        struct stress_rng rng = stress_rng_of(seed, number);
        if (failures++ < 10)
            stress_say("child %lu (size %zu, block of %s): %s; status %#x, it wrote '%.200s'",
                       number, sizes[number % (sizeof sizes / sizeof sizes[0])],
                       owners[stress_below(&rng, OWNERS)], problem, (unsigned)status, text);
    }
    if (failures > 0)
        stress_fail("%lu of %lu children did not end as they should", failures, children);
    stress_say("%lu children: every second free was noticed", children);
    return 0;
}
