/*
 * sandbox: with map_names:false the heap makes no system call that pymem.conf(5) does not name. A
 * filter ends the process for any other, while blocks of all kinds come, grow, rest and go.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

enum { BLOCKS = 2000, SKIPPED = 77 };

#define ALLOW(call)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* The last two are this program's own. */
static int enter_sandbox(void)
{
    static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_mremap),
        ALLOW(SYS_madvise),
        ALLOW(SYS_getrusage),
        ALLOW(SYS_futex),
        ALLOW(SYS_clock_gettime),
        ALLOW(SYS_clock_nanosleep),
        ALLOW(SYS_exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void *check(void *block)
{
    if (block == NULL)
        _exit(EXIT_FAILURE);
    return block;
}

/* From 16 bytes to 1 MiB; more than the first arena holds. */
static void come_and_go(void)
{
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = (size_t)16 << (i % 17);
        blocks[i] = memset(check(malloc(size)), 1, size);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 8 != 0)
            free(blocks[i]);
    }
}

/* Moved to a mapping of its own, and on from there. */
static void grow(void)
{
    char *block = NULL;
    for (size_t size = MIB; size <= 64 * MIB; size += size / 2) {
        block = check(realloc(block, size));
        block[size - 1] = 1;
    }
    free(block);
}

static pthread_barrier_t sleeps;

/* What a thread that waits has left would be given back with a call of its own kind. */
static void *leave_some(void *unused)
{
    (void)unused;
    come_and_go();
    pthread_barrier_wait(&sleeps);
    while (pause() != 0)
        continue;
    return NULL;
}

static void begin_sleeper(void)
{
    pthread_t thread;
    if (pthread_barrier_init(&sleeps, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, leave_some, NULL) != 0)
        _exit(EXIT_FAILURE);
    pthread_barrier_wait(&sleeps);
}

/* Longer than the decay time: then what is free is purged. */
static void rest(void)
{
    struct timespec time = {0, 50 * 1000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

int main(int argc, char **argv)
{
    if (getenv("PYMEM_CONF") == NULL) { /* is read before main() */
        setenv("PYMEM_CONF", "map_names:false,decay_ms:10", 1);
        execv("/proc/self/exe", argv);
        perror("sandbox: exec");
        return EXIT_FAILURE;
    }
    free(check(malloc((size_t)argc)));
    begin_sleeper();
    if (enter_sandbox() != 0) {
        int error = errno;
        fprintf(stderr, "sandbox: no filter: %s\n", strerror(error));
        return error == EINVAL ? SKIPPED : EXIT_FAILURE; /* a kernel without filters */
    }
    for (int round = 0; round < 3; round++) {
        come_and_go();
        grow();
        rest();
    }
    _exit(EXIT_SUCCESS);
}
