/*
 * test_pages.c - pages of 4, 16 and 64 KiB: an operating system that has them
 * is put in the place of ours, and refuses what is not whole pages.
 */
#include "pools.h"

#include <sys/mman.h>

#include "arena/arena.h"
#include "arena/purge.h"
#include "heap/alloc.h"

static const size_t page_sizes[] = {4096, 16384, 65536};
static size_t page;
static atomic_ulong calls;

static void check_pages(const void *start, size_t size)
{
    UNIT_CHECK((uintptr_t)start % page == 0);
    UNIT_CHECK(size % page == 0 && size != 0);
    atomic_fetch_add(&calls, 1);
}

/* Pages of ours make pages of theirs: what lies before and after is unmapped. */
static void *map(size_t size)
{
    check_pages(NULL, size);
    char *start = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    size_t before = pm_align_up((uintptr_t)start, page) - (uintptr_t)start;
    if (before != 0)
        munmap(start, before);
    munmap(start + before + size, page - before);
    return start + before;
}

static bool unmap(void *start, size_t size)
{
    check_pages(start, size);
    return munmap(start, size) == 0;
}

static size_t purge(const struct pm_os_run *runs, size_t count)
{
    size_t gone = 0;
    for (; gone < count; gone++) {
        check_pages(runs[gone].start, runs[gone].size);
        if (madvise(runs[gone].start, runs[gone].size, MADV_DONTNEED) != 0)
            break;
    }
    return gone;
}

static void *resize(void *start, size_t old_size, size_t new_size)
{
    check_pages(start, old_size);
    void *moved = map(new_size);
    if (moved != NULL) {
        memcpy(moved, start, old_size < new_size ? old_size : new_size);
        munmap(start, old_size);
    }
    return moved;
}

static void *move(void *start, size_t size)
{
    check_pages(start, size);
    void *moved = map(size);
    if (moved != NULL) {
        memcpy(moved, start, size);
        madvise(start, size, MADV_DONTNEED);
    }
    return moved;
}

static bool move_back(void *start, void *from, size_t size)
{
    check_pages(start, size);
    check_pages(from, size);
    memcpy(start, from, size);
    return munmap(from, size) == 0;
}

static void setup(void)
{
    struct pm_os_memory real = pm_os_memory;
    pm_os_memory = (struct pm_os_memory){
        map,        unmap,     purge,      resize, move, move_back, real.advise_huge,
        real.touch, real.peak, real.faults};
}

/* The pages of a real system are not larger, or it could not be played. */
static bool set_page(int i)
{
    page = page_sizes[i];
    if (page < (size_t)sysconf(_SC_PAGESIZE))
        return false;
    pm_os_set_page_size(page);
    return true;
}

enum { SLOTS = 200 };

static struct {
    void *start;
    size_t size;
} slots[SLOTS];

static void random_step(uint64_t *state, unsigned i)
{
    size_t size = unit_random(state) % (unit_random(state) % 30 == 0 ? 2 * PM_MIB : 5000);
    ck_assert(unit_intact(slots[i].start, slots[i].size, i));
    if (unit_random(state) % 2 == 0) {
        pm_free(slots[i].start, "free");
        slots[i].start = pm_alloc_aligned(size, (size_t)16 << unit_random(state) % 13);
    } else {
        size_t common = slots[i].size < size ? slots[i].size : size;
        slots[i].start = pm_realloc(slots[i].start, size, "realloc");
        ck_assert(unit_holds(slots[i].start, slots[i].size, common, i));
    }
    ck_assert_ptr_nonnull(slots[i].start);
    slots[i].size = size;
    unit_fill(slots[i].start, size, i);
}

START_TEST(a_mixed_load_runs)
{
    uint64_t state = unit_seed();
    if (!set_page(_i))
        return;
    for (int round = 0; round < 20000; round++) {
        random_step(&state, (unsigned)(unit_random(&state) % SLOTS));
        if (round % 2000 == 0)
            pm_purge_all();
    }
    pm_heap_check(pm_tls_heap);
    for (size_t i = 0; i < SLOTS; i++)
        pm_free(slots[i].start, "free");
    unit_collect(pm_tls_heap);
    pm_purge_all();
    ck_assert_uint_eq(pm_arena_totals().mapped, 0);
    ck_assert_uint_gt(atomic_load(&calls), 10);
}
END_TEST

START_TEST(big_blocks_grow_and_shrink)
{
    static const size_t sizes[] = {
        PM_MIB + 1,          PM_DEDICATED_MIN - 1, PM_DEDICATED_MIN + 1, PM_DEDICATED_MIN + 70000,
        60 * PM_MIB + 12345, 2 * PM_MIB + 1,       PM_DEDICATED_MIN,     100000};
    if (!set_page(_i))
        return;
    char *block = pm_alloc(40000), *fence = pm_alloc(40000);
    unit_fill(block, 40000, 2);
    size_t size = 40000;
    for (size_t i = 0; i < UNIT_COUNT_OF(sizes); i++) {
        block = pm_realloc(block, sizes[i], "realloc");
        ck_assert(unit_holds(block, size, size < sizes[i] ? size : sizes[i], 2));
        size_t usable = pm_usable_size(block, "malloc_usable_size");
        ck_assert_uint_ge(usable, sizes[i]);
        block[usable - 1] = 1;
        size = sizes[i];
        unit_fill(block, size, 2);
    }
    void *aligned = pm_alloc_aligned(PM_DEDICATED_MIN + 1, PM_MIB);
    ck_assert_uint_eq((uintptr_t)aligned % PM_MIB, 0);
    pm_free(aligned, "free");
    ck_assert(unit_is_zero(pm_alloc_zeroed(PM_DEDICATED_MIN), PM_DEDICATED_MIN));
    pm_free(block, "free");
    pm_free(fence, "free");
}
END_TEST

static void *long_block(size_t size, unsigned i)
{
    char *block = size % 3 == 0 ? pm_alloc_zeroed(size) : pm_alloc(size);
    ck_assert_ptr_nonnull(block);
    unit_fill(block, 100, i);
    unit_fill(block + size - 100, 100, i);
    return block;
}

/* So long that they need not begin where a free run does. */
START_TEST(long_blocks_come_and_go)
{
    enum { BLOCKS = 12 };
    uint64_t state = unit_seed();
    if (!set_page(_i))
        return;
    for (int round = 0; round < 500; round++) {
        unsigned i = (unsigned)(unit_random(&state) % BLOCKS);
        if (slots[i].start != NULL) {
            ck_assert(unit_intact(slots[i].start, 100, i));
            ck_assert(unit_intact((char *)slots[i].start + slots[i].size - 100, 100, i));
            pm_free(slots[i].start, "free");
        }
        slots[i].size = PM_MIB / 4 + unit_random(&state) % (14 * PM_MIB);
        slots[i].start = long_block(slots[i].size, i);
        if (round % 20 == 0)
            pm_purge_all();
        pm_arena_check();
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, a_mixed_load_runs, 0, (int)UNIT_COUNT_OF(page_sizes));
    tcase_add_loop_test(tests, long_blocks_come_and_go, 0, (int)UNIT_COUNT_OF(page_sizes));
    tcase_add_loop_test(tests, big_blocks_grow_and_shrink, 0, (int)UNIT_COUNT_OF(page_sizes));
}

int main(void)
{
    return unit_run("pages", add);
}
