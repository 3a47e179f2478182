/*
 * unit.h - what the unit tests share: the runner, checks that also work in
 * threads and children, children whose messages are read, patterns in blocks,
 * and an operating system whose memory calls are counted and fail on demand.
 *
 * check runs every test in a process of its own, so each finds the library as
 * it is at the start of a program.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/compiler.h"
#include "os/os.h"

/* What a test program returns that cannot run here. */
#define UNIT_SKIPPED 77

#define UNIT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* As ck_assert, for threads and children of a test: the message, then SIGABRT. */
#define UNIT_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* As ck_assert_uint_eq(), for what is asserted a million times: the framework's writes a message
 * each time, which would be most of a test's time. */
#define UNIT_EQUAL(got, wanted)                                                                    \
    do {                                                                                           \
        uint64_t got_now = (got), wanted_now = (wanted);                                           \
        if (got_now != wanted_now)                                                                 \
            ck_abort_msg("%s is %#lx, not %#lx", #got, (unsigned long)got_now,                     \
                         (unsigned long)wanted_now);                                               \
    } while (0)

/* Runs the tests that `add` puts into one case; returns main's exit status. */
static inline int unit_run(const char *name, void (*add)(TCase *tests))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 120);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The child of a fork ends well. */
static inline void unit_wait_for(pid_t child)
{
    int status;
    ck_assert_int_ge(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "the child ended with status %#x", (unsigned)status);
}

