/*
 * test_pool.c - pools of every class: which addresses are blocks, what moves
 * between the lists, and that the checker sees each kind of damage.
 */
#include "unit.h"

#include "arena/arena.h"
#include "arena/ownermap.h"
#include "heap/heap.h"

enum { AROUND = 65536, RANDOMS = 50000 };

static struct pm_heap owner;

static struct pm_pool *create(unsigned class)
{
    struct pm_pool *pool = pm_pool_create(class, &owner);
    ck_assert_ptr_nonnull(pool);
    return pool;
}

static size_t blocks_in(const struct pm_pool *pool)
{
    return pm_span_bytes(&pool->span) / pool->size;
}

/* A block, carving where needed; NULL when the pool is full. */
static char *pop(struct pm_pool *pool)
{
    if (pool->free == PM_LINK_NONE && !pm_pool_carve(pool))
        return NULL;
    return pm_pool_pop(pool);
}

START_TEST(only_the_starts_of_blocks_have_numbers)
{
    struct pm_pool *pool = create((unsigned)_i);
    uintptr_t start = pool->span.start, end = start + pm_span_bytes(&pool->span);
    uint64_t blocks = blocks_in(pool), state = unit_seed();
    ck_assert_uint_eq(pool->limit, blocks + 1);
    ck_assert_uint_eq(pool->size, pm_class_size((unsigned)_i));
    for (uintptr_t at = start - AROUND; at < end + AROUND; at++) {
        uint64_t number = pm_pool_block_at(pool, (void *)at), offset = at - start;
        if (at >= start && offset % pool->size == 0 && offset / pool->size < blocks) {
            ck_assert_uint_eq(number, offset / pool->size + 1);
            ck_assert_ptr_eq(pm_pool_address(pool, (uint32_t)number), (void *)at);
        } else if (at == pool->block0) {
            ck_assert_uint_eq(number, 0); /* never live */
        } else if (number < pool->limit) {
            ck_abort_msg("%#lx in a pool at %#lx has number %lu", (unsigned long)at,
                         (unsigned long)start, (unsigned long)number);
        }
    }
    for (int i = 0; i < RANDOMS; i++) {
        uintptr_t at = unit_random(&state);
        if (at - pool->block0 > pm_span_bytes(&pool->span) + pool->size)
            ck_assert_uint_ge(pm_pool_block_at(pool, (void *)at), pool->limit);
    }
}
END_TEST

START_TEST(a_pool_serves_each_block_once)
{
    struct pm_pool *pool = create((unsigned)_i);
    size_t blocks = blocks_in(pool);
    size_t natural = (size_t)1 << __builtin_ctz(pool->size);
    ck_assert_uint_ge(blocks, 8);
    for (size_t i = 0; i < blocks; i++) {
        ck_assert_uint_eq(pm_pool_used(pool), i);
        char *block = pop(pool);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % natural, 0);
        ck_assert(block >= (char *)pool->span.start);
        ck_assert(block + pool->size <= (char *)pool->span.start + pm_span_bytes(&pool->span));
        ck_assert_uint_eq(*(unsigned *)block, 0); /* nobody else's */
        *(unsigned *)block = 1;
    }
    ck_assert_ptr_null(pop(pool));
    ck_assert_uint_eq(pool->used, blocks);
    pm_pool_check(pool);
    for (uint64_t block = 1; block <= blocks; block++)
        ck_assert_int_eq(pm_pool_push(pool, block), block == blocks);
    pm_pool_check(pool);
    ck_assert_uint_eq(pm_pool_used(pool), 0);
    uintptr_t start = pool->span.start;
    pm_pool_destroy(pool);
    ck_assert_ptr_null(pm_ownermap_get((void *)start));
}
END_TEST

START_TEST(the_last_freed_is_the_next)
{
    struct pm_pool *pool = create(3);
    char *blocks[40];
    for (size_t i = 0; i < 40; i++)
        blocks[i] = pop(pool);
    pm_pool_push(pool, pm_pool_block_at(pool, blocks[7]));
    pm_pool_push(pool, pm_pool_block_at(pool, blocks[30]));
    ck_assert_ptr_eq(pop(pool), blocks[30]);
    ck_assert_ptr_eq(pop(pool), blocks[7]);
    pm_pool_check(pool);
}
END_TEST

