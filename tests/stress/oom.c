/*
 * oom.c - threads that run into the end of memory, again and again.
 *
 * Usage: oom [MEGABYTES [THREADS [REPETITIONS]]]
 *
 * The process may have so many megabytes (256) of address space; with the
 * PyMem names, where a sanitizer needs the address space for itself, it is the
 * arena allocator that refuses to give more.  Each thread allocates until it
 * gets NULL, which must come with ENOMEM and leave all blocks as they were; a
 * realloc that fails must keep its block; after half of the blocks were freed
 * at least half of that must be had again, and after all were freed at least
 * 70 % of what was had the first time.
 */
#include "heap_under_test.h"
#include "stress.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { MAX_THREADS = 16, STACK = 256 * 1024 };

/* What stands at the start of each block; the pattern follows. */
struct link {
    struct link *next;
    uint32_t size;
    uint32_t tag;
};

struct worker {
    pthread_t thread;
    unsigned id;
    struct stress_rng rng;
    struct link *blocks; /* newest first */
    size_t bytes;        /* in them */
    size_t nulls;
    size_t kept; /* reallocs that failed and kept the block */
};

/* Size ranges of one repetition: small, middle, large, all mixed. */
static const struct range {
    const char *name;
    size_t least, most;
} ranges[] = {
    {"32 to 1024 bytes", 32, 1024},
    {"1 to 64 KiB", 1024, 65536},
    {"64 KiB to 3 MiB", 65536, 3 << 20},
    {"mixed", 0, 0},
};
enum { RANGES = sizeof ranges / sizeof ranges[0] };

static uint64_t seed;
static unsigned threads;
static size_t limit; /* bytes that the process may have */
static unsigned long repetitions;
static pthread_barrier_t all_here;
static atomic_size_t total_bytes; /* had by all threads until the first NULL */
static atomic_size_t total_freed; /* given back when half of the blocks were freed */
static atomic_size_t total_again; /* and had once more after that */
static size_t first_total[RANGES];

#ifdef HUT_PYMEM
static PyObjectArenaAllocator system_arenas;
static atomic_size_t arena_room;

static void *limited_alloc(void *context, size_t size)
{
    (void)context;
    size_t room = atomic_load(&arena_room);
    do {
        if (room < size)
            return NULL;
    } while (!atomic_compare_exchange_weak(&arena_room, &room, room - size));
    void *arena = system_arenas.alloc(system_arenas.ctx, size);
    if (arena == NULL)
        atomic_fetch_add(&arena_room, size);
    return arena;
}

static void limited_free(void *context, void *arena, size_t size)
{
    (void)context;
    system_arenas.free(system_arenas.ctx, arena, size);
    atomic_fetch_add(&arena_room, size);
}

static void limit_memory(void)
{
    atomic_store(&arena_room, limit);
    PyObject_GetArenaAllocator(&system_arenas);
    PyObjectArenaAllocator limited = {.alloc = limited_alloc, .free = limited_free};
    PyObject_SetArenaAllocator(&limited);
}
#else
static void limit_memory(void)
{
    if (setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}) != 0)
        stress_fail("cannot set the limit on address space");
}
#endif

static size_t pick_size(struct stress_rng *rng, const struct range *range)
{
    if (range->most > 0)
        return range->least + stress_below(rng, range->most - range->least + 1);
    size_t size = stress_below(rng, 200) == 0 ? stress_below(rng, 1 << 20) : stress_mixed_size(rng);
    return size < sizeof(struct link) ? sizeof(struct link) : size;
}

static void label_block(struct worker *w, struct link *block, size_t size)
{
    block->size = (uint32_t)size;
    block->tag = (uint32_t)stress_next(&w->rng);
    stress_fill(block + 1, size - sizeof *block, block->tag);
}

static void check_block(const struct worker *w, struct link *block, const char *when)
{
    if (block->size < sizeof *block || hut_usable(block) < block->size)
        stress_fail("thread %u: block %p: its first bytes changed %s", w->id, (void *)block, when);
    size_t length = block->size - sizeof *block;
    if (stress_mismatch(block + 1, length, length, block->tag) >= 0)
        stress_fail("thread %u: block %p of %u bytes: contents changed %s", w->id, (void *)block,
                    block->size, when);
}

static void check_all(const struct worker *w, const char *when)
{
    for (struct link *block = w->blocks; block != NULL; block = block->next)
        check_block(w, block, when);
}

/* Allocates until NULL; returns the bytes that were had. */
static size_t fill(struct worker *w, const struct range *range)
{
    size_t bytes = 0;
    for (;;) {
        size_t size = pick_size(&w->rng, range);
        errno = 0;
        struct link *block = stress_below(&w->rng, 4) == 0 ? hut_calloc(1, size) : hut_malloc(size);
        if (block == NULL)
            break;
        label_block(w, block, size);
        block->next = w->blocks;
        w->blocks = block;
        bytes += size;
    }
    if (errno != ENOMEM)
        stress_fail("thread %u: NULL with errno %d, not ENOMEM", w->id, errno);
    w->nulls++;
    w->bytes += bytes;
    return bytes;
}

static void free_newest(struct worker *w, struct link **from, const char *when)
{
    struct link *block = *from;
    check_block(w, block, when);
    *from = block->next;
    w->bytes -= block->size;
    hut_free(block);
}

