/*
 * test_malloc.c - the plain malloc family: malloc, calloc, realloc,
 * reallocarray, free, the sized frees, cfree and the __libc_ aliases.
 */
#include "api_test.h"

#include <malloc.h>

void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);

static const size_t too_big[] = {(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096,
                                 SIZE_MAX - 15, SIZE_MAX};

START_TEST(malloc_zero_is_unique)
{
    enum { BLOCKS = 1000 };
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(opaque_size(0));
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert(aligned_to(blocks[i], 16));
        for (size_t j = 0; j < i; j++)
            ck_assert_ptr_ne(blocks[i], blocks[j]);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    void *none = calloc(opaque_size(0), 16), *also = calloc(16, opaque_size(0));
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_nonnull(also);
    ck_assert_ptr_ne(none, also);
    free(none);
    free(also);
}
END_TEST

START_TEST(malloc_every_small_size)
{
    enum { SIZES = 4200 };
    static void *blocks[SIZES];
    for (size_t size = 0; size < SIZES; size++) {
        blocks[size] = malloc(size);
        ck_assert_ptr_nonnull(blocks[size]);
        ck_assert(aligned_to(blocks[size], 16));
        ck_assert_uint_ge(malloc_usable_size(blocks[size]), size);
        pattern_fill(blocks[size], size, (unsigned)size);
    }
    for (size_t size = 0; size < SIZES; size++)
        ck_assert(pattern_intact(blocks[size], size, (unsigned)size));
    for (size_t size = 0; size < SIZES; size++)
        free(blocks[size]);
}
END_TEST

START_TEST(malloc_large_sizes)
{
    for (size_t size = 8 * KIB; size <= 512 * MIB; size = size * 3 / 2 + 17) {
        unsigned char *block = malloc(size);
        ck_assert_ptr_nonnull(block);
        ck_assert(aligned_to(block, 16));
        block[0] = 1;
        block[size / 2] = 2;
        block[size - 1] = 3;
        ck_assert_int_eq(block[0], 1);
        ck_assert_int_eq(block[size / 2], 2);
        ck_assert_int_eq(block[size - 1], 3);
        free(block);
    }
}
END_TEST

START_TEST(malloc_refuses_too_big)
{
    for (size_t i = 0; i < COUNT_OF(too_big); i++) {
        ck_assert_refused(malloc(opaque_size(too_big[i])));
        ck_assert_refused(calloc(1, opaque_size(too_big[i])));
        ck_assert_refused(calloc(opaque_size(too_big[i]), 1));
        ck_assert_refused(realloc(NULL, opaque_size(too_big[i])));
        ck_assert_refused(reallocarray(NULL, 1, opaque_size(too_big[i])));
    }
}
END_TEST

START_TEST(products_that_overflow)
{
    static const size_t pairs[][2] = {{SIZE_MAX, 2},
                                      {2, SIZE_MAX},
                                      {SIZE_MAX / 2 + 1, 2},
                                      {SIZE_MAX / 3 + 1, 3},
                                      {(size_t)1 << 32, (size_t)1 << 32},
                                      {SIZE_MAX, SIZE_MAX},
                                      {(size_t)PTRDIFF_MAX / 8 + 1, 8}};
    unsigned char *block = malloc(100);
    ck_assert_ptr_nonnull(block);
    pattern_fill(block, 100, 5);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        size_t count = opaque_size(pairs[i][0]), size = opaque_size(pairs[i][1]);
        ck_assert_refused(calloc(count, size));
        ck_assert_refused(reallocarray(NULL, count, size));
        ck_assert_refused(reallocarray(block, count, size));
        ck_assert(pattern_intact(block, 100, 5));
    }
    free(block);
}
END_TEST

