/*
 * host.c - a program without Python that loads the crate's example plugin: the
 * plugin's blocks are those of a preloaded libpymem ("preloaded" as the second
 * argument), else of the heap that it carries.
 *
 * Usage: host PLUGIN [preloaded]
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static int failures;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "host: not so: %s\n", what);
    failures++;
}

/* ISO C knows no way from an object's address to a function's. */
union symbol {
    void *address;
    bool (*ask)(void);
    void *(*block)(size_t size);
    bool (*owns)(const void *block);
};

static union symbol find(void *object, const char *name)
{
    union symbol symbol = {dlsym(object, name)};
    expect(symbol.address != NULL, name);
    return symbol;
}

int main(int argc, char **argv)
{
    bool preloaded = argc > 2;
    void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "host: %s\n", argc > 1 ? dlerror() : "no plugin named");
        return 2;
    }
    union symbol has_host = find(plugin, "plugin_has_host");
    union symbol serves_itself = find(plugin, "plugin_serves_itself");
    union symbol block = find(plugin, "plugin_block");
    union symbol owns = preloaded ? find(RTLD_DEFAULT, "pymem_owns") : (union symbol){NULL};
    if (failures != 0)
        return 1;
    expect(has_host.ask() == preloaded, "the plugin sees a host where there is one");
    expect(serves_itself.ask() == !preloaded, "the plugin serves itself where there is none");
    for (size_t size = 1; size < 10000000; size *= 7) {
        char *bytes = block.block(size);
        expect(bytes[0] == 1 && bytes[size - 1] == 1, "a block holds what was written to it");
        expect(!preloaded || owns.owns(bytes), "blocks are the preloaded library's");
    }
    return failures != 0;
}
