/* free_twice_remote.c - a thread frees a block of another thread twice. */
#include "misuse.h"

#include <pthread.h>

static void *free_twice(void *block)
{
    void *volatile p = block;
    free(p);
    free(p);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    void *volatile p = new_block(64);
    expect_address(p);
    pthread_create(&thread, NULL, free_twice, p);
    pthread_join(thread, NULL);
    return 0;
}
