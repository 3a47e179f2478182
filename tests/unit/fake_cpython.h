/*
 * fake_cpython.h - what fake_cpython.c pretends to be, and what it has been
 * asked for: its tests set the one and read the other.
 */
#ifndef TESTS_UNIT_FAKE_CPYTHON_H
#define TESTS_UNIT_FAKE_CPYTHON_H

#include <pymem/pymem.h>

struct fake_cpython {
    const char *version;
    int initialized;
    PyMemAllocatorEx domains[3];
    PyObjectArenaAllocator arenas;
    PyMemAllocatorEx hooked[3]; /* what the domains had when debug hooks were put around them */
    unsigned calls[3];          /* of the PyMem_ and PyObject_ functions, by domain */
    void *thread_state;         /* of all threads, NULL without the lock; */
    void *this_thread_state;    /* the same, whether it has the lock or not */
    void *interpreter;          /* whose it is; the main one is the fake itself */
};

/* That of the library which is asked. */
struct fake_cpython *fake_cpython(void);

#endif /* TESTS_UNIT_FAKE_CPYTHON_H */
