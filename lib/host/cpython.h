/*
 * cpython.h - a CPython interpreter in this process, found without linking to
 * it: its domains are put on the heap before it allocates anything, and our
 * own PyMem_ and PyObject_ calls are passed on to it.
 */
#ifndef PM_HOST_CPYTHON_H
#define PM_HOST_CPYTHON_H

#include <pymem/pymem.h>

/* The functions of one domain, as the interpreter exports them. */
struct pm_cpython_domain {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
};

struct pm_cpython {
    struct pm_cpython_domain raw, mem, obj;
    void (*get_allocator)(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
    void (*set_allocator)(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
    void (*get_arena_allocator)(PyObjectArenaAllocator *allocator);
    void (*set_arena_allocator)(PyObjectArenaAllocator *allocator);
    void (*setup_debug_hooks)(void);
    const char *(*version)(void);
    int (*is_initialized)(void);

    /* NULL where the interpreter has no such function: the state of the thread that has the lock
     * (from 3.12 on the calling thread's, if it has one); the calling thread's; a state's
     * interpreter; and the main one. */
    void *(*thread_state)(void);
    void *(*this_thread_state)(void);
    void *(*interpreter_of)(void *thread_state);
    void *(*main_interpreter)(void);
};

/* The interpreter of this process; NULL when there is none, or none yet. */
extern const struct pm_cpython *pm_cpython;

/*
 * Looks for an interpreter among what is loaded when the library is: the
 * program itself or a libpython it is linked to.  `may_install`: nothing but
 * our malloc has served this process, so the domains may be put on the heap.
 * `verbose`: says on standard error what was done.
 */
void pm_cpython_start(bool may_install, bool verbose);

/* The object that `code` belongs to has been loaded, and nothing in it has run. */
void pm_cpython_loaded(const void *code, bool may_install);

#endif /* PM_HOST_CPYTHON_H */
