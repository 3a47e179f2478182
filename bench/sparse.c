/*
 * sparse: how much memory comes back. Builds many small blocks (32 to 512 bytes), keeps a random
 * few per cent, frees the rest, and prints the resident memory at each step beside the optimum: the
 * pages on which a byte of a survivor lies. What the program needs for itself comes from mmap and
 * is touched before the first figure, so that every difference is the allocator's.
 *
 * Usage: sparse [BLOCKS [KEPT_PERCENT [IDLE_MS]]]
 *        IDLE_MS: sleep that long after the frees, then make a few calls and look again
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SMALLEST = 32, LARGEST = 512, CALLS_AFTER_IDLE = 1000 };

struct block {
    uint32_t size;
    uint32_t tag;
    unsigned char rest[];
};

static uint64_t rng_state = 0x9e3779b97f4a7c15u;
static size_t page_size;
static long resident_at_start;

static uint32_t random32(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32);
}

static size_t number_arg(int argc, char **argv, int i, size_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Memory of the program's own, resident from now on. */
static void *own_memory(size_t size)
{
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        fail("sparse: mmap");
    return p;
}

static long resident_kb(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long total, resident;
    if (length <= 0)
        fail("sparse: /proc/self/statm");
    close(fd);
    text[length] = 0;
    if (sscanf(text, "%ld %ld", &total, &resident) != 2)
        fail("sparse: /proc/self/statm");
    return resident * (long)(page_size / 1024);
}

static void report(const char *step)
{
    printf("resident_kb %s %ld\n", step, resident_kb() - resident_at_start);
}

static struct block *block_new(uint32_t tag)
{
    uint32_t size = SMALLEST + random32() % (LARGEST - SMALLEST + 1);
    struct block *b = malloc(size);
    if (!b)
        fail("sparse: malloc");
    memset(b, (int)(tag & 0xff), size);
    b->size = size;
    b->tag = tag;
    return b;
}

static uint32_t block_drop(struct block *b, uint32_t tag)
{
    uint32_t size = b->size;
    if (b->tag != tag || ((unsigned char *)b)[size - 1] != (unsigned char)tag) {
        fprintf(stderr, "sparse: block %p was overwritten\n", (void *)b);
        abort();
    }
    free(b);
    return size;
}

/* Adds a page number to the set (open addressing; 0 is an empty place); 1 where it was new. */
static size_t set_add(uintptr_t *set, size_t length, uintptr_t page)
{
    size_t i = (page * 0x9e3779b97f4a7c15u >> 20) % length;
    while (set[i] != 0) {
        if (set[i] == page)
            return 0;
        i = i + 1 == length ? 0 : i + 1;
    }
    set[i] = page;
    return 1;
}

/* A block of at most 512 bytes touches one page or two. */
static size_t pages_of_survivors(struct block **blocks, size_t count, uintptr_t *set, size_t length)
{
    size_t pages = 0;
    for (size_t i = 0; i < count; i++) {
        if (!blocks[i])
            continue;
        uintptr_t first = (uintptr_t)blocks[i];
        pages += set_add(set, length, first / page_size);
        pages += set_add(set, length, (first + blocks[i]->size - 1) / page_size);
    }
    return pages;
}

static void idle(size_t milliseconds)
{
    struct timespec t = {.tv_sec = (time_t)(milliseconds / 1000),
                         .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&t, NULL);
    for (uint32_t i = 0; i < CALLS_AFTER_IDLE; i++)
        block_drop(block_new(i), i);
}

int main(int argc, char **argv)
{
    static char output[4096]; /* so that stdio allocates nothing between two figures */
    size_t count = number_arg(argc, argv, 1, 600000);
    size_t percent = number_arg(argc, argv, 2, 2);
    size_t idle_ms = number_arg(argc, argv, 3, 0);
    if (!count || percent > 100) {
        fprintf(stderr, "usage: sparse [BLOCKS [KEPT_PERCENT [IDLE_MS]]]\n");
        return 2;
    }
    setvbuf(stdout, output, _IOFBF, sizeof output);
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    struct block **blocks = own_memory(count * sizeof *blocks);
    size_t set_length = count * (percent + 1) / 25 + 1024; /* at least twice what can be in it */
    uintptr_t *set = own_memory(set_length * sizeof *set);
    uint64_t sum = 0;
    resident_at_start = resident_kb();
    printf("resident_kb start %ld\n", resident_at_start);
    for (size_t i = 0; i < count; i++)
        blocks[i] = block_new((uint32_t)i);
    report("built");
    for (size_t i = 0; i < count; i++) {
        if (random32() % 100 < percent)
            continue;
        sum += block_drop(blocks[i], (uint32_t)i);
        blocks[i] = NULL;
    }
    report("kept");
    if (idle_ms > 0) {
        idle(idle_ms);
        report("idle");
    }
    size_t pages = pages_of_survivors(blocks, count, set, set_length);
    printf("resident_kb optimum %zu\n", pages * (page_size / 1024));
    for (size_t i = 0; i < count; i++)
        sum += blocks[i] ? block_drop(blocks[i], (uint32_t)i) : 0;
    report("none");
    printf("checksum %llu\n", (unsigned long long)sum);
    return 0;
}
