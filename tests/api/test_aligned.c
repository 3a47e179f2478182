/*
 * test_aligned.c - aligned allocation: posix_memalign, aligned_alloc,
 * memalign, valloc, pvalloc, and what becomes of such blocks afterwards.
 */
#include "api_test.h"

#include <malloc.h>

void free_aligned_sized(void *block, size_t alignment, size_t size);

static const size_t sizes[] = {0,        1,      7,      8,         15,      16,      17,
                               31,       48,     64,     65,        100,     127,     128,
                               129,      250,    512,    777,       1024,    1500,    2048,
                               3000,     4095,   4096,   4097,      9000,    33000,   64 * KIB,
                               70 * KIB, 130000, 300000, 512 * KIB, 1 * MIB, 3 * MIB, 5 * MIB};
#define SIZES COUNT_OF(sizes)

START_TEST(every_alignment_with_many_sizes)
{
    for (size_t alignment = 1; alignment <= 2 * MIB; alignment *= 2) {
        void *blocks[SIZES];
        for (size_t s = 0; s < SIZES; s++) {
            blocks[s] = memalign(alignment, sizes[s]);
            ck_assert_ptr_nonnull(blocks[s]);
            ck_assert(aligned_to(blocks[s], alignment));
            ck_assert(aligned_to(blocks[s], 16));
            ck_assert_uint_ge(malloc_usable_size(blocks[s]), sizes[s]);
            pattern_fill(blocks[s], sizes[s], (unsigned)s);
        }
        for (size_t s = 0; s < SIZES; s++)
            ck_assert(pattern_intact(blocks[s], sizes[s], (unsigned)s));
        for (size_t s = 0; s < SIZES; s++)
            free(blocks[s]);
    }
}
END_TEST

START_TEST(aligned_blocks_are_wholly_usable)
{
    for (size_t alignment = 16; alignment <= 64 * KIB; alignment *= 2) {
        enum { BLOCKS = 64 };
        void *blocks[BLOCKS];
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = aligned_alloc(alignment, 40 + i * 37);
            ck_assert_ptr_nonnull(blocks[i]);
            pattern_fill(blocks[i], malloc_usable_size(blocks[i]), (unsigned)i);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            ck_assert(pattern_intact(blocks[i], malloc_usable_size(blocks[i]), (unsigned)i));
            free(blocks[i]);
        }
    }
}
END_TEST

START_TEST(aligned_blocks_resize_as_others)
{
    for (size_t alignment = 16; alignment <= 2 * MIB; alignment *= 4) {
        for (size_t s = 0; s + 1 < SIZES; s++) {
            void *block = memalign(alignment, sizes[s]);
            ck_assert_ptr_nonnull(block);
            pattern_fill(block, sizes[s], 21);
            block = realloc(block, sizes[s + 1]);
            ck_assert_ptr_nonnull(block);
            ck_assert(pattern_intact(block, sizes[s], 21));
            size_t less = sizes[s] / 3 + 1;
            size_t kept = less < sizes[s] ? less : sizes[s];
            block = realloc(block, less);
            ck_assert_ptr_nonnull(block);
            ck_assert(pattern_intact(block, kept, 21));
            free(block);
        }
    }
}
END_TEST

START_TEST(very_large_alignments)
{
    for (size_t alignment = 4 * MIB; alignment <= 1024 * MIB; alignment *= 4) {
        char *block = memalign(alignment, 100), *other = memalign(alignment, 5 * MIB);
        ck_assert(block != NULL && aligned_to(block, alignment));
        ck_assert(other != NULL && aligned_to(other, alignment));
        block[99] = 1;
        other[5 * MIB - 1] = 1;
        free(block);
        free(other);
    }
}
END_TEST

START_TEST(aligned_use_gives_memory_back)
{
    static const size_t alignments[] = {64, 4096, 64 * KIB, 1 * MIB};
    for (size_t a = 0; a < COUNT_OF(alignments); a++) {
        size_t before = resident_bytes();
        for (size_t round = 0; round < 20000; round++) {
            char *block = memalign(alignments[a], 3000 + round % 2000);
            ck_assert_ptr_nonnull(block);
            block[0] = block[2999] = 1;
            free_aligned_sized(block, alignments[a], 3000 + round % 2000);
        }
        ck_assert_uint_lt(resident_bytes(), before + 16 * MIB);
    }
}
END_TEST

START_TEST(posix_memalign_rules)
{
    static const size_t bad[] = {0, 1, 2, 4, 3, 7, 12, 24, 48, 100, 4097, SIZE_MAX, SIZE_MAX / 2};
    void *const mark = (void *)(uintptr_t)0x1230;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        void *block = mark;
        errno = 4711;
        ck_assert_int_eq(posix_memalign(&block, opaque_size(bad[i]), 100), EINVAL);
        ck_assert_int_eq(errno, 4711);
        ck_assert_ptr_eq(block, mark);
    }
    static const size_t big[] = {(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 64,
                                 SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(big); i++) {
        void *block = mark;
        errno = 4711;
        ck_assert_int_eq(posix_memalign(&block, 64, opaque_size(big[i])), ENOMEM);
        ck_assert_int_eq(errno, 4711);
        ck_assert_ptr_eq(block, mark);
    }
    void *block = mark;
    errno = 4711;
    ck_assert_int_eq(posix_memalign(&block, opaque_size((size_t)1 << 62), 8), ENOMEM);
    ck_assert_int_eq(errno, 4711);
    ck_assert_ptr_eq(block, mark);
    for (size_t alignment = sizeof(void *); alignment <= 2 * MIB; alignment *= 2) {
        errno = 4711;
        ck_assert_int_eq(posix_memalign(&block, alignment, 100), 0);
        ck_assert_int_eq(errno, 4711);
        ck_assert(block != NULL && aligned_to(block, alignment));
        free(block);
    }
    ck_assert_int_eq(posix_memalign(&block, 64, opaque_size(0)), 0);
    ck_assert_ptr_nonnull(block);
    free(block);
}
END_TEST

