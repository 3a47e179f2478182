/*
 * test_heap_check.c - the checker passes what is whole and sees each kind of damage.
 */
#include "pools.h"

#include "heap/alloc.h"

enum { CLASS = 20 };

UNIT_HEAP(heap);
UNIT_HEAP(other);

static void setup(void)
{
    pm_heap_clear(&heap);
    pm_heap_clear(&other);
}

static struct pm_pool *partial(void)
{
    return unit_partial_pool(&heap, CLASS);
}

static void owned_by_another(struct pm_pool *pool)
{
    pm_pool_set_owner(pool, &other);
}

static void in_the_wrong_state(struct pm_pool *pool)
{
    pool->state = PM_POOL_PARTIAL;
}

static void current_yet_listed(struct pm_pool *pool)
{
    pool->listed = true;
}

static void direct_is_stale(struct pm_pool *pool)
{
    (void)pool;
    heap.direct[1] = &pm_pool_none;
}

static void object_is_stale(struct pm_pool *pool)
{
    heap.direct[PM_DIRECT_OBJECTS + 2] = pool;
}

static void medium_is_stale(struct pm_pool *pool)
{
    heap.direct[PM_DIRECT_MEDIUM] = pool;
}

static void tlb_has_a_wrong_slot(struct pm_pool *pool)
{
    pm_tlb_enter(&heap, pool, (void *)(pool->span.start + pm_span_bytes(&pool->span)));
}

static void list_has_a_wrong_link(struct pm_pool *pool)
{
    partial();
    partial()->place.prev = &pool->place;
}

static void list_has_a_wrong_end(struct pm_pool *pool)
{
    partial();
    heap.bin[CLASS].partial.ends.prev = &pool->place;
}

static void partial_yet_unused(struct pm_pool *pool)
{
    (void)pool;
    partial()->used = 0;
}

static struct pm_pool *full_pool(struct pm_pool *pool)
{
    while (pm_list_first(&heap.bin[CLASS].full) == NULL) {
        if (pool->free == PM_LINK_NONE)
            pool = pm_heap_refill(&heap, CLASS);
        pm_pool_pop(pool);
    }
    return pm_list_first(&heap.bin[CLASS].full);
}

static void full_yet_uncounted(struct pm_pool *pool)
{
    struct pm_pool *full = full_pool(pool);
    full->used = pm_pool_full_frees(full) + 1;
}

static void full_yet_not_carved(struct pm_pool *pool)
{
    full_pool(pool)->carved--;
}

static void current_yet_uncounted(struct pm_pool *pool)
{
    pool->used = pool->used_current + 1;
}

static void pool_is_damaged(struct pm_pool *pool)
{
    (void)pool;
    partial()->used++;
}

static void tlb_has_anothers_pool(struct pm_pool *pool)
{
    pool = pm_pool_create(CLASS, UNIT_ROOMY, &other);
    pm_tlb_enter(&heap, pool, (void *)pool->span.start);
}

static void tlb_has_a_pool_that_is_not_near(struct pm_pool *pool)
{
    pool = pm_heap_refill(&heap, PM_CLASS_OBJECTS - 1);
    ck_assert(!pm_pool_is_near(pool));
    pm_tlb_enter(&heap, pool, (void *)pool->span.start);
}

static const struct damage {
    void (*inflict)(struct pm_pool *current);
    const char *seen_as;
} damages[] = {
    {owned_by_another, "a heap's pools are owned by it"},
    {in_the_wrong_state, "a pool is in the bin of its class and state"},
    {current_yet_listed, "a pool is in the bin of its class and state"},
    {object_is_stale, "direct[] names the current pool for objects"},
    {direct_is_stale, "direct[] names the current pool"},
    {medium_is_stale, "direct[] names the current pool of a class"},
    {tlb_has_a_wrong_slot, "the TLB names a pool in a slot of its slices"},
    {list_has_a_wrong_link, "a bin's list is linked both ways"},
    {partial_yet_unused, "an owned pool is in use"},
    {pool_is_damaged, "carved == used + listed"},
    {full_yet_uncounted, "frees into a full or current pool are counted down"},
    {current_yet_uncounted, "frees into a full or current pool are counted down"},
    {full_yet_not_carved, "a full pool's blocks have all been in use"},
    {tlb_has_anothers_pool, "the TLB names pools of its own heap"},
    {tlb_has_a_pool_that_is_not_near, "the TLB names near pools"},
    {list_has_a_wrong_end, "a bin's list ends at its last pool"},
};

static void check(void *unused)
{
    (void)unused;
    pm_heap_check(&heap);
}

START_TEST(the_checker_sees_damage)
{
    struct pm_pool *pool = pm_heap_refill(&heap, 0);
    damages[_i].inflict(pool);
    unit_child_aborts_with(check, NULL, damages[_i].seen_as);
}
END_TEST

START_TEST(a_whole_heap_passes)
{
    ck_assert(pm_check_heap()); /* a thread without one */
    for (size_t size = 0; size < 40000; size += 100) {
        void *block = pm_alloc(size);
        pm_alloc(size);
        pm_free(block, "free");
        ck_assert(pm_check_heap());
    }
    pm_heap_refill(&heap, CLASS);
    partial();
    pm_heap_check(&heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_whole_heap_passes);
    tcase_add_loop_test(tests, the_checker_sees_damage, 0, (int)UNIT_COUNT_OF(damages));
}

int main(void)
{
    return unit_run("heap_check", add);
}
