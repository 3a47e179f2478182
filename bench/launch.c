/*
 * launch: starts one command and reports what it cost. A process that was started keeps the peak
 * memory of the moment before its exec, so a command started by a large parent (a Python script,
 * say) would show the parent's peak. This parent is small, and it uses fork: after vfork or
 * posix_spawn the child shares, and is charged for, all of the parent; after fork, only what it
 * touches. LD_PRELOAD is set for the child alone.
 *
 * Usage: launch [-p LIBRARY] [-e NAME=VALUE]... [-f FD | -o FILE] [--] COMMAND [ARG...]
 *   -p LIBRARY     preload LIBRARY into the command; without it the command gets no LD_PRELOAD
 *   -e NAME=VALUE  set a variable in the command's environment
 *   -f FD          write the report to this file descriptor (default: 2)
 *   -o FILE        write the report to this file
 * The report is one line: "wall SECONDS cpu SECONDS maxrss_kb KB". The exit status is the
 * command's, 128 + N after signal N, 127 where it cannot be started, 2 after a wrong call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SETTINGS = 32 };

struct options {
    const char *preload;
    char *settings[MAX_SETTINGS]; /* NAME=VALUE */
    int setting_count;
    int fd;
};

static _Noreturn void usage(void)
{
    fputs("usage: launch [-p LIBRARY] [-e NAME=VALUE]... [-f FD | -o FILE] [--] COMMAND [ARG...]\n",
          stderr);
    exit(2);
}

static _Noreturn void fail(const char *what, int error, int status)
{
    fprintf(stderr, "launch: %s: %s\n", what, strerror(error));
    exit(status);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.fd = STDERR_FILENO};
    int c;
    while ((c = getopt(argc, argv, "+p:e:f:o:")) != -1) {
        switch (c) {
        case 'p':
            o.preload = optarg;
            break;
        case 'e':
            if (!strchr(optarg, '=') || o.setting_count == MAX_SETTINGS)
                usage();
            o.settings[o.setting_count++] = optarg;
            break;
        case 'f':
            o.fd = atoi(optarg);
            break;
        case 'o':
            o.fd = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
            if (o.fd < 0)
                fail(optarg, errno, 2);
            break;
        default:
            usage();
        }
    }
    if (optind == argc)
        usage();
    /* The command must not hold the report open: whoever reads it waits for its end. */
    if (o.fd > STDERR_FILENO && fcntl(o.fd, F_SETFD, FD_CLOEXEC) < 0)
        fail("-f", errno, 2);
    return o;
}

/* This process has loaded everything it needs: only the child reads LD_PRELOAD. */
static void set_environment(const struct options *o)
{
    int error = o->preload ? setenv("LD_PRELOAD", o->preload, 1) : unsetenv("LD_PRELOAD");
    for (int i = 0; i < o->setting_count && !error; i++)
        error = putenv(o->settings[i]);
    if (error)
        fail("environment", errno, 2);
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct rusage usage_of_child;
    int status;
    set_environment(&o);
    double begin = now();
    pid_t child = fork();
    if (child < 0)
        fail("fork", errno, 2);
    if (child == 0) {
        execvp(argv[optind], argv + optind);
        fail(argv[optind], errno, 127);
    }
    while (wait4(child, &status, 0, &usage_of_child) < 0) {
        if (errno != EINTR)
            fail("wait4", errno, 2);
    }
    double wall = now() - begin;
    double cpu = seconds(usage_of_child.ru_utime) + seconds(usage_of_child.ru_stime);
    if (dprintf(o.fd, "wall %.6f cpu %.6f maxrss_kb %ld\n", wall, cpu, usage_of_child.ru_maxrss) <
        0)
        fail("report", errno, 2);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
