/*
 * loaded.c - how we learn that the program loads a library while it runs: an
 * interpreter may be in it, and has to be met before it allocates.
 *
 * The start-up code that every linker puts into a shared object (crti.o, on
 * glibc) calls __gmon_start__ when the program has it, which is for profiling:
 * right after the object is loaded, before dlopen() returns.  A program built
 * with -pg has its own, which comes before ours; then, and where libc's
 * start-up code does not do this, we do not notice such an interpreter.
 */
#include "heap/misuse.h"
#include "host/cpython.h"
#include "os/compiler.h"

void __gmon_start__(void);

PM_EXPORT PM_AT_START void __gmon_start__(void)
{
    pm_cpython_loaded(__builtin_return_address(0), pm_foreign.malloc_is_ours);
}
