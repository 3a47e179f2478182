/*
 * test_pool_check.c - the checker passes pools that are whole and sees each kind of
 * damage; so does who takes in what other threads have freed.
 */
#include "pools.h"

#include "arena/ownermap.h"

UNIT_HEAP(owner);

/* In the middle of the owner's list of used_pool(). */
static void link_to(struct pm_pool *pool, uint32_t next)
{
    pm_link_set(pool, unit_nth(pool, 11), (uint16_t)next);
}

static void list_reaches_a_live_block(struct pm_pool *pool)
{
    link_to(pool, unit_nth(pool, 0));
}

static void list_reaches_an_uncarved_block(struct pm_pool *pool)
{
    link_to(pool, pool->carved);
}

static void list_reaches_a_number_of_no_block(struct pm_pool *pool)
{
    link_to(pool, 0);
}

static void list_is_a_circle(struct pm_pool *pool)
{
    link_to(pool, unit_nth(pool, 11));
}

static void list_is_cut_short(struct pm_pool *pool)
{
    link_to(pool, PM_LINK_NONE);
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
    pm_link_set(pool, unit_nth(pool, 2), (uint16_t)unit_nth(pool, 0));
}

static void carved_is_wrong(struct pm_pool *pool)
{
    pool->used += (uint32_t)pool->limit + 1 - pool->carved;
    pool->carved = (uint16_t)(pool->limit + 1);
}

static void used_misses_a_live_block(struct pm_pool *pool)
{
    pool->used--;
    pool->withheld++;
}

static void live_block_is_on_a_clean_page(struct pm_pool *pool)
{
    pool->span.clean |= pm_pool_pages(pool, unit_nth(pool, 0), unit_nth(pool, 1));
}

static void withheld_block_is_on_a_used_page(struct pm_pool *pool)
{
    pm_link_set(pool, unit_nth(pool, 0), PM_LINK_NONE);
    pool->used--;
    pool->withheld++;
}

static void map_has_forgotten_it(struct pm_pool *pool)
{
    pm_ownermap_set(pool->span.start, 1, NULL);
}

static void block_0_is_linked(struct pm_pool *pool)
{
    pm_link_set(pool, 0, 0);
}

static const struct damage {
    void (*inflict)(struct pm_pool *pool);
    const char *seen_as;
} damages[] = {
    {list_reaches_a_live_block, "a free list holds free blocks of its pool only"},
    {list_reaches_an_uncarved_block, "a free list holds free blocks of its pool only"},
    {list_reaches_a_number_of_no_block, "a free list holds free blocks of its pool only"},
    {list_is_a_circle, "a free list ends"},
    {list_is_cut_short, "carved == used + listed + withheld"},
    {used_is_wrong, "carved == used + listed + withheld"},
    {remote_count_is_wrong, "a remote list is as long as its count"},
    {remote_list_reaches_a_live_block, "a free list holds free blocks of its pool only"},
    {carved_is_wrong, "no more blocks than the pool has"},
    {used_misses_a_live_block, "blocks live and freed by others are used"},
    {live_block_is_on_a_clean_page, "no live block begins on a clean page"},
    {withheld_block_is_on_a_used_page, "the blocks that begin on clean pages are withheld"},
    {map_has_forgotten_it, "the owner map leads to the pool"},
    {block_0_is_linked, "block 0 does not exist"},
};

/* Blocks 10 to 14 are on the owner's list, 2 on the remote one; some were never carved. */
static struct pm_pool *used_pool(void)
{
    struct pm_pool *pool = pm_pool_create(20, UNIT_ROOMY, &owner);
    for (size_t i = 0; i < 20; i++)
        unit_take(pool);
    for (uint32_t i = 10; i < 15; i++)
        pm_pool_push(pool, unit_nth(pool, i));
    unit_free_remotely(pool, unit_nth(pool, 2));
    pm_pool_unset_current(pool);
    ck_assert_uint_lt(pool->carved, pool->limit);
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
    pm_link_set(pool, unit_nth(pool, 2), (uint16_t)unit_nth(pool, 10));
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

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, (int)UNIT_COUNT_OF(damages));
    tcase_add_test(tests, collect_sees_a_damaged_list);
    tcase_add_test_raise_signal(tests, damage_raises_abort, SIGABRT);
}

int main(void)
{
    return unit_run("pool_check", add);
}
