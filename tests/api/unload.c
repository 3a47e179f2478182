/*
 * unload.c - a plugin that carries the heap is loaded, used and closed by a thread that
 * then ends: what the heap does at the end of a thread is still there.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static void *load_use_and_close(void *failure)
{
    void *plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) {
        *(const char **)failure = dlerror();
        return NULL;
    }
    void (*use)(void) = (void (*)(void))dlsym(plugin, "use_the_heap");
    if (use == NULL)
        *(const char **)failure = dlerror();
    else
        use();
    dlclose(plugin);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        const char *failure = NULL;
        if (pthread_create(&thread, NULL, load_use_and_close, &failure) != 0 ||
            pthread_join(thread, NULL) != 0)
            failure = "no thread";
        if (failure != NULL) {
            fprintf(stderr, "unload: %s\n", failure);
            return 1;
        }
    }
    return 0;
}
