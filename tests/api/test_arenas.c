/*
 * test_arenas.c - PyObject_GetArenaAllocator and PyObject_SetArenaAllocator:
 * arenas really come from the allocator that is set, whatever it does inside,
 * and go back to the one that gave them.
 */
#include "api_test.h"

#include <pthread.h>
#include <pymem/pymem.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { MOST_ARENAS = 8192 };

/* An arena allocator that remembers what it gave. */
struct source {
    size_t offset; /* how far from a page boundary the arenas begin */
    bool from_malloc;
    atomic_int fail;
    atomic_int allocs, failures, frees, wrong_frees, odd_sizes;
    struct {
        char *start;
        size_t size;
        atomic_bool live;
    } given[MOST_ARENAS];
};

static struct source source_a, source_b;

static char *source_get(const struct source *source, size_t size)
{
    if (source->from_malloc)
        return calloc(1, size);
    char *base = mmap(NULL, size + source->offset, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base + source->offset;
}

static void *source_alloc(void *ctx, size_t size)
{
    struct source *source = ctx;
    if (size == 0 || size % (size_t)sysconf(_SC_PAGESIZE) != 0)
        source->odd_sizes++;
    if (source->fail) {
        source->failures++;
        return NULL;
    }
    char *start = source_get(source, size);
    if (start == NULL)
        return NULL;
    int index = source->allocs++;
    if (index >= MOST_ARENAS)
        abort();
    source->given[index].start = start;
    source->given[index].size = size;
    source->given[index].live = true;
    return start;
}

static void source_free(void *ctx, void *block, size_t size)
{
    struct source *source = ctx;
    source->frees++;
    for (int i = 0; i < source->allocs; i++) {
        if (!source->given[i].live || source->given[i].start != block)
            continue;
        if (source->given[i].size != size)
            break;
        source->given[i].live = false;
        if (source->from_malloc)
            free(block);
        else
            munmap((char *)block - source->offset, size + source->offset);
        return;
    }
    source->wrong_frees++;
}

static PyObjectArenaAllocator system_arenas;

static void install(struct source *source)
{
    PyObjectArenaAllocator arenas = {source, source_alloc, source_free};
    PyObject_SetArenaAllocator(&arenas);
}

static void restore(void)
{
    PyObject_SetArenaAllocator(&system_arenas);
}

/* True when all of the block lies in one arena that is still out. */
static bool inside(const struct source *source, const void *block, size_t size)
{
    uintptr_t start = (uintptr_t)block;
    for (int i = 0; i < source->allocs; i++) {
        uintptr_t from = (uintptr_t)source->given[i].start;
        if (source->given[i].live && start >= from && start + size <= from + source->given[i].size)
            return true;
    }
    return false;
}

static void check_clean(struct source *source)
{
    ck_assert_int_eq(source->wrong_frees, 0);
    ck_assert_int_eq(source->odd_sizes, 0);
    ck_assert_int_le(source->frees, source->allocs);
}

static const size_t sizes[] = {16,   40,    100,      300,       800,       2000,    5000,
                               9000, 30000, 70 * KIB, 200 * KIB, 500 * KIB, 2 * MIB, 5 * MIB};

enum { MOST_BLOCKS = 400000 };

struct batch {
    void *blocks[MOST_BLOCKS];
    size_t count, bytes, inside;
};

static struct batch batch;

/* Every size is half as frequent as the one before it, so that the bytes are spread evenly. */
static size_t batch_size(size_t index)
{
    unsigned zeros = (unsigned)__builtin_ctzll(index + 1);
    return sizes[zeros % COUNT_OF(sizes)];
}

/* Allocates about `wanted` bytes in all the sizes, each marked at both ends. */
static void batch_fill(struct batch *b, const struct source *source, size_t wanted)
{
    memset(b, 0, sizeof *b);
    while (b->bytes < wanted && b->count < MOST_BLOCKS) {
        size_t size = batch_size(b->count);
        char *block = PyObject_Malloc(size);
        ck_assert_ptr_nonnull(block);
        block[0] = (char)b->count;
        block[size - 1] = (char)b->count;
        if (inside(source, block, size))
            b->inside += size;
        b->bytes += size;
        b->blocks[b->count++] = block;
    }
}

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        char *block = b->blocks[i];
        ck_assert_int_eq(block[0], (char)i);
        ck_assert_int_eq(block[batch_size(i) - 1], (char)i);
        PyObject_Free(block);
    }
    b->count = 0;
}

