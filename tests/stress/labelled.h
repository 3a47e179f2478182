/*
 * labelled.h - blocks that say themselves how long they are and what they hold, so that whoever
 * frees one can check it.
 */
#ifndef PM_TESTS_LABELLED_H
#define PM_TESTS_LABELLED_H

#include "heap_under_test.h"
#include "stress.h"

/* What stands at the start of each block; the pattern follows. */
struct label {
    uint32_t size;
    uint32_t tag;
};

static inline void *make_block(struct stress_rng *rng, size_t size)
{
    if (size < sizeof(struct label))
        size = sizeof(struct label);
    struct label *label = hut_malloc(size);
    if (label == NULL)
        stress_fail("no memory for %zu bytes", size);
    label->size = (uint32_t)size;
    label->tag = (uint32_t)stress_next(rng);
    stress_fill(label + 1, size - sizeof *label, label->tag);
    return label;
}

static inline void free_block(void *block)
{
    struct label *label = block;
    if (label->size < sizeof *label || hut_usable(block) < label->size)
        stress_fail("block %p: its first bytes changed", block);
    size_t length = label->size - sizeof *label;
    if (stress_mismatch(label + 1, length, length, label->tag) >= 0)
        stress_fail("block %p of %u bytes: contents changed", block, label->size);
    hut_free(block);
}

#endif /* PM_TESTS_LABELLED_H */
