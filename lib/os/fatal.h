/*
 * fatal.h - the last words of a process whose program misused the heap: one
 * line on standard error (which call, the address, what is wrong), then abort.
 */
#ifndef PM_OS_FATAL_H
#define PM_OS_FATAL_H

#include "os/compiler.h"

_Noreturn PM_COLD void pm_fatal_foreign(const char *call, const void *address);
_Noreturn PM_COLD void pm_fatal_interior(const char *call, const void *address, uintptr_t block);
_Noreturn PM_COLD void pm_fatal_free(const char *call, const void *address);
_Noreturn PM_COLD void pm_fatal_size(const char *call, const void *address, size_t size,
                                     size_t usable);
_Noreturn PM_COLD void pm_fatal_align(const char *call, const void *address, size_t align);
/* An invariant of the engine does not hold. */
_Noreturn PM_COLD void pm_fatal_broken(const char *invariant, const void *address);

#endif /* PM_OS_FATAL_H */
