/*
 * fork_stress.c - fork, vfork and posix_spawn while other threads are inside
 * the heap.
 *
 * Usage: fork_stress [FORKS [THREADS]]
 *
 * Threads allocate, resize and free without a pause, and exchange blocks
 * through a table; the main thread forks again and again.  Each child uses the
 * heap at once: it allocates, frees and resizes blocks of its own and those
 * of the table, whose owners do not exist in the child; starts a thread that
 * does the same; forks a grandchild meanwhile; and leaves with a status that
 * the parent knows.  An alarm in each process turns a deadlock into a message.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "heap_under_test.h"
#include "stress.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TABLE = 4096,     /* blocks that change hands */
    OWN = 512,        /* blocks of one thread */
    CHILD_OPS = 4000, /* operations of a child, and of its thread */
    MAX_THREADS = 32,
    STATUS_CHILD = 42,
    STATUS_GRANDCHILD = 43,
    STATUS_STUCK = 3,
    PATIENCE = STRESS_SANITIZED ? 120 : 30, /* seconds for a generation */
    SPAWN_EVERY = 8                         /* forks between two spawns */
};

/* What stands at the start of each block; the pattern follows. */
struct label {
    uint32_t size;
    uint32_t tag;
};

struct worker {
    pthread_t thread;
    struct stress_rng rng;
    _Atomic unsigned long operations;
    void *own[OWN];
};

extern char **environ;

static uint64_t seed;
static _Atomic(void *) *table; /* who takes a pointer out owns the block */
static atomic_bool stop;
static _Atomic(const char *) doing = "starting";

