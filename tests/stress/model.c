/*
 * model.c - model-based random test: every call into the heap is compared
 * with a simple reference.
 *
 * Usage: model [OPERATIONS [THREADS]]
 *
 * Each thread owns a table of blocks and does random operations on it; blocks
 * are also handed between threads, so that they are freed and resized by
 * threads that did not allocate them, and what is left at the end is freed
 * after its thread has gone.  Checked: contents, zeroed callocs, alignment,
 * overlap between live blocks of all threads, a usable size that is big
 * enough and constant for the block's life, contents kept by realloc (as far
 * as the smaller of the old usable size and the new size: all usable bytes
 * may be used), refusal of absurd sizes with ENOMEM and the old block intact.
 */
#include "heap_under_test.h"
#include "livemap.h"
#include "stress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    SLOTS = 2048,  /* blocks that a thread may own */
    MAILBOX = 256, /* blocks on their way to a thread */
    MAX_THREADS = 64,
    PHASE = 8192, /* operations after which growing and shrinking swap */
    ROUNDS = 40   /* pauses in which the heap's own checker runs */
};

struct block {
    void *p; /* NULL: this slot is free */
    size_t size;
    size_t usable;
    size_t alignment;
    uint64_t tag;
};

struct worker {
    unsigned id;
    pthread_t thread;
    struct stress_rng rng;
    unsigned long operation;
    const char *call; /* the operation under way, for the report */
    size_t first;     /* and its sizes */
    size_t second;
    ptrdiff_t offset; /* of the first wrong byte in the block, -1: none */
    size_t counts[8]; /* operations done, by kind */
    struct block slots[SLOTS];
    pthread_mutex_t lock; /* guards the mailbox */
    unsigned mail;
    struct block mailbox[MAILBOX];
};

enum { ALLOCATED, CALLOCED, ALIGNED, RESIZED, FREED, INSPECTED, SENT, REFUSED };

static uint64_t seed;
static unsigned threads;
static unsigned long operations_each;
static struct worker *workers;
static pthread_barrier_t pause_barrier;
static _Thread_local struct worker *current;

static void report_call(const struct worker *w, const char *what)
{
    stress_say("%s; seed %llu, thread %u, operation %lu, call %s(%zu, %zu)", what,
               (unsigned long long)seed, w->id, w->operation, w->call, w->first, w->second);
}

static _Noreturn void wrong(const struct worker *w, const struct block *b, const char *what)
{
    signal(SIGABRT, SIG_DFL);
    report_call(w, what);
    stress_say("MISMATCH at block %p, size %zu, usable %zu, alignment %zu, first wrong byte %td",
               b->p, b->size, b->usable, b->alignment, w->offset);
    abort();
}

/* The heap itself has aborted: says what was being done. */
static void on_abort(int number)
{
    if (current != NULL)
        report_call(current, "ABORTED by the heap");
    signal(number, SIG_DFL);
    raise(number);
}

static void now_calling(struct worker *w, const char *call, size_t first, size_t second)
{
    w->call = call;
    w->first = first;
    w->second = second;
    w->offset = -1;
}

/* Near a value at which allocators change their mind, or just on it. */
static size_t near(struct stress_rng *rng, size_t value)
{
    size_t shifted = value + stress_below(rng, 35);
    return shifted > 17 ? shifted - 17 : 0;
}

/* Every small size, the steps between classes, pages, 32 KiB and 64 KiB, and
   large blocks, rare enough to keep the test's memory at a few hundred MB. */
static size_t pick_size(struct stress_rng *rng)
{
    size_t roll = stress_below(rng, 1000);
    if (roll < 500)
        return stress_below(rng, 1025);
    if (roll < 650) /* eight steps to each doubling, from 16 bytes to 64 KiB */
        return near(rng, (8 + stress_below(rng, 8)) << (1 + stress_below(rng, 13)));
    if (roll < 850)
        return stress_below(rng, 4200);
    if (roll < 930)
        return stress_below(rng, 33000);
    if (roll < 955)
        return near(rng, 4096 * (1 + stress_below(rng, 12)));
    if (roll < 970)
        return near(rng, 32768);
    if (roll < 985)
        return near(rng, 65536 * (1 + stress_below(rng, 4)));
    if (roll < 998)
        return stress_below(rng, 400000);
    return stress_below(rng, 5000000);
}

static void check_block(struct worker *w, const struct block *b)
{
    if (hut_usable(b->p) != b->usable)
        wrong(w, b, "the usable size changed during the block's life");
    w->offset = stress_mismatch(b->p, b->usable, b->usable, b->tag);
    if (w->offset >= 0)
        wrong(w, b, "the contents changed");
}