START_TEST(system_arena_allocator_works_when_called)
{
    PyObject_GetArenaAllocator(&system_arenas);
    ck_assert(system_arenas.alloc != NULL && system_arenas.free != NULL);
    char *arena = system_arenas.alloc(system_arenas.ctx, 4 * MIB);
    ck_assert(arena != NULL && all_zero(arena, 4 * MIB));
    memset(arena, 1, 4 * MIB);
    system_arenas.free(system_arenas.ctx, arena, 4 * MIB);
}
END_TEST

START_TEST(get_returns_what_was_set)
{
    PyObjectArenaAllocator seen;
    PyObject_GetArenaAllocator(&system_arenas);
    install(&source_a);
    PyObject_GetArenaAllocator(&seen);
    ck_assert(seen.ctx == &source_a && seen.alloc == source_alloc && seen.free == source_free);
    restore();
    PyObject_GetArenaAllocator(&seen);
    ck_assert(seen.ctx == system_arenas.ctx && seen.alloc == system_arenas.alloc &&
              seen.free == system_arenas.free);
}
END_TEST

static void use_and_give_back(struct source *source)
{
    PyObject_GetArenaAllocator(&system_arenas);
    install(source);
    batch_fill(&batch, source, 300 * MIB);
    ck_assert_int_gt(source->allocs, 0);
    ck_assert_uint_ge(batch.inside, 128 * MIB);
    check_clean(source);

    restore();
    int allocs = source->allocs;
    batch_free(&batch);
    pymem_trim();
    ck_assert_int_gt(source->frees, 0);
    check_clean(source);
    /* The heap lives on, without the old source. */
    batch_fill(&batch, source, 300 * MIB);
    batch_free(&batch);
    ck_assert_int_eq(source->allocs, allocs);
    check_clean(source);
}

START_TEST(arenas_come_from_the_set_allocator)
{
    use_and_give_back(&source_a);
}
END_TEST

START_TEST(arenas_may_begin_on_any_page)
{
    source_a.offset = 4096;
    use_and_give_back(&source_a);
}
END_TEST

START_TEST(arenas_may_begin_inside_a_page)
{
    source_a.offset = 48;
    use_and_give_back(&source_a);
}
END_TEST

START_TEST(arenas_may_begin_at_an_odd_address)
{
    source_a.offset = 1;
    use_and_give_back(&source_a);
}
END_TEST

START_TEST(an_allocator_that_calls_malloc)
{
    source_a.from_malloc = true;
    PyObject_GetArenaAllocator(&system_arenas);
    install(&source_a);
    batch_fill(&batch, &source_a, 300 * MIB);
    ck_assert_int_gt(source_a.allocs, 0);
    ck_assert_uint_ge(batch.inside, 128 * MIB);
    batch_free(&batch);
    PyMem_RawFree(PyMem_RawMalloc(40 * MIB)); /* an arena of its own, in one of its own */
    restore();
    pymem_trim();
    ck_assert_int_gt(source_a.frees, 0);
    check_clean(&source_a);
}
END_TEST

START_TEST(arenas_return_to_their_own_allocator)
{
    static struct batch second;
    PyObject_GetArenaAllocator(&system_arenas);
    install(&source_a);
    batch_fill(&batch, &source_a, 300 * MIB);
    install(&source_b);
    int allocs = source_a.allocs;
    batch_fill(&second, &source_b, 300 * MIB);
    ck_assert_int_eq(source_a.allocs, allocs);
    ck_assert_uint_ge(second.inside, 128 * MIB);
    batch_free(&batch);
    batch_free(&second);
    pymem_trim();
    restore();
    ck_assert_int_gt(source_a.frees, 0);
    ck_assert_int_gt(source_b.frees, 0);
    check_clean(&source_a);
    check_clean(&source_b);
}
END_TEST

