/*
 * vdso.h - the functions that the kernel maps into every process (vdso(7)), found past the
 * loader: whatever has been preloaded, they are the kernel's.
 */
#ifndef PM_OS_VDSO_H
#define PM_OS_VDSO_H

#include "os/compiler.h"

/* The address of the function; NULL where the kernel, or valgrind, has none of this name. */
void *pm_vdso_find(const char *name);

#endif /* PM_OS_VDSO_H */
