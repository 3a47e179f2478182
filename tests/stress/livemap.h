/*
 * livemap.h - which bytes of the address space belong to a live block.
 *
 * One bit for each 16 bytes, in memory that does not come from the heap under
 * test.  Two blocks that overlap, in whichever threads they are, are noticed
 * when the second one is entered.  Any thread may call, without a lock.
 */
#ifndef PM_TESTS_LIVEMAP_H
#define PM_TESTS_LIVEMAP_H

#include <stdbool.h>
#include <stddef.h>

/* Before the first of the others, in one thread. */
void livemap_begin(void);

/* Enters a block of `size` usable bytes (at least one granule is taken).
   False when a part of it belongs to another live block. */
bool livemap_enter(const void *block, size_t size);

/* Takes a block out again; false when it was not wholly entered. */
bool livemap_leave(const void *block, size_t size);

/* Whether no block is entered. */
bool livemap_is_empty(void);

#endif /* PM_TESTS_LIVEMAP_H */