START_TEST(calloc_is_zero_after_dirty_reuse)
{
    static const size_t sizes[] = {1,         16,      24,      100,      500,
                                   1024,      4000,    8192,    20 * KIB, 100 * KIB,
                                   300 * KIB, 1 * MIB, 5 * MIB, 40 * MIB};
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        size_t size = sizes[s];
        size_t rounds = size <= 8192 ? 200 : 6;
        for (size_t round = 0; round < rounds; round++) {
            void *dirty[4];
            for (size_t i = 0; i < COUNT_OF(dirty); i++) {
                dirty[i] = malloc(size);
                ck_assert_ptr_nonnull(dirty[i]);
                memset(dirty[i], 0xdb, malloc_usable_size(dirty[i]));
            }
            for (size_t i = 0; i < COUNT_OF(dirty); i++)
                free(dirty[i]);
            unsigned char *clean = calloc(size, 1);
            ck_assert_ptr_nonnull(clean);
            ck_assert(all_zero(clean, size));
            memset(clean, 0x5a, size);
            free(clean);
        }
    }
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    static const size_t sizes[] = {1,        15,        16,      17,      128,
                                   129,      1000,      4096,    5000,    33000,
                                   70 * KIB, 300 * KIB, 1 * MIB, 3 * MIB, 17 * MIB};
    for (size_t from = 0; from < COUNT_OF(sizes); from++) {
        for (size_t to = 0; to < COUNT_OF(sizes); to++) {
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            void *block = malloc(sizes[from]);
            ck_assert_ptr_nonnull(block);
            pattern_fill(block, sizes[from], (unsigned)from);
            block = realloc(block, sizes[to]);
            ck_assert_ptr_nonnull(block);
            ck_assert(aligned_to(block, 16));
            ck_assert_uint_ge(malloc_usable_size(block), sizes[to]);
            ck_assert(pattern_intact(block, kept, (unsigned)from));
            pattern_fill(block, sizes[to], (unsigned)to);
            free(block);
        }
    }
}
END_TEST

START_TEST(realloc_grows_step_by_step)
{
    void *neighbour = malloc(64);
    ck_assert_ptr_nonnull(neighbour);
    pattern_fill(neighbour, 64, 9);
    size_t size = 1;
    unsigned char *block = realloc(NULL, size);
    ck_assert_ptr_nonnull(block);
    block[0] = 1;
    while (size < 64 * MIB) {
        size_t next = size + size / 3 + 1;
        block = realloc(block, next);
        ck_assert_ptr_nonnull(block);
        for (size_t i = 1; i < size; i = i * 2 + 1)
            ck_assert_int_eq(block[i - 1], (unsigned char)i);
        for (size_t i = 1; i <= next; i = i * 2 + 1)
            block[i - 1] = (unsigned char)i;
        size = next;
    }
    free(block);
    ck_assert(pattern_intact(neighbour, 64, 9));
    free(neighbour);
}
END_TEST

START_TEST(realloc_to_zero_frees)
{
    static const size_t sizes[] = {10, 1000, 60 * KIB, 2 * MIB};
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        size_t rounds = (600 * MIB) / (sizes[s] + 1000);
        size_t before = resident_bytes();
        for (size_t round = 0; round < rounds; round++) {
            char *block = malloc(sizes[s]);
            ck_assert_ptr_nonnull(block);
            *(volatile char *)block = 1;
            if (round % 2 == 0)
                ck_assert_ptr_null(realloc(block, opaque_size(0)));
            else
                ck_assert_ptr_null(reallocarray(block, opaque_size(0), 8));
        }
        ck_assert_uint_lt(resident_bytes(), before + 6 * MIB + 4 * sizes[s]);
    }
    void *block = realloc(NULL, opaque_size(0));
    ck_assert_ptr_nonnull(block);
    free(block);
}
END_TEST

START_TEST(failing_realloc_leaves_the_block)
{
    static const size_t sizes[] = {1, 100, 5000, 200 * KIB, 8 * MIB};
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        void *block = malloc(sizes[s]);
        ck_assert_ptr_nonnull(block);
        size_t usable = malloc_usable_size(block);
        pattern_fill(block, sizes[s], 77);
        for (size_t i = 0; i < COUNT_OF(too_big); i++) {
            ck_assert_refused(realloc(block, opaque_size(too_big[i])));
            ck_assert_refused(reallocarray(block, opaque_size(too_big[i]), 1));
        }
        /* Below the limit of the API, above what any machine can map. */
        ck_assert_refused(realloc(block, opaque_size((size_t)1 << 60)));
        ck_assert(pattern_intact(block, sizes[s], 77));
        ck_assert_uint_eq(malloc_usable_size(block), usable);
        free(block);
    }
}
END_TEST

START_TEST(free_preserves_errno)
{
    static const size_t sizes[] = {0, 8, 1000, 60 * KIB, 300 * KIB, 2 * MIB, 100 * MIB};
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        void *block = malloc(sizes[s]);
        ck_assert_ptr_nonnull(block);
        errno = 12345;
        free(block);
        ck_assert_int_eq(errno, 12345);
    }
    errno = 54321;
    free(opaque_pointer(NULL));
    ck_assert_int_eq(errno, 54321);
}
END_TEST