static void check_zero(struct worker *w, const struct block *b)
{
    const unsigned char *bytes = b->p;
    if (b->size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, b->size - 1) == 0))
        return;
    for (w->offset = 0; bytes[w->offset] == 0;)
        w->offset++;
    wrong(w, b, "a block from calloc is not all zero");
}

/* A block has just been obtained: compares it with the model and fills it. */
static void accept_block(struct worker *w, struct block *b)
{
    b->usable = hut_usable(b->p);
    if (b->usable < b->size)
        wrong(w, b, "the usable size is smaller than the size asked for");
    if ((uintptr_t)b->p % b->alignment != 0)
        wrong(w, b, "wrong alignment");
    if (!livemap_enter(b->p, b->usable))
        wrong(w, b, "the block overlaps a live block");
    b->tag = stress_next(&w->rng);
    stress_fill(b->p, b->usable, b->tag);
}

static void allocate(struct worker *w, struct block *b)
{
    size_t roll = stress_below(&w->rng, 100);
    b->size = pick_size(&w->rng);
    b->usable = 0;
    b->alignment = 16;
    if (roll < 60 || (roll >= 80 && !HUT_HAS_ALIGNED)) {
        now_calling(w, "malloc", b->size, 0);
        b->p = hut_malloc(b->size);
        w->counts[ALLOCATED]++;
    } else if (roll < 80) {
        size_t count = 1 + stress_below(&w->rng, 16);
        size_t each = b->size / count;
        b->size = count * each;
        now_calling(w, "calloc", count, each);
        b->p = hut_calloc(count, each);
        w->counts[CALLOCED]++;
    } else {
        /* small alignments often, 1 MiB now and then */
        size_t most = stress_below(&w->rng, 16) == 0 ? 18 : 10;
        b->alignment = (size_t)8 << stress_below(&w->rng, most);
        now_calling(w, "aligned", b->alignment, b->size);
        b->p = hut_aligned(b->alignment, b->size);
        w->counts[ALIGNED]++;
    }
    if (b->p == NULL)
        wrong(w, b, "NULL, but there is memory");
    if (strcmp(w->call, "calloc") == 0)
        check_zero(w, b);
    accept_block(w, b);
}

static void release(struct worker *w, struct block *b)
{
    now_calling(w, "free", b->size, 0);
    check_block(w, b);
    if (!livemap_leave(b->p, b->usable))
        wrong(w, b, "the test's own map lost the block");
    errno = EXDEV;
    hut_free(b->p);
    if (errno != EXDEV)
        wrong(w, b, "free changed errno");
    b->p = NULL;
    w->counts[FREED]++;
}

/* Resizing to nothing frees or keeps the block, by the API under test. */
static bool resized_away(struct worker *w, const struct block *old, const struct block *new)
{
    if (new->size != 0 || !HUT_REALLOC_ZERO_FREES)
        return false;
    if (new->p != NULL)
        wrong(w, old, "realloc to 0 returned a block");
    return true;
}

static void resize(struct worker *w, struct block *b)
{
    struct block old = *b;
    size_t roll = stress_below(&w->rng, 10);
    b->size = roll < 4   ? pick_size(&w->rng)
              : roll < 7 ? old.size + old.size / 2 + 1
                         : old.size - stress_below(&w->rng, old.size + 1);
    if (b->size > 6000000)
        b->size = pick_size(&w->rng);
    b->alignment = 16;
    now_calling(w, "realloc", old.size, b->size);
    check_block(w, &old);
    if (!livemap_leave(old.p, old.usable))
        wrong(w, &old, "the test's own map lost the block");
    b->p = hut_realloc(old.p, b->size);
    w->counts[RESIZED]++;
    if (resized_away(w, &old, b))
        return;
    if (b->p == NULL)
        wrong(w, &old, "NULL, but there is memory");
    size_t kept = old.usable < b->size ? old.usable : b->size;
    w->offset = stress_mismatch(b->p, old.usable, kept, old.tag);
    if (w->offset >= 0)
        wrong(w, b, "realloc lost contents");
    accept_block(w, b);
}

static void inspect(struct worker *w, struct block *b)
{
    now_calling(w, "usable", b->size, 0);
    check_block(w, b);
    w->counts[INSPECTED]++;
}

static void hand_over(struct worker *w, struct block *b)
{
    struct worker *to = &workers[stress_below(&w->rng, threads)];
    now_calling(w, "hand over", b->size, 0);
    pthread_mutex_lock(&to->lock);
    if (to->mail < MAILBOX) {
        to->mailbox[to->mail++] = *b;
        b->p = NULL;
        w->counts[SENT]++;
    }
    pthread_mutex_unlock(&to->lock);
}

