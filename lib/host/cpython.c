/*
 * cpython.c - see cpython.h.
 *
 * Sources of the contract: PEP 445, and CPython's documentation, "Memory
 * Management": before Py_PreInitialize() the allocators may be replaced freely,
 * afterwards only wrapped; since 3.12 those of MEM and OBJ are called by
 * several threads at once.  An explicit PYTHONMALLOC or -X dev makes the
 * interpreter install its own choice over ours, on its own.
 *
 * Once found, the interpreter's object stays loaded: our calls lead into it.
 */
#include "host/cpython.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "heap/alloc.h"
#include "heap/common.h"
#include "host/domains.h"
#include "os/text.h"

enum {
    STANDARD_ERROR = 2,
    MINOR_MIN = 8,
    MINOR_OWN_LOCKS = 12, /* from here on sub-interpreters may have locks of their own, */
    OWN_HEAPS = 4,        /* and so many threads have heaps of their own */
};

/* Resolved by the loader, at no cost where there is no interpreter. */
extern const char *Py_GetVersion(void) __attribute__((weak, visibility("default")));

const struct pm_cpython *pm_cpython PM_READ_MOSTLY;

static struct pm_cpython cpython PM_READ_MOSTLY;
static bool looking, verbose;

#define SYMBOL(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct pm_cpython, member), true                                            \
    }
#define SYMBOL_IF_ANY(name, member)                                                                \
    {                                                                                              \
        name, offsetof(struct pm_cpython, member), false                                           \
    }

static const struct {
    const char *name;
    size_t offset;
    bool is_needed;
} symbols[] = {
    SYMBOL("Py_GetVersion", version),
    SYMBOL("Py_IsInitialized", is_initialized),
    SYMBOL("PyMem_GetAllocator", get_allocator),
    SYMBOL("PyMem_SetAllocator", set_allocator),
    SYMBOL("PyMem_SetupDebugHooks", setup_debug_hooks),
    SYMBOL("PyObject_GetArenaAllocator", get_arena_allocator),
    SYMBOL("PyObject_SetArenaAllocator", set_arena_allocator),
    SYMBOL("PyMem_RawMalloc", raw.malloc),
    SYMBOL("PyMem_RawCalloc", raw.calloc),
    SYMBOL("PyMem_RawRealloc", raw.realloc),
    SYMBOL("PyMem_RawFree", raw.free),
    SYMBOL("PyMem_Malloc", mem.malloc),
    SYMBOL("PyMem_Calloc", mem.calloc),
    SYMBOL("PyMem_Realloc", mem.realloc),
    SYMBOL("PyMem_Free", mem.free),
    SYMBOL("PyObject_Malloc", obj.malloc),
    SYMBOL("PyObject_Calloc", obj.calloc),
    SYMBOL("PyObject_Realloc", obj.realloc),
    SYMBOL("PyObject_Free", obj.free),
    SYMBOL_IF_ANY("_PyThreadState_UncheckedGet", thread_state), /* before 3.13 */
    SYMBOL_IF_ANY("PyThreadState_GetUnchecked", thread_state),
    SYMBOL_IF_ANY("PyGILState_GetThisThreadState", this_thread_state),
    SYMBOL_IF_ANY("PyThreadState_GetInterpreter", interpreter_of),
    SYMBOL_IF_ANY("PyInterpreterState_Main", main_interpreter),
};

static PyMemAllocatorEx raw_allocator(void)
{
    PyMemAllocatorEx allocator;
    cpython.get_allocator(PYMEM_DOMAIN_RAW, &allocator);
    return allocator;
}

/* Our own functions have the same names.  Told by what one answers and not by its address: in a
 * program at a fixed address that may be a stub's. */
static bool is_ours(void)
{
    return raw_allocator().malloc == pm_domain[PYMEM_DOMAIN_RAW].malloc;
}

