/*
 * free_static_no_pie.c - free of static data in a program at a fixed address, in
 * which the address of free is not the library's own.
 */
#include "misuse.h"

static char data[4096] = {1};
static void (*volatile release)(void *) = free;

int main(void)
{
    expect_address(data + 64);
    release(data + 64);
    return 0;
}
