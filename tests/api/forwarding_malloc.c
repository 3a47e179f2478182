/*
 * forwarding_malloc.c - a program whose malloc counts and passes on to the next one, which is
 * ours: a pointer that is no block is told of, and not passed to and fro.
 */
#include <dlfcn.h>
#include <pymem/pymem.h>

#include "plain_test.h"

static int calls;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *malloc(size_t size)
{
    static void *(*next_malloc)(size_t);
    if (next_malloc == NULL)
        next_malloc = (void *(*)(size_t))next("malloc");
    calls++;
    return next_malloc(size);
}

void free(void *block)
{
    static void (*next_free)(void *);
    if (next_free == NULL)
        next_free = (void (*)(void *))next("free");
    next_free(block);
}

/* Large enough to be unmapped, so that nothing is known of it. */
static void free_twice(void)
{
    static const size_t size = (size_t)200 << 20;
    void *volatile block = malloc(size);
    free(block);
    free(block);
}

int main(void)
{
    void *block = malloc(100);
    CHECK(calls > 0 && pymem_owns(block));
    free(block);
    CHECK(child_aborts(free_twice));
    puts("forwarding_malloc: all checks passed");
    return EXIT_SUCCESS;
}
