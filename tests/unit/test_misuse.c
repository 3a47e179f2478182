/*
 * test_misuse.c - what is at an address, and the message when nothing is.  The
 * programs of tests/misuse show the same through the public calls.
 */
#include "unit.h"

#include <sys/mman.h>

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "arena/purge.h"
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
    ck_assert_uint_ne(PM_SLICE % 48, 0);
    told((char *)span->start + pm_span_bytes(span) - 1, "is not a block of this heap");
}
END_TEST

START_TEST(addresses_before_the_first_block)
{
    char *first = pm_alloc_object(64);
    ck_assert_uint_eq((uintptr_t)first % 64, 48);
    told(first - 1, "is not a block of this heap");
    told(first - 48, "is not a block of this heap");
    told_interior(first + 1, first);
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

static void free_again(void *block)
{
    pm_free(block, "free");
}

static void free_sized(void *block)
{
    pm_free_sized(block, 40000, "free");
}

static void resize(void *block)
{
    pm_realloc(block, 50000, "free");
}

static void ask_for_size(void *block)
{
    pm_usable_size(block, "free");
}

/* A block that its thread keeps for the next one is free all the same. */
START_TEST(addresses_in_spare_blocks)
{
    void (*const mistakes[])(void *block) = {free_again, free_sized, resize, ask_for_size};
    pm_purge_set_decay(-1); /* it stays */
    char *block = pm_alloc(40000);
    pm_free(block, "free");
    ck_assert_uint_ne(pm_tls_heap->spare.lengths, 0);
    told(block, "is already free");
    told(block + 16000, "is already free");
    told(block + 33000, "is already free");
    snprintf(line, sizeof line, "pymem: free: %p is already free\n", (void *)block);
    for (size_t i = 0; i < UNIT_COUNT_OF(mistakes); i++)
        unit_child_aborts(mistakes[i], block, line);
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

/* A system that moves mappings to where a page of somebody else's lies just before. */
static void *resize_behind_a_page(void *start, size_t old_size, size_t new_size)
{
    size_t room = new_size + 2 * PM_SLICE;
    void *around = mmap(NULL, room, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (around == MAP_FAILED)
        return NULL;
    char *target = (char *)pm_align_up((uintptr_t)around, PM_SLICE) + pm_os_page_size();
    void *moved = mremap(start, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    return moved == MAP_FAILED ? NULL : moved;
}

static char *neighbour; /* libc's, as it were */
static int questions;

static bool free_neighbour(void *address)
{
    questions++;
    return address == neighbour;
}

static size_t size_of_neighbour(const void *address)
{
    questions++;
    return address == neighbour ? 16 : 0;
}

/* A large block that begins behind a page in its slice, and `neighbour` before it. */
static char *remapped_block(void)
{
    void *block = pm_alloc(PM_DEDICATED_MIN);
    pm_os_memory.resize = resize_behind_a_page;
    char *moved = pm_realloc(block, 2 * PM_DEDICATED_MIN, "realloc");
    ck_assert_ptr_nonnull(moved);
    ck_assert_uint_eq((uintptr_t)moved % PM_SLICE, pm_os_page_size());
    neighbour = moved - pm_os_page_size();
    memcpy(neighbour, "neighbour", 10);
    pm_foreign = (struct pm_foreign){false, free_neighbour, size_of_neighbour};
    return moved;
}

START_TEST(blocks_of_others_lie_before_remapped_ones)
{
    if (pm_os_page_size() >= PM_SLICE)
        return;
    char *block = remapped_block();
    struct pm_span *span = pm_ownermap_get(neighbour);
    ck_assert_ptr_nonnull(span);
    ck_assert_uint_eq(span->start, (uintptr_t)block);
    pm_free(neighbour, "free");
    ck_assert_int_eq(questions, 1);
    ck_assert_uint_eq(pm_usable_size(neighbour, "malloc_usable_size"), 16);
    ck_assert_int_eq(questions, 2);
    char *copy = pm_realloc(neighbour, 100, "realloc");
    ck_assert_str_eq(copy, "neighbour");
    ck_assert_int_eq(questions, 4); /* its size, then it is freed */
    copy = pm_realloc(neighbour, 4, "realloc");
    ck_assert(memcmp(copy, "neig", 4) == 0);
}
END_TEST

static void free_it(void *address)
{
    pm_free(address, "free");
}

static void resize_it(void *address)
{
    pm_realloc(address, 100, "free");
}

static void ask_its_size(void *address)
{
    pm_usable_size(address, "free");
}

static bool free_nothing(void *address)
{
    (void)address;
    fputs("asked\n", stderr);
    return false;
}

static size_t size_of_nothing(const void *address)
{
    (void)address;
    fputs("asked\n", stderr);
    return 0;
}

static void all_tell(char *address)
{
    static void (*const calls[])(void *) = {free_it, resize_it, ask_its_size};
    for (size_t i = 0; i < UNIT_COUNT_OF(calls); i++)
        unit_child_aborts(calls[i], address, line);
}

START_TEST(nobody_is_asked_about_what_is_inside_ours)
{
    char *small = pm_alloc(48), *large = pm_alloc(300000);
    pm_foreign = (struct pm_foreign){false, free_nothing, size_of_nothing};
    snprintf(line, sizeof line, "pymem: free: %p is inside the block at %p\n", small + 1, small);
    all_tell(small + 1);
    snprintf(line, sizeof line, "pymem: free: %p is inside the block at %p\n", large + 16, large);
    all_tell(large + 16);
    char *foreign = &foreign_block;
    snprintf(line, sizeof line, "asked\npymem: free: %p is not a block of this heap\n", foreign);
    all_tell(foreign);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, live_blocks_are_found);
    tcase_add_test(tests, any_bits_are_no_block);
    tcase_add_test(tests, foreign_addresses);
    tcase_add_test(tests, addresses_in_pools);
    tcase_add_test(tests, addresses_before_the_first_block);
    tcase_add_test(tests, addresses_in_large_blocks);
    tcase_add_test(tests, addresses_in_spare_blocks);
    tcase_add_test(tests, addresses_in_dedicated_blocks);
    tcase_add_test(tests, addresses_behind_a_dedicated_block);
    tcase_add_test(tests, blocks_of_others_are_passed_on);
    tcase_add_test(tests, blocks_of_others_lie_before_remapped_ones);
    tcase_add_test(tests, nobody_is_asked_about_what_is_inside_ours);
}

int main(void)
{
    return unit_run("misuse", add);
}
