/*
 * test_links.c - many links in a row are set and compared as if one by one.
 */
#include "unit.h"

#include "pool/links.h"

enum { MOST = 70, ROUNDS = 2000, GUARD = 0xabcd };

/* From wherever in a cache line, and neither beside them nor behind. */
static void check_set(uint16_t *link, uint32_t count, uint16_t first, uint16_t step)
{
    link[0] = link[count + 1] = GUARD;
    pm_links_set(link + 1, count, first, step);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(link[1 + i], (uint16_t)(first + i * step));
    ck_assert_uint_eq(link[0], GUARD);
    ck_assert_uint_eq(link[count + 1], GUARD);
}

/* None is what it would be, then one. */
static void check_any(uint16_t *link, uint32_t count, uint16_t first, uint16_t step,
                      uint32_t chosen)
{
    for (uint32_t i = 0; i < count; i++)
        link[i] ^= (uint16_t)(1u << chosen % 16);
    ck_assert(!pm_links_any(link, count, first, step));
    link[count] = (uint16_t)(first + count * step); /* of no concern */
    ck_assert(!pm_links_any(link, count, first, step));
    if (count == 0)
        return;
    link[chosen % count] = (uint16_t)(first + chosen % count * step);
    ck_assert(pm_links_any(link, count, first, step));
}

START_TEST(many_are_as_one_by_one)
{
    uint64_t random = unit_seed();
    for (int i = 0; i < ROUNDS; i++) {
        uint16_t links[MOST + 10];
        uint64_t bits = unit_random(&random);
        uint32_t count = (uint32_t)i % MOST, at = (uint32_t)(bits >> 56) % 8;
        uint16_t first = (uint16_t)bits, step = (uint16_t)(bits >> 16);
        check_set(links + at, count, first, step);
        check_any(links + at + 1, count, first, step, (uint32_t)(bits >> 32) & 0xffffff);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, many_are_as_one_by_one);
}

int main(void)
{
    return unit_run("links", add);
}
