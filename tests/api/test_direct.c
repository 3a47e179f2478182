/*
 * test_direct.c - the heap under its own names: <pymem/malloc.h>.
 */
#include "api_test.h"

#include <pymem/malloc.h>
#include <pymem/pymem.h>

static const size_t sizes[] = {0,    1,    8,    16,    17,    64,    100,    1000,    1024,
                               1025, 4096, 9000, 32768, 32769, 70000, 300000, 1 * MIB, 5 * MIB + 1};
#define SIZES COUNT_OF(sizes)

START_TEST(every_block_is_ours_aligned_and_wholly_usable)
{
    void *blocks[SIZES];
    for (size_t s = 0; s < SIZES; s++) {
        blocks[s] = pymem_malloc(sizes[s]);
        ck_assert(pymem_owns(blocks[s]));
        ck_assert(aligned_to(blocks[s], 16));
        ck_assert_uint_ge(pymem_usable_size(blocks[s]), sizes[s]);
        pattern_fill(blocks[s], sizes[s], (unsigned)s);
    }
    for (size_t s = 0; s < SIZES; s++) {
        ck_assert(pattern_intact(blocks[s], sizes[s], (unsigned)s));
        pymem_free_sized(blocks[s], sizes[s]);
        ck_assert(!pymem_owns(blocks[s]));
    }
    pymem_free(NULL);
    pymem_free_sized(NULL, 100);
    pymem_free_aligned_sized(NULL, 64, 100);
}
END_TEST

START_TEST(every_alignment_with_many_sizes)
{
    for (size_t align = 1; align <= 2 * MIB; align *= 2) {
        for (size_t s = 0; s < SIZES; s++) {
            void *block = pymem_aligned_alloc(align, sizes[s]);
            ck_assert_ptr_nonnull(block);
            ck_assert(aligned_to(block, align));
            pattern_fill(block, sizes[s], 5);
            pymem_free_aligned_sized(block, align, sizes[s]);
            block = pymem_aligned_calloc(align, 1, sizes[s]);
            ck_assert_ptr_nonnull(block);
            ck_assert(aligned_to(block, align));
            ck_assert(all_zero(block, sizes[s]));
            pymem_free(block);
        }
    }
}
END_TEST

START_TEST(resizing_keeps_alignment_and_contents)
{
    for (size_t align = 1; align <= 2 * MIB; align *= 2) {
        void *block = NULL;
        size_t before = 0;
        for (size_t s = 0; s < 2 * SIZES; s++) {
            size_t size = sizes[s < SIZES ? s : 2 * SIZES - 1 - s];
            block = pymem_aligned_realloc(block, align, size);
            ck_assert_ptr_nonnull(block);
            ck_assert(aligned_to(block, align));
            ck_assert(pattern_intact(block, before < size ? before : size, 9));
            pattern_fill(block, size, 9);
            before = size;
        }
        pymem_free_aligned_sized(block, align, before);
    }
}
END_TEST

START_TEST(the_alignment_of_the_last_call_counts)
{
    for (size_t s = 0; s < SIZES; s++) {
        void *blocks[8];
        for (size_t i = 0; i < 8; i++) { /* so that they cannot all lie well by chance */
            blocks[i] = pymem_malloc(sizes[s]);
            ck_assert_ptr_nonnull(blocks[i]);
            pattern_fill(blocks[i], sizes[s], (unsigned)i);
        }
        for (size_t i = 0; i < 8; i++) {
            blocks[i] = pymem_aligned_realloc(blocks[i], 64 * KIB, sizes[s]);
            ck_assert(aligned_to(blocks[i], 64 * KIB));
            ck_assert(pattern_intact(blocks[i], sizes[s], (unsigned)i));
            pymem_free(blocks[i]);
        }
    }
}
END_TEST