/* As remote.c does it. */
static void free_remotely(struct pm_pool *pool, uint16_t block)
{
    uint64_t word = atomic_load(&pool->remote);
    pm_link_set(pool, block, PM_REMOTE_HEAD(word));
    atomic_store(&pool->remote, ((word & ~(uint64_t)0xffff) | block) + PM_REMOTE_ONE);
}

START_TEST(collect_takes_in_remote_frees)
{
    struct pm_pool *pool = create(3);
    for (size_t i = 0; i < 40; i++)
        pop(pool);
    ck_assert(!pm_pool_collect(pool));
    free_remotely(pool, 5);
    free_remotely(pool, 9);
    free_remotely(pool, 2);
    pm_pool_check(pool);
    ck_assert_uint_eq(pool->used, 40);
    ck_assert(pm_pool_collect(pool));
    ck_assert_uint_eq(pool->used, 37);
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED);
    pm_pool_check(pool);
    ck_assert_ptr_eq(pop(pool), pm_pool_address(pool, 2));
    ck_assert_ptr_eq(pop(pool), pm_pool_address(pool, 9));
    ck_assert_ptr_eq(pop(pool), pm_pool_address(pool, 5));
}
END_TEST

START_TEST(rebuild_believes_the_links)
{
    struct pm_pool *pool = create(5);
    for (size_t i = 0; i < 60; i++)
        pop(pool);
    for (uint16_t block = 10; block < 20; block++)
        pm_pool_push(pool, block);
    free_remotely(pool, 30);
    free_remotely(pool, 31);
    pool->free = 17; /* as if the owner had been stopped in the middle of anything */
    pool->used = 12345;
    pm_pool_rebuild(pool);
    pm_pool_check(pool);
    ck_assert_uint_eq(pool->used, 48);
    ck_assert_uint_eq(PM_REMOTE_COUNT(atomic_load(&pool->remote)), 0);
    uint32_t carved = pool->carved;
    for (size_t i = 0; i < carved - 48; i++) {
        uint64_t number = pm_pool_block_at(pool, pm_pool_pop(pool));
        ck_assert((number >= 10 && number < 20) || number == 30 || number == 31 || number > 60);
    }
    ck_assert_uint_eq(pool->free, PM_LINK_NONE);
}
END_TEST

START_TEST(no_memory_no_pool)
{
    unit_os_install();
    for (long n = 1; n <= 3; n++) {
        unit_os_fail(UNIT_BIT(UNIT_MAP), n, true);
        for (unsigned class = 0; class < PM_CLASS_COUNT; class ++) {
            struct pm_pool *pool = pm_pool_create(class, &owner);
            if (pool != NULL)
                pm_pool_destroy(pool);
        }
        if (n == 1)
            ck_assert_ptr_null(pm_pool_create(0, &owner));
    }
    unit_os_heal();
    struct pm_arena_totals totals;
    pm_arena_totals(&totals);
    ck_assert_uint_eq(totals.taken, 0);
    create(0);
}
END_TEST

static void list_reaches_a_live_block(struct pm_pool *pool)
{
    pm_link_set(pool, 12, 1);
}

static void list_reaches_an_uncarved_block(struct pm_pool *pool)
{
    pm_link_set(pool, 12, (uint16_t)(pool->carved + 1));
}

static void list_is_a_circle(struct pm_pool *pool)
{
    pm_link_set(pool, 12, 12);
}

static void list_is_cut_short(struct pm_pool *pool)
{
    pm_link_set(pool, 12, PM_LINK_NONE);
}

static void used_is_wrong(struct pm_pool *pool)
{
    pool->used++;
}

static void remote_count_is_wrong(struct pm_pool *pool)
{
    atomic_fetch_add(&pool->remote, PM_REMOTE_ONE);
}

