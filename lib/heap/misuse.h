/*
 * misuse.h - finding the live block at an address that a program passed in,
 * and telling it what is wrong when there is none.
 */
#ifndef PM_HEAP_MISUSE_H
#define PM_HEAP_MISUSE_H

#include "heap/large.h"
#include "pool/pool.h"

/* A live block: in a pool, or large (then `pool` is NULL). */
struct pm_block {
    struct pm_pool *pool;
    struct pm_large *large;
    size_t usable;
};

/* False when `address` (any bits) is not the start of a live block. */
bool pm_block_find(const void *address, struct pm_block *block);

/* As pm_block_find(), safe while other threads free: for addresses of unknown origin. */
bool pm_block_is_live(const void *address);

/*
 * What to do with a pointer that belongs to somebody else.  The malloc
 * interface sets these, because blocks of libc's own heap may reach it; both
 * functions return false (the size 0) when they do not know the pointer either.
 */
struct pm_foreign {
    bool malloc_is_ours; /* the process's malloc, and was from the start */
    bool (*free)(void *address);
    size_t (*usable_size)(const void *address);
};

extern struct pm_foreign pm_foreign;

/* Ends the process with the message that fits `address`, which is no live block. */
_Noreturn PM_COLD void pm_misuse(const void *address, const char *call);

#endif /* PM_HEAP_MISUSE_H */
