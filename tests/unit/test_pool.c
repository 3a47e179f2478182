/*
 * test_pool.c - pools of every class: which addresses are blocks, which links say
 * that a block is live, and what moves between the lists.
 */
#include "pools.h"

#include "arena/arena.h"
#include "arena/ownermap.h"

enum { AROUND = 65536, RANDOMS = 50000 };

UNIT_HEAP(owner);

/* The regular pools of all classes, then the small ones. */
enum { KINDS = 2 * PM_CLASS_COUNT, LEAD = 48 };

static unsigned class_of(unsigned kind)
{
    return kind % PM_CLASS_COUNT;
}

static bool is_led(unsigned kind)
{
    unsigned last = pm_class_of_object(PM_CACHE_LINE); /* 57 to 64 bytes, and before it 49 to 56 */
    return class_of(kind) == last || class_of(kind) == last - 1;
}

static struct pm_pool *create(unsigned kind)
{
    size_t room = kind < PM_CLASS_COUNT ? SIZE_MAX : 0;
    struct pm_pool *pool = pm_pool_create(class_of(kind), room, &owner);
    ck_assert_ptr_nonnull(pool);
    ck_assert_uint_eq(pool->shape.lead, is_led(kind) ? LEAD : 0);
    return pool;
}

static uintptr_t first_address(const struct pm_pool *pool)
{
    return pool->span.start + pool->shape.lead;
}

START_TEST(a_pool_has_the_blocks_that_its_span_holds)
{
    struct pm_pool *pool = create((unsigned)_i);
    size_t bytes = pm_span_bytes(&pool->span), room = (bytes - pool->shape.lead) / pool->size;
    ck_assert_uint_eq(bytes % pm_os_page_size(), 0);
    ck_assert_uint_eq(pool->size, pm_class_size(class_of((unsigned)_i)));
    ck_assert_uint_eq(pool->limit, unit_nth(pool, pm_pool_blocks(pool)));
    ck_assert_uint_ge(pm_pool_blocks(pool), _i < PM_CLASS_COUNT ? 8 : 2);
    ck_assert_uint_le(pm_pool_blocks(pool), room);
    /* Some are given up if no distance is too large then. */
    ck_assert_uint_le(room - pm_pool_blocks(pool), pm_pool_is_near(pool) ? room / 8 : 0);
    ck_assert_uint_le(pool->limit, PM_POOL_LIMIT_MAX);
    ck_assert_ptr_eq(pm_pool_address(pool, pool->shape.first), (void *)first_address(pool));
}
END_TEST

START_TEST(only_the_starts_of_blocks_have_numbers)
{
    struct pm_pool *pool = create((unsigned)_i);
    uintptr_t start = first_address(pool), end = pool->span.start + pm_span_bytes(&pool->span);
    uint64_t blocks = pm_pool_blocks(pool), state = unit_seed();
    for (uintptr_t at = start - AROUND; at < end + AROUND; at++) {
        uint64_t number = pm_pool_block_at(pool, (void *)at), offset = at - start;
        if (at >= start && offset % pool->size == 0 && offset / pool->size < blocks) {
            UNIT_EQUAL(number, unit_nth(pool, (uint32_t)(offset / pool->size)));
            UNIT_EQUAL((uintptr_t)pm_pool_address(pool, (uint32_t)number), at);
        } else if (number != pool->limit) {
            ck_abort_msg("%#lx in a pool at %#lx has number %lu", (unsigned long)at,
                         (unsigned long)start, (unsigned long)number);
        }
    }
    for (int i = 0; i < RANDOMS; i++) {
        uintptr_t at = unit_random(&state);
        if (at - pool->span.start >= pm_span_bytes(&pool->span))
            UNIT_EQUAL(pm_pool_block_at(pool, (void *)at), pool->limit);
    }
}
END_TEST

/* No number on a list, no end of one and no link of a fresh block looks like a live block. */
START_TEST(the_link_of_a_live_block_is_like_no_other)
{
    struct pm_pool *pool = create((unsigned)_i);
    ck_assert_uint_gt(pool->shape.first, PM_LINK_NONE);
    ck_assert_uint_eq(pm_pool_count_live(pool), 0);
    for (uint32_t block = pool->shape.first; block < pool->limit; block++) {
        uint16_t link = pm_link_live(pool, block);
        ck_assert_uint_ne(link, PM_LINK_NONE);
        ck_assert(link >= pool->limit || (link == 0 && !pm_pool_is_near(pool)));
        ck_assert_uint_eq(pm_link_get(pool, block), pm_pool_is_near(pool) ? 0 : PM_LINK_NONE);
        ck_assert(!pm_link_is_live(pool, block));
    }
    for (char *block; (block = unit_take(pool)) != NULL;)
        ck_assert(pm_link_is_live(pool, pm_pool_block_at(pool, block)));
    ck_assert_uint_eq(pm_pool_count_live(pool), pm_pool_blocks(pool));
}
END_TEST

