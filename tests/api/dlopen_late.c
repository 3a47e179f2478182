/*
 * dlopen_late.c - the library in a program that was not linked to it and
 * loads it late, privately, while threads are already running: its own calls
 * work in every thread, blocks of libc that reach its free are passed on, and
 * dlclose does no harm.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "plain_test.h"

enum { THREADS = 4, ROUNDS = 20, BLOCKS = 500 };

static struct {
    void *(*allocate)(size_t size);
    void *(*resize)(void *block, size_t size);
    void (*release)(void *block);
    bool (*owns)(const void *p);
    size_t (*usable_size)(const void *p);
    void *(*malloc)(size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    size_t (*malloc_usable_size)(void *block);
} late;

static pthread_barrier_t loaded;

static void *find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL)
        fprintf(stderr, "dlopen_late: no symbol %s\n", name);
    CHECK(symbol != NULL);
    return symbol;
}

static void load_symbols(void *library)
{
    *(void **)&late.allocate = find(library, "PyMem_Malloc");
    *(void **)&late.resize = find(library, "PyMem_Realloc");
    *(void **)&late.release = find(library, "PyMem_Free");
    *(void **)&late.owns = find(library, "pymem_owns");
    *(void **)&late.usable_size = find(library, "pymem_usable_size");
    *(void **)&late.malloc = find(library, "malloc");
    *(void **)&late.realloc = find(library, "realloc");
    *(void **)&late.free = find(library, "free");
    *(void **)&late.malloc_usable_size = find(library, "malloc_usable_size");
}

static void use_the_library(unsigned tag)
{
    for (int round = 0; round < ROUNDS; round++) {
        char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            size_t size = (size_t)1 + (size_t)i * (size_t)(i % 7 == 0 ? 400 : 3);
            blocks[i] = late.allocate(size);
            CHECK(blocks[i] != NULL && late.owns(blocks[i]));
            CHECK(late.usable_size(blocks[i]) >= size);
            memset(blocks[i], (int)(tag + (unsigned)i), size);
        }
        for (int i = 0; i < BLOCKS; i++) {
            CHECK(blocks[i][0] == (char)(tag + (unsigned)i));
            blocks[i] = late.resize(blocks[i], 2000);
            CHECK(blocks[i] != NULL && blocks[i][0] == (char)(tag + (unsigned)i));
            late.release(blocks[i]);
        }
    }
}

/* Blocks that libc handed out, small and large, given to the library's calls. */
static void pass_libc_blocks(void)
{
    static const size_t sizes[] = {0, 24, 1000, 60000, 300000, 10000000};
    /* In a program at a fixed address, a stub's: what the library is told malloc's is. */
    void *(*volatile program_malloc)(size_t size) = malloc;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *volatile block = program_malloc(sizes[i]);
        CHECK(block != NULL);
        CHECK(!late.owns(block));
        late.free(block);

        char *kept = malloc(sizes[i] + 1);
        CHECK(kept != NULL);
        kept[0] = 'k';
        CHECK(late.malloc_usable_size(kept) >= sizes[i] + 1);
        kept = late.realloc(kept, sizes[i] + 5000);
        CHECK(kept != NULL && kept[0] == 'k');
        late.free(kept);

        void *own = late.malloc(sizes[i]);
        CHECK(own != NULL && late.owns(own));
        late.free(own);
    }
    CHECK(late.malloc(1) != NULL);
}

static void *thread_main(void *tag)
{
    void *before = malloc(100);
    pthread_barrier_wait(&loaded);
    use_the_library((unsigned)(size_t)tag);
    pass_libc_blocks();
    late.free(before);
    return NULL;
}

int main(int argc, char **argv)
{
    const char *path = getenv("PYMEM_TEST_LIBRARY");
    pthread_t threads[THREADS];
    if (argc > 1)
        path = argv[1];
    if (path == NULL)
        path = LIBPYMEM_SO;
    CHECK(pthread_barrier_init(&loaded, NULL, THREADS + 1) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i * 50)) == 0);

    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fprintf(stderr, "dlopen_late: %s\n", dlerror());
    CHECK(library != NULL);
    load_symbols(library);
    pthread_barrier_wait(&loaded);
    use_the_library(7);
    pass_libc_blocks();
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);

    /* A second handle, a block that outlives both, and a thread that ends afterwards. */
    char *kept = late.allocate(100);
    CHECK(kept != NULL);
    strcpy(kept, "still here");
    CHECK(dlopen(path, RTLD_NOW | RTLD_LOCAL) == library);
    CHECK(dlclose(library) == 0);
    CHECK(dlclose(library) == 0);
    CHECK(strcmp(kept, "still here") == 0);
    CHECK(late.owns(kept));
    late.release(kept);
    CHECK(pthread_barrier_init(&loaded, NULL, 1) == 0);
    CHECK(pthread_create(&threads[0], NULL, thread_main, NULL) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0);
    puts("dlopen_late: all checks passed");
    return EXIT_SUCCESS;
}
