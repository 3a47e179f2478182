/*
 * test_misuse.c - what is at an address, and the message when nothing is.  The
 * programs of tests/misuse show the same through the public calls.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "heap/alloc.h"
#include "heap/misuse.h"

static char line[200];

static void misuse(void *address)
{
    pm_misuse(address, "free");
}

static void told(void *address, const char *what)
{
    snprintf(line, sizeof line, "pymem: free: %p %s\n", address, what);
    unit_child_aborts(misuse, address, line);
}

static void told_interior(void *address, void *block)
{
    snprintf(line, sizeof line, "pymem: free: %p is inside the block at %p\n", address, block);
    unit_child_aborts(misuse, address, line);
}

START_TEST(live_blocks_are_found)
{
    static const size_t sizes[] = {1, 100, 1000, 32768, 32769, 5 * PM_MIB, PM_DEDICATED_MIN};
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        struct pm_block found;
        char *block = pm_alloc(sizes[i]);
        ck_assert(pm_block_find(block, &found));
        ck_assert_uint_ge(found.usable, sizes[i]);
        ck_assert_int_eq(found.pool == NULL, sizes[i] > PM_POOL_SIZE_MAX);
        ck_assert_int_eq(found.large == NULL, sizes[i] <= PM_POOL_SIZE_MAX);
        ck_assert(pm_block_is_live(block));
        for (size_t offset = 1; offset < found.usable; offset += 1 + found.usable / 100)
            ck_assert(!pm_block_is_live(block + offset));
        pm_free(block, "free");
        ck_assert(!pm_block_is_live(block));
    }
}
END_TEST

START_TEST(any_bits_are_no_block)
{
    struct pm_block found;
    uint64_t state = unit_seed();
    void *block = pm_alloc(64);
    for (int i = 0; i < 200000; i++) {
        void *address = (void *)(unit_random(&state) >> (i % 64));
        ck_assert(address == block || !pm_block_is_live(address));
        ck_assert(address == block || !pm_block_find(address, &found));
    }
}
END_TEST

START_TEST(foreign_addresses)
{
    static char ours;
    pm_free(pm_alloc(1), "free");
    told(&ours, "is not a block of this heap");
    told((void *)1, "is not a block of this heap");
    told((void *)0xdead000000000010, "is not a block of this heap");
    told((void *)UINTPTR_MAX, "is not a block of this heap");
}
END_TEST

START_TEST(addresses_in_pools)
{
    char *first = pm_alloc(48), *second = pm_alloc(48);
    told_interior(first + 1, first);
    told_interior(second + 47, second);
    pm_free(first, "free");
    told(first, "is already free");
    told(first + 16, "is already free");
    told(first + 4800, "is already free"); /* never used */
    struct pm_span *span = pm_ownermap_get(second);
    told((char *)span->start + PM_SLICE - 1, "is not a block of this heap"); /* 65536 % 48 */
}
END_TEST

START_TEST(addresses_in_large_blocks)
{
    char *block = pm_alloc(300000), *fence = pm_alloc(40000);
    told_interior(block + 1, block);
    told_interior(block + 70000, block);
    told_interior(block + 299999, block);
    pm_free(block, "free");
    told(block, "is already free");
    told(block + 70000, "is already free");
    told_interior(fence + 16, fence);
}
END_TEST

START_TEST(addresses_in_dedicated_blocks)
{
    char *block = pm_alloc(PM_DEDICATED_MIN + 1);
    told_interior(block + PM_DEDICATED_MIN, block);
    pm_free(block, "free");
    told(block, "is not a block of this heap"); /* unmapped */
}
END_TEST

/* A dedicated arena ends with a page; what follows in that slice is somebody else's. */
START_TEST(addresses_behind_a_dedicated_block)
{
    char *block = pm_alloc(PM_DEDICATED_MIN + 1);
    size_t bytes = pm_arena_span_bytes(pm_ownermap_get(block));
    told_interior(block + bytes - 1, block);
    told(block + bytes, "is not a block of this heap");
}
END_TEST

static bool freed;
static char foreign_block;

static bool free_foreign(void *address)
{
    freed = address == &foreign_block;
    return freed;
}

static size_t size_foreign(const void *address)
{
    return address == &foreign_block ? 1 : 0;
}

START_TEST(blocks_of_others_are_passed_on)
{
    pm_foreign = (struct pm_foreign){false, free_foreign, size_foreign};
    pm_free(&foreign_block, "free");
    ck_assert(freed);
    ck_assert_uint_eq(pm_usable_size(&foreign_block, "malloc_usable_size"), 1);
    foreign_block = 'x';
    char *copy = pm_realloc(&foreign_block, 100, "realloc");
    ck_assert_int_eq(copy[0], 'x');
    told(&freed, "is not a block of this heap");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, live_blocks_are_found);
    tcase_add_test(tests, any_bits_are_no_block);
    tcase_add_test(tests, foreign_addresses);
    tcase_add_test(tests, addresses_in_pools);
    tcase_add_test(tests, addresses_in_large_blocks);
    tcase_add_test(tests, addresses_in_dedicated_blocks);
    tcase_add_test(tests, addresses_behind_a_dedicated_block);
    tcase_add_test(tests, blocks_of_others_are_passed_on);
}

int main(void)
{
    return unit_run("misuse", add);
}
