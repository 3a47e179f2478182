/*
 * test_own.c - libpymem's own questions: pymem_owns, pymem_usable_size,
 * pymem_trim, pymem_version, and the figures of <pymem/stats.h>.
 */
#include "api_test.h"

#include <malloc.h>
#include <pthread.h>
#include <pymem/pymem.h>
#include <pymem/stats.h>
#include <sys/mman.h>

static const size_t sizes[] = {0,       1,       16,       17,       100,      512,
                               1000,    4096,    9000,     33000,    70 * KIB, 300 * KIB,
                               1 * MIB, 5 * MIB, 40 * MIB, 300 * MIB};

START_TEST(owns_live_blocks_of_every_tier)
{
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        void *blocks[] = {malloc(sizes[s]),          calloc(1, sizes[s]),
                          PyMem_Malloc(sizes[s]),    PyObject_Malloc(sizes[s]),
                          PyMem_RawMalloc(sizes[s]), memalign(4096, sizes[s]),
                          memalign(MIB, sizes[s]),   valloc(sizes[s])};
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            ck_assert_ptr_nonnull(blocks[i]);
            ck_assert(pymem_owns(blocks[i]));
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            free(blocks[i]);
            ck_assert(!pymem_owns(opaque_pointer(blocks[i])));
        }
    }
}
END_TEST

START_TEST(does_not_own_interior_addresses)
{
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        char *block = malloc(sizes[s]);
        ck_assert_ptr_nonnull(block);
        size_t usable = pymem_usable_size(block);
        size_t step = usable <= 70000 ? 1 : usable / 20000;
        for (size_t at = 1; at < usable; at += step)
            ck_assert(!pymem_owns(block + at));
        for (size_t at = 4096; at < usable; at *= 2)
            ck_assert(!pymem_owns(block + at));
        ck_assert(!pymem_owns(block + usable - 1));
        ck_assert(pymem_owns(block));
        free(block);
    }
}
END_TEST

static int in_data = 1;
static char in_bss[100000];
static const int in_rodata = 2;

START_TEST(does_not_own_foreign_memory)
{
    int on_stack = 3;
    char *mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(mapped != MAP_FAILED);
    ck_assert(!pymem_owns(NULL));
    ck_assert(!pymem_owns(&on_stack));
    ck_assert(!pymem_owns(&in_data));
    ck_assert(!pymem_owns(&in_rodata));
    ck_assert(!pymem_owns(in_bss));
    ck_assert(!pymem_owns(in_bss + 65536));
    ck_assert(!pymem_owns("a literal"));
    ck_assert(!pymem_owns((void *)(uintptr_t)&malloc));
    for (size_t at = 0; at < MIB; at += 16)
        ck_assert(!pymem_owns(mapped + at));
    munmap(mapped, MIB);
    ck_assert(!pymem_owns(opaque_pointer(mapped)));
}
END_TEST

START_TEST(does_not_own_random_addresses)
{
    void *small = malloc(100), *large = malloc(3 * MIB);
    uint64_t random = random_seed();
    for (uint64_t i = 0; i < 4096; i++) {
        ck_assert(!pymem_owns((void *)(uintptr_t)i));
        ck_assert(!pymem_owns((void *)(uintptr_t)-i));
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        uintptr_t power = (uintptr_t)1 << bit;
        ck_assert(!pymem_owns((void *)power));
        ck_assert(!pymem_owns((void *)(power - 1)));
        ck_assert(!pymem_owns((void *)~power));
        /* The right block with one wrong bit: non-canonical ones among them. */
        if (bit < 4 || bit > 46) {
            ck_assert(!pymem_owns((void *)((uintptr_t)small ^ power)));
            ck_assert(!pymem_owns((void *)((uintptr_t)large ^ power)));
        }
    }
    for (int i = 0; i < 2000000; i++) {
        uint64_t address = random_next(&random);
        ck_assert(!pymem_owns((void *)(uintptr_t)address));
        /* Canonical user addresses, of 47 bits. */
        ck_assert(!pymem_owns((void *)(uintptr_t)((address >> 17) | 1)));
        /* Near the heap, and never a block's start. */
        uintptr_t near = (uintptr_t)small + (uintptr_t)((int64_t)address >> 36);
        ck_assert(!pymem_owns((void *)(near | 1)));
    }
    free(small);
    free(large);
}
END_TEST