/* Resizes some blocks to more than can be had: they stay as they are. */
static void grow_in_vain(struct worker *w)
{
    struct link **from = &w->blocks;
    for (unsigned i = 0; i < 20 && *from != NULL; i++, from = &(*from)->next) {
        struct link *block = *from;
        uint32_t old_size = block->size;
        errno = 0;
        struct link *grown = hut_realloc(block, (size_t)1 << 40);
        if (grown != NULL)
            stress_fail("thread %u: a block of 1 TiB under a limit", w->id);
        if (errno != ENOMEM)
            stress_fail("thread %u: realloc failed with errno %d, not ENOMEM", w->id, errno);
        check_block(w, block, "when realloc failed");
        /* A size that may be had or not, by what other threads do. */
        size_t size = old_size + (size_t)old_size / 2 + 4096;
        grown = hut_realloc(block, size);
        if (grown == NULL) {
            check_block(w, block, "when realloc failed for want of memory");
            w->kept++;
            continue;
        }
        check_block(w, grown, "when realloc moved it");
        w->bytes += size - old_size;
        label_block(w, grown, size);
        *from = grown;
    }
}

static void free_half(struct worker *w)
{
    for (struct link **from = &w->blocks; *from != NULL;) {
        free_newest(w, from, "before half of the blocks were freed");
        if (*from != NULL)
            from = &(*from)->next;
    }
}

/* Everything up to the point at which the process is full for the first time;
   then half empty, full again, empty. */
static void run_range(struct worker *w, const struct range *range)
{
    pthread_barrier_wait(&all_here);
    fill(w, range);
    atomic_fetch_add(&total_bytes, w->bytes);
    pthread_barrier_wait(&all_here);
    check_all(w, "when memory ran out");
    grow_in_vain(w);
    check_all(w, "after the resizing in vain");
    pthread_barrier_wait(&all_here);
    size_t before = w->bytes;
    free_half(w);
    atomic_fetch_add(&total_freed, before - w->bytes);
    pthread_barrier_wait(&all_here);
    grow_in_vain(w); /* now with room to move, but not enough to grow */
    pthread_barrier_wait(&all_here);
    atomic_fetch_add(&total_again, fill(w, range));
    check_all(w, "when memory ran out again");
    pthread_barrier_wait(&all_here);
    while (w->blocks != NULL)
        free_newest(w, &w->blocks, "at the end");
    pthread_barrier_wait(&all_here);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    for (unsigned long r = 0; r < repetitions; r++) {
        for (unsigned i = 0; i < RANGES; i++)
            run_range(w, &ranges[i]);
    }
    return NULL;
}

/* Only for small and middle sizes: larger blocks need not fit into each other's
   holes, and the first that does not ends its thread's part.  What they leak
   is missing here the next time. */
static void compare_totals(unsigned long repetition, unsigned i, size_t total, size_t freed,
                           size_t again)
{
    if (again < freed / 2)
        stress_fail("less than half of the freed memory could be had again");
    if (repetition == 0)
        first_total[i] = total;
    else if (total < first_total[i] / 10 * 7)
        stress_fail("%zu KiB could be had the first time", first_total[i] / 1024);
}

/* Main takes part in the barriers and looks at what the threads reached. */
static void watch_range(unsigned long repetition, unsigned i)
{
    for (unsigned stage = 0; stage < 7; stage++)
        pthread_barrier_wait(&all_here);
    size_t total = atomic_exchange(&total_bytes, 0);
    size_t freed = atomic_exchange(&total_freed, 0);
    size_t again = atomic_exchange(&total_again, 0);
    stress_say("repetition %lu, %s: %zu KiB until NULL, %zu freed, %zu again", repetition + 1,
               ranges[i].name, total / 1024, freed / 1024, again / 1024);
    if (ranges[i].most > 0 && ranges[i].most <= 65536)
        compare_totals(repetition, i, total, freed, again);
    hut_trim();
    hut_check();
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];
    seed = stress_begin("oom");
    limit = stress_argument(argc, argv, 1, STRESS_SANITIZED ? 64 : 256) << 20;
    threads = (unsigned)stress_argument(argc, argv, 2, 4);
    repetitions = stress_argument(argc, argv, 3, STRESS_TSAN ? 2 : 4);
    if (threads > MAX_THREADS)
        stress_fail("at most %d threads", MAX_THREADS);
#ifndef HUT_PYMEM
    if (STRESS_SANITIZED) {
        stress_say("skipped: a sanitizer's malloc cannot run under a limit");
        return STRESS_EXIT_SKIPPED;
    }
#endif
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_barrier_init(&all_here, NULL, threads + 1);
    limit_memory();
    for (unsigned i = 0; i < threads; i++) {
        workers[i].id = i;
        workers[i].rng = stress_rng_of(seed, i);
        if (pthread_create(&workers[i].thread, &attributes, work, &workers[i]) != 0)
            stress_fail("cannot create a thread");
    }
    for (unsigned long r = 0; r < repetitions; r++) {
        for (unsigned i = 0; i < RANGES; i++)
            watch_range(r, i);
    }
    size_t nulls = 0, kept = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        nulls += workers[i].nulls;
        kept += workers[i].kept;
    }
    stress_say("NULL %zu times; %zu blocks kept by a realloc that failed", nulls, kept);
    return 0;
}