START_TEST(the_distances_of_a_near_pool_fit_a_link)
{
    struct pm_pool *pool = create((unsigned)_i);
    size_t largest = (pool->limit - 1) * pool->size;
    ck_assert_uint_eq(pool->block0 + largest, (uintptr_t)pm_pool_address(pool, unit_nth(pool, 0)) +
                                                  (pm_pool_blocks(pool) - 1) * (size_t)pool->size);
    if (pm_pool_is_near(pool)) {
        ck_assert_uint_le(largest, UINT16_MAX);
        for (uint32_t block = 0; block < pool->limit; block++)
            ck_assert_uint_eq((uint16_t)(block * pool->size), block * pool->size);
    }
    ck_assert(pm_pool_is_near(pool) || pool->size > PM_DIRECT_MAX);
}
END_TEST

/* What pm_free() asks before it frees without a look at anything else. */
static bool is_fast(const struct pm_pool *pool, uintptr_t address)
{
    uint64_t distance = address - pool->block0;
    uint64_t block = pm_multiply_high(distance, pool->reciprocal);
    return block < pool->limit && pm_link_get(pool, block) == (uint16_t)distance;
}

static bool live[PM_POOL_LIMIT_MAX]; /* by number */

static void only_live_blocks_are_fast(const struct pm_pool *pool)
{
    uintptr_t start = first_address(pool), end = pool->span.start + pm_span_bytes(&pool->span);
    uintptr_t next = start; /* where the next block starts, up to the last */
    uint32_t number = pool->shape.first;
    for (uintptr_t at = start - AROUND; at < end + AROUND; at++) {
        bool starts = at == next && number < pool->limit;
        if (is_fast(pool, at) != (starts && live[number]))
            ck_abort_msg("%#lx in a pool at %#lx: block %u", (unsigned long)at,
                         (unsigned long)start, number);
        if (starts) {
            next += pool->size;
            number++;
        }
    }
}

static void take_some(struct pm_pool *pool, uint32_t blocks)
{
    char *block;
    for (uint32_t i = 0; i < blocks && (block = unit_take(pool)) != NULL; i++)
        live[pm_pool_block_at(pool, block)] = true;
}

/* In any order, so that the list has links of all kinds. */
static void free_some(struct pm_pool *pool, uint64_t *state)
{
    for (uint32_t i = 0; i < pm_pool_blocks(pool); i++) {
        uint32_t block = unit_nth(pool, (uint32_t)(unit_random(state) % pm_pool_blocks(pool)));
        if (live[block])
            pm_pool_push(pool, block);
        live[block] = false;
    }
}

START_TEST(fast_frees_are_those_of_live_blocks)
{
    struct pm_pool *pool = create((unsigned)_i);
    uint64_t state = unit_seed();
    if (!pm_pool_is_near(pool))
        return; /* no table names it */
    only_live_blocks_are_fast(pool);
    take_some(pool, pm_pool_blocks(pool) / 2); /* some remain to be carved */
    only_live_blocks_are_fast(pool);
    free_some(pool, &state);
    only_live_blocks_are_fast(pool);
    take_some(pool, pm_pool_blocks(pool));
    only_live_blocks_are_fast(pool);
    free_some(pool, &state);
    only_live_blocks_are_fast(pool);
}
END_TEST

START_TEST(a_pool_serves_each_block_once)
{
    create(0); /* so that the next does not begin where an arena does */
    struct pm_pool *pool = create((unsigned)_i);
    size_t blocks = pm_pool_blocks(pool);
    size_t natural = (size_t)1 << __builtin_ctz(pool->size);
    for (size_t i = 0; i < blocks; i++) {
        ck_assert_uint_eq(pm_pool_used(pool), i);
        char *block = unit_take(pool);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % natural, pool->shape.lead);
        ck_assert(block >= (char *)pool->span.start);
        ck_assert(block + pool->size <= (char *)pool->span.start + pm_span_bytes(&pool->span));
        ck_assert_uint_eq(*(unsigned *)block, 0); /* nobody else's */
        *(unsigned *)block = 1;
    }
    ck_assert_ptr_null(unit_take(pool));
    pm_pool_check(pool);
    pm_pool_unset_current(pool);
    ck_assert_uint_eq(pool->used, blocks);
    pm_pool_check(pool);
    for (uint64_t block = pool->shape.first; block < pool->limit; block++)
        ck_assert_int_eq(pm_pool_push(pool, block), block + 1 == pool->limit);
    pm_pool_check(pool);
    ck_assert_uint_eq(pm_pool_used(pool), 0);
    uintptr_t start = pool->span.start;
    pm_pool_destroy(pool);
    ck_assert_ptr_null(pm_ownermap_get((void *)start));
}
END_TEST