static void remote_list_reaches_a_live_block(struct pm_pool *pool)
{
    pm_link_set(pool, 3, 1);
}

static void carved_is_wrong(struct pm_pool *pool)
{
    pool->used += (uint32_t)pool->limit - pool->carved;
    pool->carved = (uint16_t)pool->limit;
}

static void map_has_forgotten_it(struct pm_pool *pool)
{
    pm_ownermap_set(pool->span.start, 1, NULL);
}

static void block_0_is_linked(struct pm_pool *pool)
{
    pm_link_set(pool, 0, PM_LINK_LIVE);
}

static const struct damage {
    void (*inflict)(struct pm_pool *pool);
    const char *seen_as;
} damages[] = {
    {list_reaches_a_live_block, "a free list holds free blocks of its pool only"},
    {list_reaches_an_uncarved_block, "a free list holds free blocks of its pool only"},
    {list_is_a_circle, "a free list ends"},
    {list_is_cut_short, "carved == used + listed + withheld"},
    {used_is_wrong, "carved == used + listed + withheld"},
    {remote_count_is_wrong, "a remote list is as long as its count"},
    {remote_list_reaches_a_live_block, "a free list holds free blocks of its pool only"},
    {carved_is_wrong, "no more blocks than the pool has"},
    {map_has_forgotten_it, "the owner map leads to the pool"},
    {block_0_is_linked, "block 0 does not exist"},
};

/* Blocks 10 to 14 are on the owner's list, 3 on the remote one. */
static struct pm_pool *used_pool(void)
{
    struct pm_pool *pool = create(40);
    for (size_t i = 0; i < 20; i++)
        pop(pool);
    for (uint16_t block = 10; block < 15; block++)
        pm_pool_push(pool, block);
    free_remotely(pool, 3);
    pm_pool_check(pool);
    return pool;
}

static void check(void *pool)
{
    pm_pool_check(pool);
}

static void collect(void *pool)
{
    pm_pool_collect(pool);
}

static void expect_broken(void (*act)(void *), struct pm_pool *pool, const char *seen_as)
{
    char line[200];
    snprintf(line, sizeof line, "pymem: broken heap: %p breaks: %s\n", (void *)pool, seen_as);
    unit_child_aborts(act, pool, line);
}

START_TEST(the_checker_sees_damage)
{
    struct pm_pool *pool = used_pool();
    damages[_i].inflict(pool);
    expect_broken(check, pool, damages[_i].seen_as);
}
END_TEST

START_TEST(collect_sees_a_damaged_list)
{
    struct pm_pool *pool = used_pool();
    pm_link_set(pool, 3, 4);
    expect_broken(collect, pool, "a remote list is as long as its count");
}
END_TEST

START_TEST(damage_raises_abort)
{
    struct pm_pool *pool = used_pool();
    used_is_wrong(pool);
    pm_pool_check(pool);
}
END_TEST

START_TEST(the_pool_that_is_none_has_no_block)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < RANDOMS; i++)
        ck_assert_uint_ge(pm_pool_block_at(&pm_pool_none, (void *)unit_random(&state)),
                          pm_pool_none.limit);
    ck_assert_uint_eq(pm_pool_none.limit, 0);
    ck_assert_uint_eq(pm_pool_none.free, PM_LINK_NONE);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, only_the_starts_of_blocks_have_numbers, 0, PM_CLASS_COUNT);
    tcase_add_loop_test(tests, a_pool_serves_each_block_once, 0, PM_CLASS_COUNT);
    tcase_add_test(tests, the_last_freed_is_the_next);
    tcase_add_test(tests, collect_takes_in_remote_frees);
    tcase_add_test(tests, rebuild_believes_the_links);
    tcase_add_test(tests, no_memory_no_pool);
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, (int)UNIT_COUNT_OF(damages));
    tcase_add_test(tests, collect_sees_a_damaged_list);
    tcase_add_test_raise_signal(tests, damage_raises_abort, SIGABRT);
    tcase_add_test(tests, the_pool_that_is_none_has_no_block);
}

int main(void)
{
    return unit_run("pool", add);
}
