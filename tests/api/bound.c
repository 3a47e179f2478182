/* bound.c - a library that test_deepbind.c loads with RTLD_DEEPBIND. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *bound_malloc(size_t size);
void bound_free(void *block);
int bound_uses_strdup(void);
void *bound_dlopen(const char *name);

void *bound_malloc(size_t size)
{
    return malloc(size);
}

void bound_free(void *block)
{
    free(block);
}

/* A block that libc makes for us. */
int bound_uses_strdup(void)
{
    char *copy = strdup("a string that is longer than a pointer");
    int right = copy != NULL && copy[0] == 'a';
    free(copy);
    return right;
}

/* Found in this library's RUNPATH; the caller is not to be seen past this frame. */
void *bound_dlopen(const char *name)
{
    void *volatile library = dlopen(name, RTLD_NOW);
    return library;
}
