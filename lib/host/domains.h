/*
 * domains.h - CPython's three allocation domains: which allocator serves each.
 * At first it is the heap; then whatever PyMem_SetAllocator() puts in its
 * place, or, inside an interpreter, the interpreter (cpython.c).
 */
#ifndef PM_HOST_DOMAINS_H
#define PM_HOST_DOMAINS_H

#include <pymem/pymem.h>

enum { PM_DOMAINS = 3 };

/* Read by every PyMem_ and PyObject_ call of ours; written before threads start. */
extern PyMemAllocatorEx pm_domain[PM_DOMAINS];

/* The thread's own heap as the allocator of each domain; */
extern const PyMemAllocatorEx pm_domain_heap[PM_DOMAINS];

/* and for MEM and OBJ the one that threads have in common (heap/common.h): where it is granted, and
 * then it is the context that these are called with; */
extern const PyMemAllocatorEx pm_domain_heap_granted[PM_DOMAINS];

/* and where they ask whose turn it is. */
extern const PyMemAllocatorEx pm_domain_heap_asked[PM_DOMAINS];

#endif /* PM_HOST_DOMAINS_H */
