/*
 * embed_loaded.c - a program that loads libpython while it runs, as servers and
 * editors with plugins do, and starts and ends its interpreter several times.
 *
 * usage: embed_loaded ROUNDS CODE [LIBPYTHON]
 *
 * Runs CODE in each of ROUNDS interpreters.  Without LIBPYTHON the program has
 * to be linked to it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    void (*initialize)(void);
    int (*run)(const char *code);
    int (*finalize)(void);
} python;

static void *find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "embed_loaded: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return symbol;
}

static void find_all(void *library)
{
    *(void **)&python.initialize = find(library, "Py_Initialize");
    *(void **)&python.run = find(library, "PyRun_SimpleString");
    *(void **)&python.finalize = find(library, "Py_FinalizeEx");
}

int main(int argc, char **argv)
{
    char *kept[100];
    if (argc < 3)
        return 2;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        kept[i] = strdup(argv[2]);
    void *library = RTLD_DEFAULT;
    if (argc > 3 && (library = dlopen(argv[3], RTLD_NOW | RTLD_GLOBAL)) == NULL) {
        fprintf(stderr, "embed_loaded: %s\n", dlerror());
        return EXIT_FAILURE;
    }
    find_all(library);
    for (int round = 0; round < atoi(argv[1]); round++) {
        python.initialize();
        if (python.run(argv[2]) != 0 || python.finalize() != 0)
            return EXIT_FAILURE;
    }
    int status = EXIT_SUCCESS;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (strcmp(kept[i], argv[2]) != 0)
            status = EXIT_FAILURE;
        free(kept[i]);
    }
    return status;
}