START_TEST(success_leaves_errno)
{
    errno = 4711;
    void *a = malloc(100), *b = calloc(3, 100), *c = realloc(NULL, 3 * MIB);
    c = realloc(c, 9 * MIB);
    void *d = aligned_alloc(4096, 8192);
    ck_assert_int_eq(errno, 4711);
    ck_assert(a != NULL && b != NULL && c != NULL && d != NULL);
    free(a);
    free(b);
    free(c);
    free(d);
    ck_assert_int_eq(errno, 4711);
}
END_TEST

START_TEST(every_way_to_free)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 100 * KIB, 2 * MIB};
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        size_t before = resident_bytes();
        size_t rounds = (400 * MIB) / (sizes[s] + 600);
        for (size_t round = 0; round < rounds; round++) {
            char *block = malloc(sizes[s]);
            char *other = aligned_alloc(64, sizes[s]);
            char *third = calloc(1, sizes[s]);
            ck_assert(block != NULL && other != NULL && third != NULL);
            errno = 99;
            free_sized(block, sizes[s]);
            free_aligned_sized(other, 64, sizes[s]);
            cfree(third);
            ck_assert_int_eq(errno, 99);
        }
        ck_assert_uint_lt(resident_bytes(), before + 6 * MIB + 4 * sizes[s]);
    }
    free_sized(NULL, 0);
    free_aligned_sized(NULL, 64, 64);
    cfree(NULL);
}
END_TEST

START_TEST(libc_aliases)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *block = __libc_malloc(100);
    ck_assert_ptr_nonnull(block);
    pattern_fill(block, 100, 3);
    block = realloc(block, 5000);
    ck_assert(block != NULL && pattern_intact(block, 100, 3));
    block = __libc_realloc(block, 200 * KIB);
    ck_assert(block != NULL && pattern_intact(block, 100, 3));
    free(block);

    unsigned char *zeros = __libc_calloc(100, 30);
    ck_assert(zeros != NULL && all_zero(zeros, 3000));
    __libc_free(zeros);
    __libc_free(NULL);

    void *aligned = __libc_memalign(256, 1000);
    ck_assert(aligned != NULL && aligned_to(aligned, 256));
    free(aligned);
    void *on_page = __libc_valloc(10);
    ck_assert(on_page != NULL && aligned_to(on_page, page));
    __libc_free(on_page);
    void *whole_page = __libc_pvalloc(10);
    ck_assert(whole_page != NULL && aligned_to(whole_page, page));
    ck_assert_uint_ge(malloc_usable_size(whole_page), page);
    __libc_free(whole_page);

    void *own = malloc(64);
    ck_assert_ptr_nonnull(own);
    __libc_free(own);
    ck_assert_ptr_null(__libc_realloc(malloc(10), opaque_size(0)));
    ck_assert_refused(__libc_malloc(opaque_size(SIZE_MAX)));
    ck_assert_refused(__libc_calloc(opaque_size(SIZE_MAX), 2));
    ck_assert_refused(__libc_realloc(NULL, opaque_size(SIZE_MAX)));
    ck_assert_refused(__libc_memalign(64, opaque_size(SIZE_MAX)));
    ck_assert_refused(__libc_valloc(opaque_size(SIZE_MAX)));
    ck_assert_refused(__libc_pvalloc(opaque_size(SIZE_MAX)));
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"malloc_zero_is_unique", malloc_zero_is_unique},
        {"malloc_every_small_size", malloc_every_small_size},
        {"malloc_large_sizes", malloc_large_sizes},
        {"malloc_refuses_too_big", malloc_refuses_too_big},
        {"products_that_overflow", products_that_overflow},
        {"calloc_is_zero_after_dirty_reuse", calloc_is_zero_after_dirty_reuse},
        {"realloc_keeps_contents", realloc_keeps_contents},
        {"realloc_grows_step_by_step", realloc_grows_step_by_step},
        {"realloc_to_zero_frees", realloc_to_zero_frees},
        {"failing_realloc_leaves_the_block", failing_realloc_leaves_the_block},
        {"free_preserves_errno", free_preserves_errno},
        {"success_leaves_errno", success_leaves_errno},
        {"every_way_to_free", every_way_to_free},
        {"libc_aliases", libc_aliases},
    };
    return RUN_TESTS("malloc", tests);
}