static void check_refusals(void *(*allocate)(size_t alignment, size_t size))
{
    static const size_t huge[] = {SIZE_MAX / 2 + 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(huge); i++) {
        errno = 0;
        void *block = allocate(opaque_size(huge[i]), 8);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_null(block);
    }
    ck_assert_refused(allocate(opaque_size(SIZE_MAX / 2 + 1), 8));
    ck_assert_refused(allocate(opaque_size((size_t)1 << 62), 8));
    ck_assert_refused(allocate(64, opaque_size(SIZE_MAX)));
    ck_assert_refused(allocate(64, opaque_size(SIZE_MAX - 63)));
    ck_assert_refused(allocate(4096, opaque_size(PTRDIFF_MAX)));
    ck_assert_refused(allocate(16, opaque_size((size_t)PTRDIFF_MAX + 1)));
}

/* glibc: an odd alignment is rounded up to a power of two. */
START_TEST(memalign_rules)
{
    static const size_t odd[][2] = {{0, 16},      {1, 16},      {3, 16},      {5, 16},
                                    {17, 32},     {24, 32},     {48, 64},     {100, 128},
                                    {1000, 1024}, {3000, 4096}, {4097, 8192}, {70000, 131072}};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        for (size_t round = 0; round < 10; round++) {
            errno = 4711;
            void *block = memalign(opaque_size(odd[i][0]), 40);
            ck_assert_ptr_nonnull(block);
            ck_assert(aligned_to(block, odd[i][1]));
            ck_assert_int_eq(errno, 4711);
            void *gap = malloc(24);
            free(block);
            free(gap);
        }
    }
    check_refusals(memalign);
}
END_TEST

/* C17, and glibc from 2.38 on: an odd alignment is refused. */
START_TEST(aligned_alloc_rules)
{
    static const size_t odd[] = {0, 3, 5, 17, 24, 48, 100, 1000, 3000, 4097, 70000};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        errno = 0;
        void *block = aligned_alloc(opaque_size(odd[i]), 40);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_null(block);
    }
    for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2) {
        void *block = aligned_alloc(opaque_size(alignment), 40);
        ck_assert(aligned_to(block, alignment));
        free(block);
    }
    check_refusals(aligned_alloc);
}
END_TEST

/* Each of these once took address space or metadata for good. */
START_TEST(refused_alignments_cost_nothing)
{
    struct mallinfo2 before = mallinfo2();
    for (size_t bit = 40; bit < 63; bit++) {
        void *block = NULL;
        if (posix_memalign(&block, (size_t)1 << bit, 100) == 0)
            free(block);
    }
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_le(after.arena, before.arena + 64 * MIB);
}
END_TEST

START_TEST(valloc_and_pvalloc)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const size_t requests[] = {0, 1, 100, 4095, 4096, 4097, 10000, 65536, 100000, 3 * MIB};
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        size_t size = requests[i];
        unsigned char *block = valloc(size);
        ck_assert(block != NULL && aligned_to(block, page));
        ck_assert_uint_ge(malloc_usable_size(block), size);
        pattern_fill(block, size, 8);

        size_t whole = (size + page - 1) / page * page;
        unsigned char *pages = pvalloc(size);
        ck_assert(pages != NULL && aligned_to(pages, page));
        ck_assert_uint_ge(malloc_usable_size(pages), whole);
        pattern_fill(pages, whole, 9);
        ck_assert(pattern_intact(block, size, 8));
        free(block);
        ck_assert(pattern_intact(pages, whole, 9));
        free(pages);
    }
    ck_assert_refused(valloc(opaque_size(SIZE_MAX)));
    ck_assert_refused(valloc(opaque_size(PTRDIFF_MAX)));
    ck_assert_refused(pvalloc(opaque_size(SIZE_MAX)));
    ck_assert_refused(pvalloc(opaque_size(PTRDIFF_MAX)));
    ck_assert_refused(pvalloc(opaque_size(SIZE_MAX - page)));
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"every_alignment_with_many_sizes", every_alignment_with_many_sizes},
        {"aligned_blocks_are_wholly_usable", aligned_blocks_are_wholly_usable},
        {"aligned_blocks_resize_as_others", aligned_blocks_resize_as_others},
        {"very_large_alignments", very_large_alignments},
        {"aligned_use_gives_memory_back", aligned_use_gives_memory_back},
        {"posix_memalign_rules", posix_memalign_rules},
        {"memalign_rules", memalign_rules},
        {"aligned_alloc_rules", aligned_alloc_rules},
        {"refused_alignments_cost_nothing", refused_alignments_cost_nothing},
        {"valloc_and_pvalloc", valloc_and_pvalloc},
    };
    return RUN_TESTS("aligned", tests);
}
