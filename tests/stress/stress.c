/*
 * stress.c - see stress.h.  Linked into every stress program; knows nothing
 * of what the programs test.
 */
#include "stress.h"

#include "heap_under_test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    FILLED_WHOLLY = 4096, /* blocks up to this size are filled byte by byte */
    FILLED_END = 512,     /* of larger ones: so much at each end ... */
    FILLED_STEP = 1024    /* ... and a word at each multiple of this */
};

static const char *program_name = "stress";

static void write_line(int fd, const char *format, va_list arguments)
{
    char line[512];
    int used = snprintf(line, sizeof line, "%s: ", program_name);
    int room = (int)sizeof line - used - 1;
    int more = vsnprintf(line + used, (size_t)room, format, arguments);
    used += more < room ? more : room - 1;
    line[used++] = '\n';
    for (const char *from = line; used > 0;) {
        ssize_t written = write(fd, from, (size_t)used);
        if (written <= 0)
            break;
        from += written;
        used -= (int)written;
    }
}

void stress_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(STDOUT_FILENO, format, arguments);
    va_end(arguments);
}

void stress_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit(1);
}

uint64_t stress_begin(const char *program)
{
    program_name = program;
    const char *text = getenv("PYMEM_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = text != NULL && *text != '\0'
                        ? strtoull(text, NULL, 0)
                        : ((uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec) % 1000000007;
    stress_say("seed %llu (set PYMEM_TEST_SEED to repeat); heap under test: %s",
               (unsigned long long)seed, HUT_NAME);
    if (!hut_is_expected())
        stress_fail("the heap that answers is not libpymem: nothing was tested");
    return seed;
}

unsigned long stress_argument(int argc, char **argv, int index, unsigned long standard)
{
    if (index >= argc)
        return standard;
    char *end;
    unsigned long value = strtoul(argv[index], &end, 0);
    if (*end != '\0' || value == 0)
        stress_fail("argument %d, '%s', is not a number above zero", index, argv[index]);
    return value;
}

void *stress_pages(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        stress_fail("no memory for the test's own tables (%zu bytes)", size);
    return pages;
}

void stress_pages_free(void *pages, size_t size)
{
    munmap(pages, size);
}

long stress_resident_kib(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        stress_fail("cannot read /proc/self/statm");
    close(fd);
    text[length] = '\0';
    char *second;
    strtoul(text, &second, 10);
    return strtol(second, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

double stress_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t stress_mixed_size(struct stress_rng *rng)
{
    size_t roll = stress_below(rng, 1000);
    if (roll < 800)
        return 1 + stress_below(rng, 512);
    if (roll < 960)
        return 1 + stress_below(rng, 4096);
    if (roll < 998)
        return 1 + stress_below(rng, 40000);
    return 1 + stress_below(rng, 131072);
}

static uint64_t pattern_word(uint64_t tag, size_t offset)
{
    uint64_t word = (tag + (offset >> 3)) * UINT64_C(0x9E3779B97F4A7C15);
    return word ^ (word >> 29);
}

/* The ranges of a block that carry the pattern, in order: gives the first one
   that begins at `*from` or later; all begin at a multiple of 8. */
static bool next_range(size_t filled, size_t *from, size_t *to)
{
    if (filled <= FILLED_WHOLLY) {
        *to = filled;
        return *from == 0 && filled > 0;
    }
    size_t tail = (filled - FILLED_END) & ~(size_t)7;
    if (*from == 0) {
        *to = FILLED_END;
        return true;
    }
    size_t word = (*from + FILLED_STEP - 1) & ~(size_t)(FILLED_STEP - 1);
    if (word + 8 <= tail) {
        *from = word;
        *to = word + 8;
        return true;
    }
    if (*from > tail)
        return false;
    *from = tail;
    *to = filled;
    return true;
}

void stress_fill(void *block, size_t filled, uint64_t tag)
{
    unsigned char *bytes = block;
    for (size_t from = 0, to; next_range(filled, &from, &to); from = to) {
        for (size_t at = from; at < to; at += 8) {
            uint64_t word = pattern_word(tag, at);
            memcpy(bytes + at, &word, to - at < 8 ? to - at : 8);
        }
    }
}

ptrdiff_t stress_mismatch(const void *block, size_t filled, size_t upto, uint64_t tag)
{
    const unsigned char *bytes = block;
    for (size_t from = 0, to; next_range(filled, &from, &to) && from < upto; from = to) {
        size_t end = to < upto ? to : upto;
        for (size_t at = from; at < end; at += 8) {
            uint64_t word = pattern_word(tag, at);
            size_t length = end - at < 8 ? end - at : 8;
            if (memcmp(bytes + at, &word, length) == 0)
                continue;
            for (size_t i = 0; i < length; i++) {
                if (bytes[at + i] != ((const unsigned char *)&word)[i])
                    return (ptrdiff_t)(at + i);
            }
        }
    }
    return -1;
}
