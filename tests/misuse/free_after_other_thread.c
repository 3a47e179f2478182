/* free_after_other_thread.c - free of a block that another thread has freed. */
#include "misuse.h"

#include <pthread.h>

static void *free_it(void *block)
{
    free(block);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    void *volatile p = new_block(64);
    expect_address(p);
    pthread_create(&thread, NULL, free_it, p);
    pthread_join(thread, NULL);
    free(p);
    return 0;
}