START_TEST(big_blocks_grow_without_copying)
{
    size_t size = 4 * MIB;
    char *block = pymem_malloc(size);
    ck_assert_ptr_nonnull(block);
    for (size_t i = 0; i < 20; i++) {
        block[0] = (char)i;
        size += 200 * MIB; /* untouched: copying it would take the memory there is */
        block = pymem_realloc(block, size);
        ck_assert_ptr_nonnull(block);
        ck_assert_int_eq(block[0], (char)i);
    }
    pymem_free_sized(block, size);
}
END_TEST

START_TEST(zeroed_blocks_are_zero_after_use)
{
    for (size_t round = 0; round < 100; round++) {
        for (size_t s = 0; s < SIZES; s++) {
            char *block = pymem_calloc(3, sizes[s] / 3);
            ck_assert_ptr_nonnull(block);
            ck_assert(all_zero(block, sizes[s] / 3 * 3));
            pattern_fill(block, sizes[s] / 3 * 3, 77);
            pymem_free(block);
        }
    }
}
END_TEST

static void refused(void *block, int error)
{
    ck_assert_ptr_null(block);
    ck_assert_int_eq(errno, error);
    errno = 0;
}

START_TEST(what_cannot_be_is_refused)
{
    char *block = pymem_malloc(100);
    pattern_fill(block, 100, 1);
    errno = 0;
    refused(pymem_malloc(opaque_size(SIZE_MAX)), ENOMEM);
    refused(pymem_calloc(opaque_size(SIZE_MAX / 2), 3), ENOMEM);
    refused(pymem_realloc(block, opaque_size(SIZE_MAX - 4096)), ENOMEM);
    refused(pymem_aligned_alloc(64, opaque_size(SIZE_MAX - 4096)), ENOMEM);
    refused(pymem_aligned_calloc(64, opaque_size(SIZE_MAX / 2), 3), ENOMEM);
    refused(pymem_aligned_realloc(block, 64, opaque_size(SIZE_MAX - 4096)), ENOMEM);
    refused(pymem_aligned_alloc(opaque_size((size_t)1 << 63), 1), ENOMEM);
    refused(pymem_aligned_alloc(opaque_size(0), 1), EINVAL);
    refused(pymem_aligned_alloc(opaque_size(24), 1), EINVAL);
    refused(pymem_aligned_calloc(opaque_size(24), 1, 1), EINVAL);
    refused(pymem_aligned_realloc(block, opaque_size(24), 1), EINVAL);
    ck_assert(pattern_intact(block, 100, 1));
    errno = 7;
    pymem_free(block);
    pymem_free_sized(pymem_malloc(6 * MIB), 6 * MIB);
    ck_assert_int_eq(errno, 7);
}
END_TEST

START_TEST(blocks_cross_between_the_names)
{
    free(pymem_malloc(100));
    pymem_free(malloc(100));
    pymem_free_sized(PyMem_RawMalloc(3000), 3000);
    char *block = malloc(50);
    pattern_fill(block, 50, 4);
    block = pymem_realloc(block, 60000);
    ck_assert(pattern_intact(block, 50, 4));
    block = realloc(block, 50);
    ck_assert(pattern_intact(block, 50, 4));
    pymem_free_aligned_sized(block, 16, 50);
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"every_block_is_ours_aligned_and_wholly_usable",
         every_block_is_ours_aligned_and_wholly_usable},
        {"every_alignment_with_many_sizes", every_alignment_with_many_sizes},
        {"resizing_keeps_alignment_and_contents", resizing_keeps_alignment_and_contents},
        {"the_alignment_of_the_last_call_counts", the_alignment_of_the_last_call_counts},
        {"big_blocks_grow_without_copying", big_blocks_grow_without_copying},
        {"zeroed_blocks_are_zero_after_use", zeroed_blocks_are_zero_after_use},
        {"what_cannot_be_is_refused", what_cannot_be_is_refused},
        {"blocks_cross_between_the_names", blocks_cross_between_the_names},
    };
    return RUN_TESTS("direct", tests);
}
