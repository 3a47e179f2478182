/* plugin.c - an object with a heap of its own (libpymem.a), for unload.c. */
#include <pymem/malloc.h>

void use_the_heap(void);

void use_the_heap(void)
{
    void *block = pymem_malloc(100);
    pymem_free_sized(block, 100);
}