static void *allocate_in_thread(void *blocks)
{
    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        ((void **)blocks)[s] = malloc(sizes[s]);
    return NULL;
}

static void *free_in_thread(void *blocks)
{
    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        free(((void **)blocks)[s]);
    return NULL;
}

static void in_a_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, function, argument), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(owns_across_threads)
{
    void *blocks[COUNT_OF(sizes)];
    in_a_thread(allocate_in_thread, blocks);
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        ck_assert_ptr_nonnull(blocks[s]);
        ck_assert(pymem_owns(blocks[s]));
        ck_assert(!pymem_owns((char *)blocks[s] + 1));
        free(blocks[s]);
        ck_assert(!pymem_owns(opaque_pointer(blocks[s])));
    }
    /* Freed by another thread: free at once, collected or not. */
    allocate_in_thread(blocks);
    in_a_thread(free_in_thread, blocks);
    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        ck_assert(!pymem_owns(opaque_pointer(blocks[s])));
}
END_TEST

START_TEST(owns_follows_realloc)
{
    for (size_t s = 0; s + 1 < COUNT_OF(sizes); s++) {
        void *old = malloc(sizes[s]);
        void *volatile was = old;
        void *block = realloc(old, sizes[s + 1] + 1);
        ck_assert(block != NULL && pymem_owns(block));
        if (block != was)
            ck_assert(!pymem_owns(was));
        free(block);
    }
}
END_TEST

START_TEST(usable_size_agrees_with_malloc)
{
    ck_assert_uint_eq(pymem_usable_size(NULL), 0);
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        void *block = malloc(sizes[s]);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_ge(pymem_usable_size(block), sizes[s]);
        ck_assert_uint_eq(pymem_usable_size(block), malloc_usable_size(block));
        free(block);
    }
}
END_TEST

enum { MANY = 64 * 1024, MANY_SIZE = 1024 };

static char *many[MANY];

static void fill_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        many[i] = PyObject_Malloc(MANY_SIZE);
        ck_assert_ptr_nonnull(many[i]);
        memset(many[i], 1, MANY_SIZE);
    }
}

static void free_many(void)
{
    for (size_t i = 0; i < MANY; i++)
        PyObject_Free(many[i]);
}

static struct pymem_stats stats_now(void)
{
    struct pymem_stats stats;
    memset(&stats, 0xee, sizeof stats);
    stats.struct_size = sizeof stats;
    ck_assert_int_eq(pymem_stats_get(&stats), 0);
    ck_assert_uint_eq(stats.struct_size, sizeof stats);
    ck_assert_uint_eq(stats.version, PYMEM_STATS_VERSION);
    ck_assert_uint_eq(stats.reserved, 0);
    ck_assert_uint_le(stats.allocated, stats.active);
    ck_assert_uint_le(stats.active, stats.mapped);
    ck_assert_uint_le(stats.large, stats.allocated);
    ck_assert_uint_le(stats.large_blocks, stats.live_blocks);
    ck_assert_uint_ge(stats.peak_active, stats.active);
    return stats;
}

START_TEST(trim_gives_memory_back)
{
    pymem_trim();
    size_t before = resident_bytes();
    uint64_t purged = stats_now().purged;
    fill_many();
    ck_assert_uint_ge(resident_bytes(), before + 60 * MIB);
    free_many();
    pymem_trim();
    ck_assert_uint_le(resident_bytes(), before + 8 * MIB);
    ck_assert_uint_ge(stats_now().purged, purged + 48 * MIB);
    ck_assert_uint_le(stats_now().dirty, 8 * MIB);
    /* What has just been given back is not there to be given again. */
    ck_assert_uint_le(pymem_trim(), 1 * MIB);
}
END_TEST

START_TEST(version_is_the_headers)
{
    int major, minor, patch, length = 0;
    ck_assert_str_eq(pymem_version(), PYMEM_VERSION);
    ck_assert_int_eq(sscanf(pymem_version(), "%d.%d.%d%n", &major, &minor, &patch, &length), 3);
    ck_assert_int_eq((int)strlen(pymem_version()), length);
}
END_TEST

