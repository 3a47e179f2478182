/*
 * limits_test.h - what the programs of limits.sh share: allocate until memory
 * runs out, check how that shows, and free everything.
 */
#ifndef LIMITS_TEST_H
#define LIMITS_TEST_H

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "plain_test.h"

#define MIB ((size_t)1024 * 1024)

struct link {
    struct link *next;
    size_t size;
};

/* Allocates blocks of `size` until NULL and ENOMEM; returns the bytes, and the chain in `*all`. */
static inline size_t fill(size_t size, struct link **all)
{
    size_t bytes = 0;
    for (;;) {
        errno = 0;
        struct link *block = malloc(size);
        if (block == NULL)
            break;
        block->next = *all;
        block->size = size;
        *all = block;
        bytes += size;
    }
    CHECK(errno == ENOMEM);
    /* It stays so, whatever the call, and no block is harmed. */
    errno = 0;
    void *volatile more = calloc(1000, MIB);
    CHECK(more == NULL && errno == ENOMEM);
    errno = 0;
    more = *all == NULL ? NULL : realloc(*all, 1000 * MIB);
    CHECK(more == NULL && (*all == NULL || errno == ENOMEM));
    void *aligned = NULL;
    CHECK(posix_memalign(&aligned, 4096, 1000 * MIB) == ENOMEM);
    return bytes;
}

static inline void release(struct link **all)
{
    while (*all != NULL) {
        struct link *next = (*all)->next;
        CHECK(next == NULL || next->size >= sizeof(struct link));
        free(*all);
        *all = next;
    }
}

#endif /* LIMITS_TEST_H */