/* Whichever it is: the others are free, withheld in part, or were never carved. */
START_TEST(one_live_block_is_found)
{
    struct pm_pool *pool = create((unsigned)_i);
    uint64_t state = unit_seed();
    ck_assert(!pm_pool_has_live(pool));
    uint32_t taken = (uint32_t)(unit_random(&state) % pm_pool_blocks(pool)) + 1;
    for (uint32_t i = 0; i < taken; i++)
        unit_take(pool);
    uint32_t kept = unit_nth(pool, (uint32_t)(unit_random(&state) % taken));
    for (uint32_t block = pool->shape.first; block < unit_nth(pool, taken); block++) {
        if (block != kept)
            unit_push(pool, block);
    }
    unit_purge(pool);
    ck_assert(pm_pool_has_live(pool));
    unit_push(pool, kept);
    ck_assert(!pm_pool_has_live(pool));
    pm_pool_check(pool);
}
END_TEST

START_TEST(the_last_freed_is_the_next)
{
    struct pm_pool *pool = create(3);
    char *blocks[40];
    for (size_t i = 0; i < 40; i++)
        blocks[i] = unit_take(pool);
    pm_pool_push(pool, pm_pool_block_at(pool, blocks[7]));
    pm_pool_push(pool, pm_pool_block_at(pool, blocks[30]));
    ck_assert_ptr_eq(unit_take(pool), blocks[30]);
    ck_assert_ptr_eq(unit_take(pool), blocks[7]);
    pm_pool_check(pool);
}
END_TEST

/* A current pool's blocks are counted when somebody asks, another's as they come back. */
START_TEST(used_is_right_in_every_state)
{
    struct pm_pool *pool = create(3);
    for (size_t i = 0; i < 40; i++)
        unit_take(pool);
    pm_pool_push(pool, unit_nth(pool, 11));
    ck_assert_uint_eq(pm_pool_used(pool), 39);
    pm_pool_unset_current(pool);
    ck_assert_int_eq(pool->state, PM_POOL_PARTIAL);
    ck_assert_uint_eq(pool->used, 39);
    pm_pool_push(pool, unit_nth(pool, 12));
    ck_assert_uint_eq(pm_pool_used(pool), 38);
    pm_pool_set_current(pool);
    ck_assert_uint_eq(pm_pool_used(pool), 38);
    while (unit_take(pool) != NULL)
        continue;
    pm_pool_set_full(pool);
    ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool));
    pm_pool_check(pool);
    uint32_t enough = pm_pool_full_frees(pool), freed = 0;
    while (!pm_pool_push(pool, unit_nth(pool, freed))) {
        ck_assert_uint_eq(pm_pool_used(pool), pm_pool_blocks(pool) - ++freed);
        pm_pool_check(pool);
    }
    ck_assert_uint_eq(++freed, enough);
    pm_pool_unset_full(pool);
    ck_assert_uint_eq(pool->used, pm_pool_blocks(pool) - enough);
    pm_pool_check(pool);
}
END_TEST

START_TEST(collect_takes_in_remote_frees)
{
    struct pm_pool *pool = create(3);
    for (size_t i = 0; i < 40; i++)
        unit_take(pool);
    ck_assert(!pm_pool_collect(pool));
    if (_i == 0) /* a current pool's `used` counts nothing */
        pm_pool_unset_current(pool);
    unit_free_remotely(pool, unit_nth(pool, 4));
    unit_free_remotely(pool, unit_nth(pool, 8));
    unit_free_remotely(pool, unit_nth(pool, 1));
    pm_pool_check(pool);
    ck_assert_uint_eq(pm_pool_used(pool), 40);
    ck_assert(pm_pool_collect(pool));
    ck_assert_uint_eq(pm_pool_used(pool), 37);
    ck_assert_uint_eq(atomic_load(&pool->remote), PM_REMOTE_OWNED | PM_REMOTE_EMPTY);
    pm_pool_check(pool);
    pm_pool_set_current(pool);
    ck_assert_ptr_eq(unit_take(pool), pm_pool_address(pool, unit_nth(pool, 1)));
    ck_assert_ptr_eq(unit_take(pool), pm_pool_address(pool, unit_nth(pool, 8)));
    ck_assert_ptr_eq(unit_take(pool), pm_pool_address(pool, unit_nth(pool, 4)));
}
END_TEST