/* Runs `body` in a child; returns its wait status, what it wrote to stderr in `text`. */
static inline int unit_child(void (*body)(void *), void *argument, char *text, size_t room)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body(argument);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length + 1 < room && (got = read(ends[0], text + length, room - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The child ends well; otherwise the test fails with what it wrote. */
static inline void unit_child_passes(void (*body)(void *), void *argument)
{
    char text[4096];
    int status = unit_child(body, argument, text, sizeof text);
    ck_assert_msg(status == 0, "status %#x: %s", (unsigned)status, text);
}

/* The child aborts after writing just `line`. */
static inline void unit_child_aborts(void (*body)(void *), void *argument, const char *line)
{
    char text[4096];
    int status = unit_child(body, argument, text, sizeof text);
    ck_assert_str_eq(text, line);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}

/* The child aborts with a message that has `words` in it. */
static inline void unit_child_aborts_with(void (*body)(void *), void *argument, const char *words)
{
    char text[4096];
    int status = unit_child(body, argument, text, sizeof text);
    ck_assert_msg(strstr(text, words) != NULL, "%s", text);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* A seed from PYMEM_TEST_SEED or the clock, printed so that a run can be repeated. */
static inline uint64_t unit_seed(void)
{
    const char *given = getenv("PYMEM_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("PYMEM_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed * 0x9e3779b97f4a7c15u + 1;
}

/* xorshift64*; `*state` is never zero. */
static inline uint64_t unit_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* Every byte of a small block, a byte of each page and more of a large one. */
static inline size_t unit_step(size_t size)
{
    return size <= 4096 ? 1 : 509;
}

static inline void unit_fill(void *block, size_t size, unsigned tag)
{
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i += unit_step(size))
        bytes[i] = (unsigned char)(tag * 31u + i * 7u + (i >> 9) + 1);
    if (size != 0)
        bytes[size - 1] = (unsigned char)tag;
}

/* Do the first `size` bytes of a block filled with `filled` bytes still hold the pattern? */
static inline bool unit_holds(const void *block, size_t filled, size_t size, unsigned tag)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i += unit_step(filled)) {
        if (i + 1 != filled && bytes[i] != (unsigned char)(tag * 31u + i * 7u + (i >> 9) + 1))
            return false;
    }
    return filled != size || size == 0 || bytes[size - 1] == (unsigned char)tag;
}

static inline bool unit_intact(const void *block, size_t size, unsigned tag)
{
    return unit_holds(block, size, size, tag);
}

static inline bool unit_is_zero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* The calls of struct pm_os_memory that may be refused. */
enum unit_call {
    UNIT_MAP,
    UNIT_UNMAP,
    UNIT_PURGE,
    UNIT_RESIZE,
    UNIT_MOVE,
    UNIT_MOVE_BACK,
    UNIT_CALLS
};

#define UNIT_BIT(call) (1u << (call))

/*
 * The operating system as a test sees it: every call is counted; the `fail_at`th
 * call from now of those in `fail` is refused, or with `forever` all from it on.
 */
struct unit_os {
    struct pm_os_memory real;
    uint64_t touch_us;  /* what touching a page is said to take, */
    size_t touched;     /* and how many were */
    size_t peak;        /* what the process is said to have had resident, */
    size_t faults;      /* the page faults that the thread is said to have had, */
    size_t faults_each; /* and how many more each time it asks */
    atomic_ulong calls[UNIT_CALLS];
    unsigned fail; /* set of UNIT_BIT() */
    bool forever;
    atomic_long fail_at; /* 1: the next one; below 1: none */
    atomic_size_t refused;
    atomic_size_t bytes; /* mapped less unmapped */
    atomic_size_t huge;  /* advised to use huge pages, */
    atomic_size_t small; /* and not to */
    size_t map_limit;    /* larger maps are refused; 0: no limit */
    size_t bytes_limit;  /* and what would make `bytes` more than this */
};

static struct unit_os unit_os;

static inline bool unit_os_refuses(enum unit_call call)
{
    atomic_fetch_add(&unit_os.calls[call], 1);
    if ((unit_os.fail & UNIT_BIT(call)) == 0 || atomic_load(&unit_os.fail_at) < 1)
        return false;
    bool refused = atomic_load(&unit_os.fail_at) == 1;
    if (!refused || !unit_os.forever)
        atomic_fetch_sub(&unit_os.fail_at, 1);
    atomic_fetch_add(&unit_os.refused, refused);
    return refused;
}

/* As RLIMIT_AS does. */
static inline bool unit_os_exceeds(size_t more)
{
    return unit_os.bytes_limit != 0 && atomic_load(&unit_os.bytes) + more > unit_os.bytes_limit;
}

static inline void *unit_os_map(size_t size)
{
    if (unit_os_refuses(UNIT_MAP) || (unit_os.map_limit != 0 && size > unit_os.map_limit) ||
        unit_os_exceeds(size))
        return NULL;
    void *start = unit_os.real.map(size);
    atomic_fetch_add(&unit_os.bytes, start != NULL ? size : 0);
    return start;
}

static inline bool unit_os_unmap(void *start, size_t size)
{
    if (unit_os_refuses(UNIT_UNMAP) || !unit_os.real.unmap(start, size))
        return false;
    atomic_fetch_sub(&unit_os.bytes, size);
    return true;
}

/* Each run counts as a call. */
static inline size_t unit_os_purge(const struct pm_os_run *runs, size_t count)
{
    size_t gone = 0;
    while (gone < count && !unit_os_refuses(UNIT_PURGE) && unit_os.real.purge(&runs[gone], 1) == 1)
        gone++;
    return gone;
}

static inline void *unit_os_resize(void *start, size_t old_size, size_t new_size)
{
    if (unit_os_refuses(UNIT_RESIZE) ||
        (new_size > old_size && unit_os_exceeds(new_size - old_size)))
        return NULL;
    void *moved = unit_os.real.resize(start, old_size, new_size);
    atomic_fetch_add(&unit_os.bytes, moved != NULL ? new_size - old_size : 0);
    return moved;
}

static inline void *unit_os_move(void *start, size_t size)
{
    if (unit_os_refuses(UNIT_MOVE))
        return NULL;
    void *moved = unit_os.real.move(start, size);
    atomic_fetch_add(&unit_os.bytes, moved != NULL ? size : 0);
    return moved;
}

static inline bool unit_os_move_back(void *start, void *moved, size_t size)
{
    bool done = !unit_os_refuses(UNIT_MOVE_BACK) && unit_os.real.move_back(start, moved, size);
    atomic_fetch_sub(&unit_os.bytes, done ? size : 0);
    return done;
}

static inline void unit_os_advise_huge(void *start, size_t size, bool use)
{
    unit_os.real.advise_huge(start, size, use);
    atomic_fetch_add(use ? &unit_os.huge : &unit_os.small, size);
}

static inline uint64_t unit_os_touch(void *page)
{
    unit_os.real.touch(page);
    unit_os.touched++;
    return unit_os.touch_us;
}

static inline size_t unit_os_peak(void)
{
    return unit_os.peak;
}

static inline size_t unit_os_faults(void)
{
    return unit_os.faults += unit_os.faults_each;
}

/* Puts the counting table in the place of the system's. */
static inline void unit_os_install(void)
{
    unit_os.real = pm_os_memory;
    unit_os.peak = SIZE_MAX;
    unit_os.faults = 1;
    pm_os_memory = (struct pm_os_memory){
        unit_os_map,       unit_os_unmap,       unit_os_purge, unit_os_resize, unit_os_move,
        unit_os_move_back, unit_os_advise_huge, unit_os_touch, unit_os_peak,   unit_os_faults};
}

/* The `n`th call from now of the set `calls` fails; with `forever` all later ones too. */
static inline void unit_os_fail(unsigned calls, long n, bool forever)
{
    unit_os.fail = calls;
    unit_os.forever = forever;
    atomic_store(&unit_os.fail_at, n);
}

static inline void unit_os_heal(void)
{
    unit_os.fail = 0;
    unit_os.map_limit = 0;
    unit_os.bytes_limit = 0;
}

static inline unsigned long unit_os_calls(enum unit_call call)
{
    return atomic_load(&unit_os.calls[call]);
}

/* A thread that is waited for. */
static inline void unit_in_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    UNIT_CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    UNIT_CHECK(pthread_join(thread, NULL) == 0);
}

static inline void unit_sleep_ms(long milliseconds)
{
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        ;
}

/* Ends a child that hangs; check's own handler for the signal is not wanted there. */
static inline void unit_give_up_after(unsigned seconds)
{
    signal(SIGALRM, SIG_DFL);
    alarm(seconds);
}

#endif /* TESTS_UNIT_UNIT_H */