static void stuck(int number)
{
    (void)number;
    static const char message[] = "fork_stress: DEADLOCK (no progress until the alarm) while ";
    const char *what = atomic_load(&doing);
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0 ||
        write(STDERR_FILENO, what, strlen(what)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
        _exit(STATUS_STUCK + 1);
    _exit(STATUS_STUCK);
}

/* From here on the process may take so many seconds before it counts as stuck. */
static void watch(unsigned seconds, const char *what)
{
    atomic_store(&doing, what);
    alarm(seconds);
}

static void label_block(struct stress_rng *rng, struct label *label, size_t size)
{
    if (label == NULL)
        stress_fail("no memory for %zu bytes", size);
    label->size = (uint32_t)size;
    label->tag = (uint32_t)stress_next(rng);
    stress_fill(label + 1, size - sizeof *label, label->tag);
}

static void *make_block(struct stress_rng *rng)
{
    size_t size = sizeof(struct label) + stress_mixed_size(rng);
    void *block = hut_malloc(size);
    label_block(rng, block, size);
    return block;
}

static void check_block(void *block)
{
    struct label *label = block;
    if (label->size < sizeof *label || hut_usable(block) < label->size)
        stress_fail("block %p: its first bytes changed (while %s)", block, atomic_load(&doing));
    size_t length = label->size - sizeof *label;
    if (stress_mismatch(label + 1, length, length, label->tag) >= 0)
        stress_fail("block %p of %u bytes: contents changed (while %s)", block, label->size,
                    atomic_load(&doing));
}

static void free_block(void *block)
{
    check_block(block);
    hut_free(block);
}

static void *resize_block(struct stress_rng *rng, void *block)
{
    check_block(block);
    size_t size = sizeof(struct label) + stress_mixed_size(rng);
    block = hut_realloc(block, size);
    label_block(rng, block, size);
    return block;
}

/* One operation on the thread's own blocks or on the table. */
static void step(struct stress_rng *rng, void **own)
{
    void **slot = &own[stress_below(rng, OWN)];
    size_t roll = stress_below(rng, 100);
    if (roll < 40) {
        void *before =
            atomic_exchange_explicit(&table[stress_below(rng, TABLE)], *slot, memory_order_acq_rel);
        *slot = before;
    } else if (*slot == NULL) {
        *slot = make_block(rng);
    } else if (roll < 60) {
        *slot = resize_block(rng, *slot);
    } else {
        free_block(*slot);
        *slot = NULL;
    }
}

static void free_own(void **own)
{
    for (unsigned i = 0; i < OWN; i++) {
        if (own[i] != NULL)
            free_block(own[i]);
        own[i] = NULL;
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        step(&w->rng, w->own);
        atomic_fetch_add_explicit(&w->operations, 1, memory_order_relaxed);
    }
    free_own(w->own);
    return NULL;
}

static void *work_in_child(void *argument)
{
    struct stress_rng rng = stress_rng_of(seed, (uintptr_t)argument);
    void *own[OWN] = {NULL};
    for (unsigned i = 0; i < CHILD_OPS; i++)
        step(&rng, own);
    free_own(own);
    return NULL;
}

/* Frees every second block of the table, whoever allocated it. */
static void free_inherited(struct stress_rng *rng)
{
    for (unsigned i = (unsigned)stress_below(rng, 2); i < TABLE; i += 2) {
        void *block = atomic_exchange_explicit(&table[i], NULL, memory_order_acq_rel);
        if (block != NULL)
            free_block(block);
    }
}

static void expect_status(pid_t child, int expected, const char *who)
{
    int status;
    if (child < 0)
        stress_fail("cannot make the %s", who);
    if (waitpid(child, &status, 0) != child)
        stress_fail("cannot wait for the %s", who);
    if (WIFEXITED(status) && WEXITSTATUS(status) == expected)
        return;
    if (WIFSIGNALED(status))
        stress_fail("the %s was killed by signal %d", who, WTERMSIG(status));
    stress_fail("the %s left with status %d, not %d", who, WEXITSTATUS(status), expected);
}

static _Noreturn void live_as_grandchild(uint64_t number)
{
    struct stress_rng rng = stress_rng_of(seed, number + 2);
    watch(PATIENCE, "a grandchild allocates and frees");
    work_in_child((void *)(uintptr_t)(number + 3));
    free_inherited(&rng);
    hut_check();
    _exit(STATUS_GRANDCHILD);
}

static _Noreturn void live_as_child(uint64_t number)
{
    struct stress_rng rng = stress_rng_of(seed, number);
    pthread_t thread;
    /* ThreadSanitizer refuses new threads after a fork of a threaded program. */
    bool with_thread = !STRESS_TSAN;
    watch(PATIENCE, "a child makes its first allocation");
    free_block(make_block(&rng));
    watch(PATIENCE, "a child frees inherited blocks");
    free_inherited(&rng);
    watch(PATIENCE, "a child starts a thread and forks");
    void *argument = (void *)(uintptr_t)(number + 1);
    if (with_thread && pthread_create(&thread, NULL, work_in_child, argument) != 0)
        stress_fail("a child cannot create a thread");
    pid_t grandchild = fork();
    if (grandchild == 0)
        live_as_grandchild(number);
    watch(PATIENCE, "a child allocates and frees");
    work_in_child((void *)(uintptr_t)(number + 4));
    watch(PATIENCE, "a child waits for its thread");
    if (with_thread)
        pthread_join(thread, NULL);
    watch(2 * PATIENCE, "a child waits for a grandchild");
    expect_status(grandchild, STATUS_GRANDCHILD, "grandchild");
    hut_check();
    _exit(STATUS_CHILD);
}

/* The other two ways to a new process share or leave the parent's memory. */
static void spawn_both_ways(void)
{
    char *arguments[] = {(char *)"true", NULL};
    pid_t child;
    watch(4 * PATIENCE, "the parent calls posix_spawn");
    if (posix_spawnp(&child, "true", NULL, NULL, arguments, environ) != 0)
        stress_fail("posix_spawn failed");
    expect_status(child, 0, "spawned process");
    watch(4 * PATIENCE, "the parent calls vfork");
    child = vfork();
    if (child == 0) {
        execvp("true", arguments);
        _exit(127);
    }
    expect_status(child, 0, "vforked process");
}

static void fork_once(unsigned long i)
{
    watch(4 * PATIENCE, "the parent forks or waits for a child");
    pid_t child = fork();
    if (child == 0)
        live_as_child(1000000 + 10 * i);
    expect_status(child, STATUS_CHILD, "child");
    if (i % SPAWN_EVERY == 0)
        spawn_both_ways();
}

static void check_progress(const struct worker *workers, unsigned threads)
{
    unsigned long total = 0;
    for (unsigned i = 0; i < threads; i++) {
        unsigned long done = atomic_load(&workers[i].operations);
        if (done == 0)
            stress_fail("thread %u never ran", i);
        total += done;
    }
    stress_say("the parent's threads did %lu operations meanwhile", total);
}

int main(int argc, char **argv)
{
    seed = stress_begin("fork_stress");
    unsigned long forks = stress_argument(argc, argv, 1, STRESS_COUNT(200));
    unsigned threads = (unsigned)stress_argument(argc, argv, 2, 3);
    if (threads > MAX_THREADS)
        stress_fail("at most %d threads", MAX_THREADS);
    struct worker *workers = stress_pages(threads * sizeof *workers);
    table = stress_pages(TABLE * sizeof *table);
    signal(SIGALRM, stuck);
    double start = stress_seconds();
    for (unsigned i = 0; i < threads; i++) {
        workers[i].rng = stress_rng_of(seed, i);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            stress_fail("cannot create a thread");
    }
    for (unsigned long i = 0; i < forks; i++)
        fork_once(i);
    watch(4 * PATIENCE, "the parent's threads end");
    atomic_store(&stop, true);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    check_progress(workers, threads);
    for (unsigned i = 0; i < TABLE; i++) {
        void *block = atomic_exchange(&table[i], NULL);
        if (block != NULL)
            free_block(block);
    }
    hut_check();
    stress_say("%lu forks in %.1f s", forks, stress_seconds() - start);
    return 0;
}
