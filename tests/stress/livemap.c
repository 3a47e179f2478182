/*
 * livemap.c - see livemap.h.  A table of leaves, one for each GiB of address
 * space that blocks were seen in; a leaf is a bitmap of 16-byte granules.
 *
 * The atomics are relaxed on purpose: the map must not order the threads'
 * accesses for the heap under test, or ThreadSanitizer would not see an order
 * that the heap itself fails to give.
 */
#include "livemap.h"

#include "stress.h"

#include <stdatomic.h>

enum { GRANULE_SHIFT = 4, LEAF_SHIFT = 30, ADDRESS_BITS = 48 };

#define LEAF_WORDS ((size_t)1 << (LEAF_SHIFT - GRANULE_SHIFT - 6))
#define LEAVES ((size_t)1 << (ADDRESS_BITS - LEAF_SHIFT))

typedef _Atomic(uint64_t) bitmap_word;

static _Atomic(bitmap_word *) *leaves;
static atomic_size_t entered;

void livemap_begin(void)
{
    leaves = stress_pages(LEAVES * sizeof *leaves);
}

static bitmap_word *leaf_of(uintptr_t granule)
{
    uintptr_t number = granule >> (LEAF_SHIFT - GRANULE_SHIFT);
    if (number >= LEAVES)
        stress_fail("address %#jx is outside of the user's half",
                    (uintmax_t)granule << GRANULE_SHIFT);
    bitmap_word *leaf = atomic_load_explicit(&leaves[number], memory_order_acquire);
    if (leaf != NULL)
        return leaf;
    bitmap_word *fresh = stress_pages(LEAF_WORDS * sizeof *fresh);
    if (atomic_compare_exchange_strong(&leaves[number], &leaf, fresh))
        return fresh;
    stress_pages_free(fresh, LEAF_WORDS * sizeof *fresh);
    return leaf;
}

/* The bits of one word that belong to granules `from` (inclusive) to `to`. */
static uint64_t mask_of(uintptr_t from, uintptr_t to)
{
    unsigned first = from & 63;
    uintptr_t count = to - from < 64 - first ? to - from : 64 - first;
    uint64_t ones = count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
    return ones << first;
}

/* Sets (or clears) the block's bits; false when a bit was so already. */
static bool change(const void *block, size_t size, bool set)
{
    uintptr_t from = (uintptr_t)block >> GRANULE_SHIFT;
    uintptr_t to = ((uintptr_t)block + (size > 0 ? size - 1 : 0)) >> GRANULE_SHIFT;
    bool changed_all = true;
    for (uintptr_t at = from; at <= to; at = (at | 63) + 1) {
        bitmap_word *word = &leaf_of(at)[(at >> 6) & (LEAF_WORDS - 1)];
        uint64_t mask = mask_of(at, to + 1);
        uint64_t before = set ? atomic_fetch_or_explicit(word, mask, memory_order_relaxed)
                              : ~atomic_fetch_and_explicit(word, ~mask, memory_order_relaxed);
        if ((before & mask) != 0)
            changed_all = false;
    }
    return changed_all;
}

bool livemap_enter(const void *block, size_t size)
{
    atomic_fetch_add_explicit(&entered, 1, memory_order_relaxed);
    return change(block, size, true);
}

bool livemap_leave(const void *block, size_t size)
{
    atomic_fetch_sub_explicit(&entered, 1, memory_order_relaxed);
    return change(block, size, false);
}

bool livemap_is_empty(void)
{
    return atomic_load_explicit(&entered, memory_order_relaxed) == 0;
}