START_TEST(stats_follow_small_blocks)
{
    struct pymem_stats before = stats_now();
    fill_many();
    struct pymem_stats full = stats_now();
    ck_assert_uint_ge(full.allocated, before.allocated + (uint64_t)MANY * MANY_SIZE);
    ck_assert_uint_le(full.allocated, before.allocated + (uint64_t)MANY * MANY_SIZE * 8 / 7 + MIB);
    ck_assert_uint_ge(full.live_blocks, before.live_blocks + MANY);
    ck_assert_uint_le(full.live_blocks, before.live_blocks + MANY + 100);
    ck_assert_uint_eq(full.large_blocks, before.large_blocks);
    ck_assert_uint_gt(full.pools, before.pools);
    ck_assert(full.arenas >= 1 && full.heaps >= 1 && full.metadata > 0);
    free_many();
    struct pymem_stats after = stats_now();
    ck_assert_uint_le(after.allocated, before.allocated + 64 * KIB);
    ck_assert_uint_le(after.live_blocks, before.live_blocks + 100);
    ck_assert_uint_ge(after.peak_active, full.active);
}
END_TEST

START_TEST(stats_follow_large_blocks)
{
    struct pymem_stats before = stats_now();
    void *blocks[4];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        ck_assert_ptr_nonnull(blocks[i] = malloc(20 * MIB));
    struct pymem_stats full = stats_now();
    ck_assert_uint_ge(full.large, before.large + 80 * MIB);
    ck_assert_uint_le(full.large, before.large + 81 * MIB);
    ck_assert_uint_eq(full.large_blocks, before.large_blocks + 4);
    ck_assert_uint_ge(full.mapped, 80 * MIB);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        free(blocks[i]);
    struct pymem_stats after = stats_now();
    ck_assert_uint_eq(after.large_blocks, before.large_blocks);
    ck_assert_uint_eq(after.large, before.large);
}
END_TEST

START_TEST(stats_check_their_argument)
{
    errno = 0;
    ck_assert_int_eq(pymem_stats_get(NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    for (size_t size = 0; size < sizeof(struct pymem_stats); size += 4) {
        struct pymem_stats stats;
        memset(&stats, 0x5c, sizeof stats);
        stats.struct_size = size;
        errno = 0;
        ck_assert_int_eq(pymem_stats_get(&stats), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_uint_eq(stats.version, 0x5c5c5c5c);
    }
    /* A program built against a later version, with a longer struct. */
    struct {
        struct pymem_stats known;
        uint64_t later[8];
    } longer = {.known = {.struct_size = sizeof longer}};
    ck_assert_int_eq(pymem_stats_get(&longer.known), 0);
    ck_assert_uint_eq(longer.known.version, PYMEM_STATS_VERSION);
    ck_assert_uint_gt(longer.known.mapped, 0);
}
END_TEST

START_TEST(stats_print_writes_a_table)
{
    char text[16384];
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    uint64_t blocks = stats_now().live_blocks;
    pymem_stats_print(fileno(file));
    ck_assert_uint_eq(stats_now().live_blocks, blocks);
    rewind(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    ck_assert_uint_gt(length, 20);
    text[length] = '\0';
    ck_assert_ptr_nonnull(strpbrk(text, "123456789"));
    ck_assert_int_eq(text[length - 1], '\n');
    ck_assert_ptr_ne(strchr(text, '\n'), text + length - 1);
    pymem_stats_print(-1);
}
END_TEST

int main(void)
{
    const struct api_test tests[] = {
        {"owns_live_blocks_of_every_tier", owns_live_blocks_of_every_tier},
        {"does_not_own_interior_addresses", does_not_own_interior_addresses},
        {"does_not_own_foreign_memory", does_not_own_foreign_memory},
        {"does_not_own_random_addresses", does_not_own_random_addresses},
        {"owns_across_threads", owns_across_threads},
        {"owns_follows_realloc", owns_follows_realloc},
        {"usable_size_agrees_with_malloc", usable_size_agrees_with_malloc},
        {"trim_gives_memory_back", trim_gives_memory_back},
        {"version_is_the_headers", version_is_the_headers},
        {"stats_follow_small_blocks", stats_follow_small_blocks},
        {"stats_follow_large_blocks", stats_follow_large_blocks},
        {"stats_check_their_argument", stats_check_their_argument},
        {"stats_print_writes_a_table", stats_print_writes_a_table},
    };
    return RUN_TESTS("own", tests);
}