static void take_in(struct worker *w, struct block *slot)
{
    now_calling(w, "take in", 0, 0);
    pthread_mutex_lock(&w->lock);
    if (w->mail > 0)
        *slot = w->mailbox[--w->mail];
    pthread_mutex_unlock(&w->lock);
    if (slot->p != NULL)
        check_block(w, slot);
}

/* Sizes that no heap can serve: not even tried, or tried and refused by the
   system, for want of address space. */
static void ask_too_much(struct worker *w, const struct block *b)
{
    size_t least = stress_below(&w->rng, 2) == 0 ? (size_t)PTRDIFF_MAX + 1 : (size_t)1 << 48;
    size_t size = least + stress_below(&w->rng, 1 << 20);
    size_t count = 3 + stress_below(&w->rng, 1000);
    void *p;
    errno = 0;
    switch (stress_below(&w->rng, 3)) {
    case 0:
        now_calling(w, "malloc", size, 0);
        p = hut_malloc(size);
        break;
    case 1:
        now_calling(w, "calloc", count, size);
        p = hut_calloc(count, size);
        break;
    default:
        now_calling(w, "realloc", b->size, size);
        p = hut_realloc(b->p, size);
        break;
    }
    if (p != NULL || errno != ENOMEM)
        wrong(w, b, "an absurd size was not refused with ENOMEM");
    if (b->p != NULL)
        check_block(w, b);
    w->counts[REFUSED]++;
}

static void step(struct worker *w)
{
    bool growing = (w->operation / PHASE) % 2 == 0;
    struct block *b = &w->slots[stress_below(&w->rng, SLOTS)];
    size_t roll = stress_below(&w->rng, 1000);
    if (roll < 3)
        ask_too_much(w, b);
    else if (b->p == NULL && roll < (growing ? 900U : 350U))
        allocate(w, b);
    else if (b->p == NULL)
        take_in(w, b);
    else if (roll < 150)
        hand_over(w, b);
    else if (roll < (growing ? 350U : 250U))
        inspect(w, b);
    else if (roll < (growing ? 650U : 400U))
        resize(w, b);
    else
        release(w, b);
}

/* Every thread waits while one after the other runs the heap's checker. */
static void check_in_turn(const struct worker *w)
{
    for (unsigned turn = 0; turn < threads; turn++) {
        pthread_barrier_wait(&pause_barrier);
        if (turn == w->id)
            hut_check();
    }
    pthread_barrier_wait(&pause_barrier);
}

static void *work(void *argument)
{
    struct worker *w = current = argument;
    unsigned long round = operations_each / ROUNDS + 1;
    for (w->operation = 1; w->operation <= operations_each; w->operation++) {
        step(w);
        if (HUT_CHECKS && w->operation % round == 0)
            check_in_turn(w);
    }
    for (unsigned i = 0; i < SLOTS; i += 2) {
        if (w->slots[i].p != NULL)
            release(w, &w->slots[i]);
    }
    return NULL;
}

/* What the threads left behind, freed when none of them exists any more. */
static void free_the_rest(void)
{
    for (unsigned i = 0; i < threads; i++) {
        struct worker *w = current = &workers[i];
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            if (w->slots[slot].p != NULL)
                release(w, &w->slots[slot]);
        }
        while (w->mail > 0)
            release(w, &w->mailbox[--w->mail]);
    }
    if (!livemap_is_empty())
        stress_fail("blocks remain in the test's map");
    hut_trim();
    hut_check();
}

static void report(double seconds)
{
    static const char *const names[] = {"malloc", "calloc",  "aligned", "realloc",
                                        "free",   "inspect", "handed",  "refused"};
    char line[256];
    int used = 0;
    for (unsigned kind = 0; kind < 8; kind++) {
        size_t sum = 0;
        for (unsigned i = 0; i < threads; i++)
            sum += workers[i].counts[kind];
        used += snprintf(line + used, sizeof line - (size_t)used, " %s %zu", names[kind], sum);
    }
    stress_say("done:%s; %.1f s", line, seconds);
}

int main(int argc, char **argv)
{
    seed = stress_begin("model");
    unsigned long operations = stress_argument(argc, argv, 1, STRESS_COUNT(2000000));
    threads = (unsigned)stress_argument(argc, argv, 2, 4);
    if (threads > MAX_THREADS)
        stress_fail("at most %d threads", MAX_THREADS);
    operations_each = operations / threads;
    double start = stress_seconds();
    signal(SIGABRT, on_abort);
    livemap_begin();
    workers = stress_pages(threads * sizeof *workers);
    pthread_barrier_init(&pause_barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].id = i;
        workers[i].rng = stress_rng_of(seed, i);
        pthread_mutex_init(&workers[i].lock, NULL);
    }
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            stress_fail("cannot create a thread");
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    free_the_rest();
    report(stress_seconds() - start);
    return 0;
}
