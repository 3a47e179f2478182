/*
 * fork_streams.c - fork while other threads use the heap inside a stream's lock.
 *
 * Usage: fork_streams [FORKS]
 *
 * fflush(NULL) holds the lock of libc's list of streams while it waits for each stream; a
 * stream's user waits in malloc for a lock of the heap; and fork() takes the lock of the list after
 * all handlers, so after those of the heap if a handler takes only these.  (glibc met this within
 * itself: bug 19431, of which its test is the model of this one.)  Each child
 * uses the heap and streams at once, and must find the lock of the list free.  An alarm in each
 * process turns a deadlock into a message.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "heap_under_test.h"
#include "stress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    USERS = 4,
    FORKS = 100,
    PATIENCE = 60, /* seconds for each process */
    STATUS_CHILD = 42,
    STATUS_STUCK = 3,
    PAUSE = 100,    /* microseconds between two flushes */
    LARGE = 100000, /* bytes of a block that takes the locks of the arenas */
};

static atomic_bool stop;

static void stuck(int number)
{
    (void)number;
    static const char message[] = "fork_streams: DEADLOCK (no end before the alarm)\n";
    _exit(write(STDERR_FILENO, message, sizeof message - 1) < 0 ? STATUS_STUCK + 1 : STATUS_STUCK);
}

static void use_heap(void)
{
    void *block = hut_malloc(LARGE);
    if (block == NULL)
        stress_fail("no memory for %d bytes", LARGE);
    hut_free(block);
}

static void *use_stream(void *unused)
{
    (void)unused;
    FILE *stream = fopen("/dev/null", "w");
    if (stream == NULL)
        stress_fail("cannot open /dev/null");
    while (!atomic_load(&stop)) {
        flockfile(stream);
        use_heap();
        funlockfile(stream);
    }
    fclose(stream);
    return NULL;
}

static void *flush_streams(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        if (fflush(NULL) != 0)
            stress_fail("cannot flush");
        usleep(PAUSE); /* libc's locks are not fair */
    }
    return NULL;
}

static _Noreturn void child(void)
{
    alarm(PATIENCE);
    use_heap();
    FILE *stream = fopen("/dev/null", "w"); /* and fclose(): both change the list */
    if (stream == NULL || fputs("x", stream) < 0 || fclose(stream) != 0 || fflush(NULL) != 0)
        _exit(1);
    _exit(STATUS_CHILD);
}

static void fork_once(void)
{
    pid_t pid = fork();
    if (pid == 0)
        child();
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        stress_fail("cannot fork");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_CHILD)
        stress_fail("a child ended with status %#x", (unsigned)status);
}

static void start(pthread_t *thread, void *(*run)(void *))
{
    if (pthread_create(thread, NULL, run, NULL) != 0)
        stress_fail("cannot start a thread");
}

int main(int argc, char **argv)
{
    stress_begin("fork_streams");
    unsigned long forks = stress_argument(argc, argv, 1, FORKS);
    signal(SIGALRM, stuck);
    alarm(PATIENCE);
    pthread_t threads[USERS + 1];
    for (size_t i = 0; i < USERS; i++)
        start(&threads[i], use_stream);
    start(&threads[USERS], flush_streams);
    for (unsigned long i = 0; i < forks; i++)
        fork_once();
    atomic_store(&stop, true);
    for (size_t i = 0; i < USERS + 1; i++)
        pthread_join(threads[i], NULL);
    printf("fork_streams: %lu forks\n", forks);
    return 0;
}
