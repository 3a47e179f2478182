/* free_in_other_thread.c - another thread frees a block that its owner has freed. */
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
    free(p);
    pthread_create(&thread, NULL, free_it, p);
    pthread_join(thread, NULL);
    return 0;
}
