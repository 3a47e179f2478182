/*
 * api_test.h - what the tests of the public API share: patterns in blocks,
 * resident memory, a seeded random source and the suite runner.
 */
#ifndef API_TEST_H
#define API_TEST_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A value that the compiler cannot see through, so that no call is folded or warned about. */
static inline size_t opaque_size(size_t size)
{
    volatile size_t hidden = size;
    return hidden;
}

static inline void *opaque_pointer(void *p)
{
    void *volatile hidden = p;
    return hidden;
}

/* Fills a block with bytes that depend on `tag` and on the place. */
static inline void pattern_fill(void *block, size_t size, unsigned tag)
{
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(tag * 31u + i * 7u + (i >> 8));
}

static inline bool pattern_intact(const void *block, size_t size, unsigned tag)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (unsigned char)(tag * 31u + i * 7u + (i >> 8)))
            return false;
    return true;
}

static inline bool all_zero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static inline bool aligned_to(const void *p, size_t alignment)
{
    return ((uintptr_t)p & (alignment - 1)) == 0;
}

/* Resident bytes of this process; read without allocating. */
static inline size_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    ck_assert_int_gt(length, 0);
    text[length] = '\0';
    char *resident = strchr(text, ' ');
    ck_assert_ptr_nonnull(resident);
    return strtoull(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* A xorshift generator: the same numbers on every machine for one seed. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* The seed of this run: PYMEM_TEST_SEED, else the clock; printed so that it can be given back. */
static inline uint64_t random_seed(void)
{
    const char *given = getenv("PYMEM_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("PYMEM_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed * 2 + 1;
}

/* The test fails, and the errno value is shown, unless the call gave NULL and ENOMEM. */
#define ck_assert_refused(call)                                                                    \
    do {                                                                                           \
        errno = 0;                                                                                 \
        const void *refused_ = (call);                                                             \
        int refused_errno_ = errno;                                                                \
        ck_assert_ptr_null(refused_);                                                              \
        ck_assert_int_eq(refused_errno_, ENOMEM);                                                  \
    } while (0)

struct api_test {
    const char *name;
    const TTest *test;
};

/* Runs every test in a child process of its own; returns main's exit status. */
static inline int run_tests(const char *name, const struct api_test *tests, size_t count)
{
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        TCase *tcase = tcase_create(tests[i].name);
        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, tests[i].test);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define RUN_TESTS(name, tests) run_tests((name), (tests), COUNT_OF(tests))

#endif /* API_TEST_H */