START_TEST(huge_blocks_grow_inside_given_arenas)
{
    PyObject_GetArenaAllocator(&system_arenas);
    install(&source_a);
    size_t size = 40 * MIB;
    char *block = PyMem_Malloc(size);
    ck_assert_ptr_nonnull(block);
    while (size < 700 * MIB) {
        ck_assert(inside(&source_a, block, size));
        block[0] = 17;
        block[size - 1] = 18;
        block = PyMem_Realloc(block, size * 2);
        ck_assert_ptr_nonnull(block);
        ck_assert_int_eq(block[0], 17);
        ck_assert_int_eq(block[size - 1], 18);
        size *= 2;
    }
    block = PyMem_Realloc(block, 50 * MIB);
    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(block[0], 17);
    PyMem_Free(block);
    restore();
    pymem_trim();
    ck_assert_int_gt(source_a.frees, 0);
    check_clean(&source_a);
}
END_TEST

START_TEST(an_allocator_that_fails)
{
    PyObject_GetArenaAllocator(&system_arenas);
    source_a.fail = 1;
    install(&source_a);
    ck_assert_refused(PyMem_Malloc(2048 * MIB));
    ck_assert_refused(PyMem_Calloc(2048, MIB));
    ck_assert_int_gt(source_a.failures, 0);
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        /* What is left of the arenas at hand is used up, then the failure shows. */
        errno = 0;
        void *block, *chain = NULL;
        while ((block = PyMem_Malloc(sizes[s])) != NULL) {
            *(void **)block = chain;
            chain = block;
            errno = 0;
        }
        int refused_errno = errno;
        bool kept = chain == NULL || (PyMem_Realloc(chain, 2048 * MIB) == NULL && errno == ENOMEM &&
                                      pymem_owns(chain));
        while (chain != NULL) {
            block = *(void **)chain;
            PyMem_Free(chain);
            chain = block;
        }
        /* Only now: the test framework allocates from the same heap. */
        ck_assert_int_eq(refused_errno, ENOMEM);
        ck_assert(kept);
    }
    ck_assert_int_eq(source_a.allocs, 0);
    source_a.fail = 0;
    batch_fill(&batch, &source_a, 300 * MIB);
    ck_assert_uint_ge(batch.inside, 128 * MIB);
    restore();
    batch_free(&batch);
    void *block = PyMem_Malloc(256 * MIB);
    ck_assert_ptr_nonnull(block);
    PyMem_Free(block);
    check_clean(&source_a);
}
END_TEST

static void *allocate_in_thread(void *result)
{
    enum { ROUNDS = 3, BLOCKS = 2000 };
    for (int round = 0; round < ROUNDS; round++) {
        void *blocks[BLOCKS];
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = PyMem_RawMalloc(batch_size(i) % (256 * KIB) * 16 + 16);
            if (blocks[i] == NULL)
                return NULL;
            *(size_t *)blocks[i] = i;
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            if (*(size_t *)blocks[i] != i)
                return NULL;
            PyMem_RawFree(blocks[i]);
        }
    }
    return result;
}

START_TEST(threads_share_the_set_allocator)
{
    enum { THREADS = 6 };
    static char results[THREADS];
    pthread_t threads[THREADS];
    PyObject_GetArenaAllocator(&system_arenas);
    install(&source_a);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_in_thread, &results[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_eq(result, &results[i]);
    }
    ck_assert_int_gt(source_a.allocs, 0);
    restore();
    pymem_trim();
    check_clean(&source_a);
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"system_arena_allocator_works_when_called", system_arena_allocator_works_when_called},
        {"get_returns_what_was_set", get_returns_what_was_set},
        {"arenas_come_from_the_set_allocator", arenas_come_from_the_set_allocator},
        {"arenas_may_begin_on_any_page", arenas_may_begin_on_any_page},
        {"arenas_may_begin_inside_a_page", arenas_may_begin_inside_a_page},
        {"arenas_may_begin_at_an_odd_address", arenas_may_begin_at_an_odd_address},
        {"an_allocator_that_calls_malloc", an_allocator_that_calls_malloc},
        {"arenas_return_to_their_own_allocator", arenas_return_to_their_own_allocator},
        {"huge_blocks_grow_inside_given_arenas", huge_blocks_grow_inside_given_arenas},
        {"an_allocator_that_fails", an_allocator_that_fails},
        {"threads_share_the_set_allocator", threads_share_the_set_allocator},
    };
    return RUN_TESTS("arenas", tests);
}
