/*
 * stress.h - what the stress programs share: seeds, random numbers, messages,
 * block contents, memory that does not come from the heap under test.
 *
 * Nothing here calls malloc, so that all of it works in a child after fork,
 * when memory has run out, and in handlers at exit.
 */
#ifndef PM_TESTS_STRESS_H
#define PM_TESTS_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#define STRESS_HAS_FEATURE(x) __has_feature(x)
#else
#define STRESS_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || STRESS_HAS_FEATURE(thread_sanitizer)
#define STRESS_TSAN 1
#else
#define STRESS_TSAN 0
#endif
#if STRESS_TSAN || defined(__SANITIZE_ADDRESS__) || STRESS_HAS_FEATURE(address_sanitizer)
#define STRESS_SANITIZED 1
#else
#define STRESS_SANITIZED 0
#endif

/* A default number of repetitions, smaller where each one is slow. */
#define STRESS_COUNT(normal) ((normal) / (STRESS_TSAN ? 20 : STRESS_SANITIZED ? 5 : 1))

enum { STRESS_EXIT_SKIPPED = 77 };

/* Random numbers (splitmix64): one per thread, never shared. */
struct stress_rng {
    uint64_t state;
};

static inline uint64_t stress_next(struct stress_rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A number from 0 to limit - 1. */
static inline size_t stress_below(struct stress_rng *rng, size_t limit)
{
    return (size_t)((stress_next(rng) >> 16) % limit);
}

/* The generator of thread number `stream` under one seed. */
static inline struct stress_rng stress_rng_of(uint64_t seed, uint64_t stream)
{
    struct stress_rng rng = {seed + stream * UINT64_C(0xD1342543DE82EF95)};
    stress_next(&rng);
    return rng;
}

/* Begins a program: takes the seed from PYMEM_TEST_SEED or makes one, prints
   it, and refuses to run on a heap that is not the one to be tested. */
uint64_t stress_begin(const char *program);

/* Argument number `index` of the program, or `standard` when it is absent. */
unsigned long stress_argument(int argc, char **argv, int index, unsigned long standard);

/* One line on standard output, or on standard error and then exit status 1. */
void stress_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void stress_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `size` zeroed bytes straight from the system, and back to it. */
void *stress_pages(size_t size);
void stress_pages_free(void *pages, size_t size);

/* Resident memory of the process in KiB. */
long stress_resident_kib(void);

/* Seconds on a clock that only goes forward. */
double stress_seconds(void);

/* A size as programs ask for it: mostly small, now and then up to 128 KiB. */
size_t stress_mixed_size(struct stress_rng *rng);

/*
 * Contents.  stress_fill() writes a pattern that depends on `tag` and on each
 * byte's offset: every byte of a small block, both ends and a word in each KiB
 * of a large one.  stress_mismatch() compares what stress_fill(block, filled,
 * tag) wrote, as far as offset `upto`; it returns the offset of the first
 * wrong byte, or -1.  `block` is aligned to 8 bytes.
 */
void stress_fill(void *block, size_t filled, uint64_t tag);
ptrdiff_t stress_mismatch(const void *block, size_t filled, size_t upto, uint64_t tag);

#endif /* PM_TESTS_STRESS_H */