/* What lacks one of the names that are needed is no CPython from 3.5 on. */
static bool resolve(void *scope)
{
    cpython = (struct pm_cpython){.version = NULL};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(scope, symbols[i].name);
        if (address != NULL) {
            memcpy((char *)&cpython + symbols[i].offset, &address, sizeof address);
            continue;
        }
        dlerror(); /* gives its message back */
        if (symbols[i].is_needed)
            return false;
    }
    return !is_ours();
}

/* Our own PyMem_ and PyObject_ calls, inside an interpreter. */
#define FORWARD(domain)                                                                            \
    static void *forward_##domain##_malloc(void *ctx, size_t size)                                 \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return cpython.domain.malloc(size);                                                        \
    }                                                                                              \
    static void *forward_##domain##_calloc(void *ctx, size_t count, size_t size)                   \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return cpython.domain.calloc(count, size);                                                 \
    }                                                                                              \
    static void *forward_##domain##_realloc(void *ctx, void *block, size_t size)                   \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return cpython.domain.realloc(block, size);                                                \
    }                                                                                              \
    static void forward_##domain##_free(void *ctx, void *block)                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        cpython.domain.free(block);                                                                \
    }

FORWARD(raw)
FORWARD(mem)
FORWARD(obj)

#define FORWARDS(domain)                                                                           \
    (PyMemAllocatorEx)                                                                             \
    {                                                                                              \
        NULL, forward_##domain##_malloc, forward_##domain##_calloc, forward_##domain##_realloc,    \
            forward_##domain##_free                                                                \
    }

static void forward(void)
{
    pm_domain[PYMEM_DOMAIN_RAW] = FORWARDS(raw);
    pm_domain[PYMEM_DOMAIN_MEM] = FORWARDS(mem);
    pm_domain[PYMEM_DOMAIN_OBJ] = FORWARDS(obj);
    pm_cpython = &cpython;
}

/* Also the source of the interpreter's frame stacks, from 3.11 on, which goes back without the
 * interpreter's lock: PyThreadState_Delete(). */
static void *arena_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return pm_alloc(size);
}

static void arena_free(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    (void)size;
    pm_free(arena, "PyObjectArenaAllocator.free");
}

/* "3.11.2 (main, ..." */
static int minor_of(const char *version)
{
    return strncmp(version, "3.", 2) == 0 ? atoi(version + 2) : 0;
}

/* From 3.12 on it stays where it is.  (Relaxed: each thread finds the same.) */
static void *main_interpreter(void)
{
    static void *_Atomic found;
    void *interpreter = atomic_load_explicit(&found, memory_order_relaxed);
    if (PM_UNLIKELY(interpreter == NULL)) {
        interpreter = cpython.main_interpreter();
        atomic_store_explicit(&found, interpreter, memory_order_relaxed);
    }
    return interpreter;
}

/* Threads of the main interpreter come one at a time. */
static bool is_turn(void)
{
    void *state = cpython.thread_state();
    return state != NULL && cpython.interpreter_of(state) == main_interpreter();
}

/* Before 3.12 the state is that of whichever thread has the lock (but for one that was given back
 * by PyEval_ReleaseLock(), or a state that was made or ended by another thread). */
static bool has_lock(void)
{
    void *state = cpython.thread_state();
    return state != NULL && state == cpython.this_thread_state();
}

enum turns {
    TURNS_UNKNOWN, /* each thread has its own heap */
    TURNS_ASKED,   /* one may call that does not have the lock */
    TURNS_GRANTED, /* whoever calls has it */
};

static enum turns turns_of(const char *version)
{
    bool is_old = minor_of(version) < MINOR_OWN_LOCKS;
    bool can_ask = cpython.thread_state != NULL &&
                   (is_old ? cpython.this_thread_state != NULL
                           : cpython.interpreter_of != NULL && cpython.main_interpreter != NULL);
    if (!can_ask)
        return TURNS_UNKNOWN;
    return is_old ? TURNS_GRANTED : TURNS_ASKED;
}