START_TEST(rebuild_believes_the_links)
{
    struct pm_pool *pool = create(5);
    for (size_t i = 0; i < 60; i++)
        unit_take(pool);
    for (uint32_t i = 10; i < 20; i++)
        pm_pool_push(pool, unit_nth(pool, i));
    unit_free_remotely(pool, unit_nth(pool, 30));
    unit_free_remotely(pool, unit_nth(pool, 31));
    pool->free =
        unit_nth(pool, 17); /* as if the owner had been stopped in the middle of anything */
    pool->used = 12345;
    pm_pool_rebuild(pool);
    pm_pool_check(pool);
    ck_assert_uint_eq(pool->used, 48);
    ck_assert_uint_eq(unit_remote_count(pool), 0);
    uint32_t carved = pool->carved - unit_nth(pool, 0);
    pm_pool_set_current(pool);
    for (size_t i = 0; i < carved - 48; i++) {
        uint64_t number = pm_pool_block_at(pool, pm_pool_pop(pool)) - unit_nth(pool, 0);
        ck_assert((number >= 10 && number < 20) || number == 30 || number == 31 || number >= 60);
    }
    ck_assert_uint_eq(pool->free, PM_LINK_NONE);
}
END_TEST

/* Of a pool that was all live: a page is withheld, some blocks are listed, others remote. */
static struct pm_pool *scattered_pool(void)
{
    struct pm_pool *pool = create(3);
    take_some(pool, pm_pool_blocks(pool));
    uint32_t on_a_page = (uint32_t)(pm_os_page_size() / pool->size);
    for (uint32_t block = (uint32_t)pool->limit - on_a_page; block < pool->limit; block++) {
        pm_pool_push(pool, block);
        live[block] = false;
    }
    ck_assert_uint_ne(unit_purge(pool), 0);
    ck_assert_uint_ne(pool->withheld, 0);
    for (uint32_t i = 0; i < 5; i++) {
        pm_pool_push(pool, unit_nth(pool, i));
        unit_free_remotely(pool, unit_nth(pool, 10 + i));
        live[unit_nth(pool, i)] = live[unit_nth(pool, 10 + i)] = false;
    }
    return pool;
}

/* Blocks are in the hands of a thread that is gone, linked as in a batch of its or not at all. */
static void lose(struct pm_pool *pool, uint32_t first, uint32_t count)
{
    uint16_t next = PM_LINK_NONE;
    for (uint32_t block = first; block < first + count; block++) {
        ck_assert_uint_eq(pm_link_exchange(pool, block, next), pm_link_live(pool, block));
        live[block] = false;
        next = (uint16_t)block;
    }
}

/* Each free block is served, once, and no other. */
static void serves_what_is_free(struct pm_pool *pool)
{
    pm_pool_set_current(pool);
    pm_pool_collect(pool);
    for (char *block; (block = unit_take(pool)) != NULL;) {
        uint64_t number = pm_pool_block_at(pool, block);
        ck_assert(!live[number]);
        live[number] = true;
    }
    for (uint32_t block = unit_nth(pool, 0); block < pool->limit; block++)
        ck_assert(live[block]);
}

START_TEST(what_is_recovered_comes_back_once)
{
    struct pm_pool *pool = scattered_pool();
    lose(pool, unit_nth(pool, 20), 7);
    lose(pool, unit_nth(pool, 40), 1);
    lose(pool, unit_nth(pool, 100), 3);
    pm_pool_unset_current(pool);
    uint32_t free = pool->free, used = pool->used, withheld = pool->withheld;
    ck_assert(pm_pool_recover(pool));
    pm_pool_check(pool);
    ck_assert_uint_eq(unit_remote_count(pool), 5 + 7 + 1 + 3);
    ck_assert((atomic_load(&pool->remote) & PM_REMOTE_OWNED) != 0);
    ck_assert_uint_eq(pool->free, free); /* blocks that have their place stay there */
    ck_assert_uint_eq(pool->used, used);
    ck_assert_uint_eq(pool->withheld, withheld);
    ck_assert_uint_eq(used - unit_remote_count(pool), pm_pool_count_live(pool));
    ck_assert(!pm_pool_recover(pool));
    ck_assert_uint_eq(unit_remote_count(pool), 5 + 7 + 1 + 3);
    serves_what_is_free(pool);
}
END_TEST

