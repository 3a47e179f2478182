/*
 * test_deepbind.c - a library that the program loads with RTLD_DEEPBIND has the same heap, and the
 * libraries that it loads in turn are still looked for in its own RUNPATH.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <pymem/pymem.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            const char *reason = dlerror();                                                        \
            fprintf(stderr, "test_deepbind:%d: failed: %s (%s)\n", __LINE__, #condition,           \
                    reason != NULL ? reason : "dlerror() has no reason");                          \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

static struct {
    void *(*malloc)(size_t size);
    void (*free)(void *block);
    int (*uses_strdup)(void);
    void *(*dlopen)(const char *name);
} bound;

static void load_bound(void)
{
    void *library = dlopen(BOUND, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    CHECK(library != NULL);
    CHECK((*(void **)&bound.malloc = dlsym(library, "bound_malloc")) != NULL);
    CHECK((*(void **)&bound.free = dlsym(library, "bound_free")) != NULL);
    CHECK((*(void **)&bound.uses_strdup = dlsym(library, "bound_uses_strdup")) != NULL);
    CHECK((*(void **)&bound.dlopen = dlsym(library, "bound_dlopen")) != NULL);
}

int main(void)
{
    load_bound();
    void *block = bound.malloc(100);
    CHECK(pymem_owns(block));
    free(block);
    block = malloc(100);
    CHECK(pymem_owns(block));
    bound.free(block);
    CHECK(bound.uses_strdup());

    CHECK(dlopen("plugin.so", RTLD_NOW) == NULL); /* the program's RUNPATH does not have it, */
    dlerror();
    CHECK(bound.dlopen("plugin.so") != NULL); /* the library's has */
    CHECK(dlopen("no such library", RTLD_NOW | RTLD_DEEPBIND) == NULL);
    CHECK(dlerror() != NULL);
    return 0;
}