static bool is_as_at_first(PyMemAllocatorDomain domain)
{
    return memcmp(&pm_domain[domain], &pm_domain_heap[domain], sizeof pm_domain[domain]) == 0;
}

/* One of `heap`, unless the program has set one of its own by our PyMem_SetAllocator(). */
static void install(PyMemAllocatorDomain domain, const PyMemAllocatorEx heap[], void *context)
{
    PyMemAllocatorEx allocator = pm_domain[domain];
    if (is_as_at_first(domain)) {
        allocator = heap[domain];
        allocator.ctx = context;
    }
    cpython.set_allocator(domain, &allocator);
}

static void install_mem_and_obj(enum turns turns)
{
    const PyMemAllocatorEx *heap = pm_domain_heap;
    struct pm_heap *granted = turns == TURNS_GRANTED ? pm_common_grant(has_lock) : NULL;
    if (granted != NULL) {
        heap = pm_domain_heap_granted;
    } else if (turns == TURNS_ASKED) {
        pm_common_let_ask(is_turn, OWN_HEAPS);
        heap = pm_domain_heap_asked;
    }
    install(PYMEM_DOMAIN_MEM, heap, granted);
    install(PYMEM_DOMAIN_OBJ, heap, granted);
}

/* Of RAW only theirs have a context. */
static bool has_debug_hooks(void)
{
    return raw_allocator().ctx != NULL;
}

/* An interpreter built --with-pydebug has its debug hooks from the start. */
static void install_under_hooks(bool raw_only, enum turns turns)
{
    bool debug_hooks = has_debug_hooks();
    install(PYMEM_DOMAIN_RAW, pm_domain_heap, NULL);
    if (!raw_only) {
        PyObjectArenaAllocator arenas = {NULL, arena_alloc, arena_free};
        cpython.set_arena_allocator(&arenas);
        install_mem_and_obj(turns);
    }
    if (debug_hooks)
        cpython.setup_debug_hooks();
}

/* Its collector finds objects by walking the interpreter's own heaps. */
static bool is_free_threaded(const char *version)
{
    return strstr(version, "free-threading") != NULL;
}

static void say(const char *version, const char *what)
{
    struct pm_text text;
    if (!verbose)
        return;
    pm_text_clear(&text);
    pm_text_add(&text, "pymem: CPython ");
    pm_text_add_bytes(&text, version, strcspn(version, " "));
    pm_text_add(&text, what);
    pm_text_write(&text, STANDARD_ERROR);
}

/*
 * Our calls are passed on last, lest a thread that makes them now is served by the
 * interpreter's first choice and frees to ours.
 */
static void adopt(bool may_install)
{
    const char *version = cpython.version();
    if (!may_install || cpython.is_initialized())
        say(version, ": found too late, its allocators stay as they are\n");
    else if (minor_of(version) < MINOR_MIN) /* newer ones than we know are taken to be alike */
        say(version, ": older than 3.8, its allocators stay as they are\n");
    else if (is_free_threaded(version)) {
        install_under_hooks(true, TURNS_UNKNOWN);
        say(version, " (free-threading): the RAW domain is served by this heap\n");
    } else {
        install_under_hooks(false, turns_of(version));
        say(version, ": all domains are served by this heap\n");
    }
    forward();
}

PM_AT_START void pm_cpython_start(bool may_install, bool speak)
{
    verbose = speak;
    looking = true;
    /* In the first scope our own names hide those of a libpython. */
    if (Py_GetVersion != NULL && (resolve(RTLD_DEFAULT) || resolve(RTLD_NEXT)))
        adopt(may_install);
}

PM_AT_START void pm_cpython_loaded(const void *code, bool may_install)
{
    Dl_info object;
    struct link_map *map = NULL;
    if (!looking || pm_cpython != NULL ||
        dladdr1(code, &object, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return;
    if (map->l_name[0] == '\0') /* the program: what is in it was there at the start */
        return;
    void *handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        dlerror();
    else if (resolve(handle))
        adopt(may_install); /* and the handle stays open */
    else
        dlclose(handle);
}
