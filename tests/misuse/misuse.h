/*
 * misuse.h - what every misuse program starts from.  A program writes the
 * addresses of the expected message to standard output, one per line, and
 * then makes its one mistake; run.sh compares the message.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <malloc.h>
#include <pymem/pymem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Unbuffered, for the process dies. */
static inline void expect_address(const void *p)
{
    dprintf(STDOUT_FILENO, "0x%jx\n", (uintmax_t)(uintptr_t)p);
}

/* A live block of `size` bytes, which must not be the pool's last one alive. */
static inline char *new_block(size_t size)
{
    char *volatile neighbour = malloc(size);
    char *volatile block = malloc(size);
    if (neighbour == NULL || block == NULL)
        _exit(99);
    memset(block, 0x11, size < 4096 ? size : 4096);
    return block;
}

#endif /* MISUSE_H */
