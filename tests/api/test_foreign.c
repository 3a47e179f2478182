/*
 * test_foreign.c - a program that brings its own malloc: the library, which is there for the
 * sake of its own calls, leaves that malloc alone until main() (GNU Common Lisp's is not ready
 * before), passes on to its free what is not ours, and ends the process where a block's size is
 * asked for that this malloc does not tell.
 */
#include <pymem/pymem.h>
#include <string.h>

#include "plain_test.h"

enum { ALIGN = 16, SIZE_AT_START = 1 << 16 };

/* Blocks come one behind the other, and none is used again. */
static _Alignas(ALIGN) char memory[SIZE_AT_START];
static size_t taken;
static int calls;
static void *last_freed;

void *malloc(size_t size)
{
    calls++;
    size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded < size || rounded > sizeof memory - taken)
        return NULL;
    char *block = memory + taken;
    taken += rounded;
    return block;
}

void *calloc(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? NULL : malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    char *copy = malloc(size);
    if (block != NULL && copy != NULL) {
        size_t behind = (size_t)(memory + sizeof memory - (char *)block);
        memmove(copy, block, size < behind ? size : behind);
    }
    return copy;
}

void free(void *block)
{
    calls++;
    last_freed = block;
}

static void passes_on_frees(void)
{
    void *theirs = malloc(100);
    CHECK(theirs != NULL && !pymem_owns(theirs));
    PyMem_RawFree(theirs);
    CHECK(last_freed == theirs);
}

static void serves_its_own_calls(void)
{
    int before = calls;
    void *ours = PyMem_RawMalloc(100);
    CHECK(ours != NULL && pymem_owns(ours));
    ours = PyMem_RawRealloc(ours, 100000);
    CHECK(ours != NULL && pymem_owns(ours));
    PyMem_RawFree(ours);
    CHECK(calls == before);
}

/* The four that glibc's manual asks for are enough: what is made of them comes from them. */
static void reallocarray_is_of_its_malloc(void)
{
    char *theirs = reallocarray(NULL, 25, 4);
    CHECK(theirs != NULL && !pymem_owns(theirs));
    memset(theirs, 'x', 100);
    char *longer = reallocarray(theirs, 50, 4);
    CHECK(longer != NULL && !pymem_owns(longer) && longer[99] == 'x');
    free(longer);
    volatile size_t too_many = SIZE_MAX / 2;
    CHECK(reallocarray(NULL, too_many, 3) == NULL);
}

/* Nobody knows how much there is to copy. */
static void resize_theirs(void)
{
    void *theirs = malloc(100);
    CHECK(theirs != NULL);
    PyMem_RawFree(PyMem_RawRealloc(theirs, 1000));
}

int main(void)
{
    int calls_before_main = calls;
    CHECK(calls_before_main == 0);
    passes_on_frees();
    serves_its_own_calls();
    reallocarray_is_of_its_malloc();
    CHECK(child_aborts(resize_theirs));
    puts("test_foreign: all checks passed");
    return EXIT_SUCCESS;
}