START_TEST(nothing_is_recovered_where_nothing_is_lost)
{
    struct pm_pool *pool = scattered_pool();
    uint64_t remote = atomic_load(&pool->remote);
    ck_assert(!pm_pool_recover(pool));
    ck_assert_uint_eq(atomic_load(&pool->remote), remote);
    pm_pool_check(pool);
    serves_what_is_free(pool);
}
END_TEST

START_TEST(recovery_knows_what_is_live)
{
    struct pm_pool *pool = create((unsigned)_i);
    ck_assert(!pm_pool_recover(pool));
    take_some(pool, 4);
    ck_assert(!pm_pool_recover(pool));
    lose(pool, unit_nth(pool, 1), 2);
    ck_assert(pm_pool_recover(pool));
    pm_pool_check(pool);
    ck_assert_uint_eq(unit_remote_count(pool), 2);
    serves_what_is_free(pool);
}
END_TEST

START_TEST(no_memory_no_pool)
{
    unit_os_install();
    for (long n = 1; n <= 3; n++) {
        unit_os_fail(UNIT_BIT(UNIT_MAP), n, true);
        for (unsigned class = 0; class < PM_CLASS_COUNT; class ++) {
            struct pm_pool *pool = pm_pool_create(class, UNIT_ROOMY, &owner);
            if (pool != NULL)
                pm_pool_destroy(pool);
        }
        if (n == 1)
            ck_assert_ptr_null(pm_pool_create(0, UNIT_ROOMY, &owner));
    }
    unit_os_heal();
    ck_assert_uint_eq(pm_arena_totals().taken, 0);
    create(0);
}
END_TEST

START_TEST(the_pool_that_is_none_has_no_block)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < RANDOMS; i++)
        UNIT_EQUAL(pm_pool_block_at(&pm_pool_none, (void *)unit_random(&state)),
                   pm_pool_none.limit);
    ck_assert_uint_eq(pm_pool_none.limit, 0);
    ck_assert_uint_eq(pm_pool_none.free, PM_LINK_NONE);
}
END_TEST

/* Of large blocks there is room for more. */
START_TEST(a_pool_is_longer_where_there_is_room)
{
    enum { SLICES = 3 };
    const size_t long_room = 8 * SLICES * PM_SLICE;
    static const unsigned small[] = {16, 48, 200, 1024};
    for (size_t i = 0; i < UNIT_COUNT_OF(small); i++) {
        unsigned class = pm_class_of(small[i]);
        size_t slices = pm_pool_create(class, 0, &owner)->span.slices;
        ck_assert_uint_lt(slices, SLICES);
        ck_assert_uint_eq(pm_pool_create(class, long_room - 1, &owner)->span.slices, slices);
        struct pm_pool *pool = pm_pool_create(class, long_room, &owner);
        ck_assert_uint_ge(pool->span.slices, SLICES); /* with large pages it may be more */
        ck_assert(pm_pool_is_near(pool));
        if (pool->span.slices == SLICES)
            ck_assert_uint_eq(pm_pool_blocks(pool), SLICES * PM_SLICE / pool->size);
    }
    ck_assert_uint_lt(pm_pool_create(pm_class_of(8192), 0, &owner)->span.slices,
                      pm_pool_create(pm_class_of(8192), long_room, &owner)->span.slices);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, a_pool_has_the_blocks_that_its_span_holds, 0, KINDS);
    tcase_add_loop_test(tests, only_the_starts_of_blocks_have_numbers, 0, KINDS);
    tcase_add_loop_test(tests, the_link_of_a_live_block_is_like_no_other, 0, KINDS);
    tcase_add_loop_test(tests, the_distances_of_a_near_pool_fit_a_link, 0, KINDS);
    tcase_add_loop_test(tests, fast_frees_are_those_of_live_blocks, 0, KINDS);
    tcase_add_loop_test(tests, a_pool_serves_each_block_once, 0, KINDS);
    tcase_add_loop_test(tests, one_live_block_is_found, 0, KINDS);
    tcase_add_test(tests, the_last_freed_is_the_next);
    tcase_add_test(tests, used_is_right_in_every_state);
    tcase_add_loop_test(tests, collect_takes_in_remote_frees, 0, 2);
    tcase_add_test(tests, rebuild_believes_the_links);
    tcase_add_test(tests, what_is_recovered_comes_back_once);
    tcase_add_test(tests, nothing_is_recovered_where_nothing_is_lost);
    tcase_add_loop_test(tests, recovery_knows_what_is_live, 0, PM_CLASS_COUNT);
    tcase_add_test(tests, no_memory_no_pool);
    tcase_add_test(tests, the_pool_that_is_none_has_no_block);
    tcase_add_test(tests, a_pool_is_longer_where_there_is_room);
}

int main(void)
{
    return unit_run("pool", add);
}
