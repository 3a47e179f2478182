/*
 * plain_test.h - what tests of the public API share that do without the check framework, as it
 * would allocate or load where they must not.
 */
#ifndef PLAIN_TEST_H
#define PLAIN_TEST_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory may be exhausted here: standard error is unbuffered, and nothing is allocated. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

/* Does a child that runs `body` end by abort()?  What it says meanwhile is not shown. */
static inline bool child_aborts(void (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        body();
        _exit(EXIT_SUCCESS);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif /* PLAIN_TEST_H */
