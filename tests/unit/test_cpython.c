/*
 * test_cpython.c - an interpreter is found, among what was loaded at start and
 * in what is loaded later; its domains are put on the heap unless it is too
 * late or not one of ours to serve; our calls are passed on to it.
 *
 * The program is linked to one fake interpreter, which the library's own start
 * has met already: setup() takes it back.  Others are loaded by their paths.
 */
#include "pools.h"

#include <dlfcn.h>

#include "arena/purge.h"
#include "fake_cpython.h"
#include "heap/alloc.h"
#include "heap/common.h"
#include "heap/misuse.h"
#include "host/cpython.h"
#include "host/domains.h"

static struct fake_cpython *linked, untouched;

static void setup(void)
{
    linked = fake_cpython();
    pm_cpython = NULL;
    memcpy(pm_domain, pm_domain_heap, sizeof pm_domain);
    memset(linked->calls, 0, sizeof linked->calls);
    untouched = *linked;
}

static bool same_allocator(const PyMemAllocatorEx *one, const PyMemAllocatorEx *other)
{
    return one->ctx == other->ctx && one->malloc == other->malloc && one->calloc == other->calloc &&
           one->realloc == other->realloc && one->free == other->free;
}

/* As up to 3.11. */
static bool on_the_heap(const struct fake_cpython *fake, PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx served = fake->domains[domain];
    if (domain == PYMEM_DOMAIN_RAW)
        return same_allocator(&served, &pm_domain_heap[domain]);
    bool is_granted = pm_common_is_granted(served.ctx);
    served.ctx = NULL;
    return is_granted && same_allocator(&served, &pm_domain_heap_granted[domain]);
}

/* Every domain and the arenas as they were. */
static bool left_alone(void)
{
    for (int domain = 0; domain < PM_DOMAINS; domain++) {
        if (!same_allocator(&linked->domains[domain], &untouched.domains[domain]))
            return false;
    }
    return linked->arenas.alloc == untouched.arenas.alloc &&
           linked->arenas.free == untouched.arenas.free;
}

/* Do our functions of every domain lead into the interpreter? */
static bool forwarded(const struct fake_cpython *fake)
{
    unsigned before[PM_DOMAINS];
    memcpy(before, fake->calls, sizeof before);
    PyMem_RawFree(PyMem_RawRealloc(PyMem_RawMalloc(10), 20));
    PyMem_RawFree(PyMem_RawCalloc(2, 10));
    PyMem_Free(PyMem_Realloc(PyMem_Malloc(10), 20));
    PyMem_Free(PyMem_Calloc(2, 10));
    PyObject_Free(PyObject_Realloc(PyObject_Malloc(10), 20));
    PyObject_Free(PyObject_Calloc(2, 10));
    for (int domain = 0; domain < PM_DOMAINS; domain++) {
        if (fake->calls[domain] != before[domain] + 5)
            return false;
    }
    return true;
}

START_TEST(all_domains_and_the_arenas_are_put_on_the_heap)
{
    pm_cpython_start(true, false);
    ck_assert_ptr_nonnull(pm_cpython);
    for (int domain = 0; domain < PM_DOMAINS; domain++)
        ck_assert(on_the_heap(linked, (PyMemAllocatorDomain)domain));
    PyObjectArenaAllocator *arenas = &linked->arenas;
    ck_assert(arenas->alloc != untouched.arenas.alloc);
    void *arena = arenas->alloc(arenas->ctx, PM_MIB);
    ck_assert(pm_block_is_live(arena));
    unit_fill(arena, PM_MIB, 1);
    arenas->free(arenas->ctx, arena, PM_MIB);
    ck_assert(!pm_block_is_live(arena));
}
END_TEST

START_TEST(our_calls_are_passed_on)
{
    pm_cpython_start(true, false);
    ck_assert(forwarded(linked));
    void *block = PyMem_Malloc(100);
    ck_assert(pm_block_is_live(block));
    PyMem_Free(block);
    ck_assert(!pm_block_is_live(block));
    unsigned calls = linked->calls[PYMEM_DOMAIN_OBJ];
    volatile size_t too_large = (size_t)PTRDIFF_MAX + 1;
    ck_assert_ptr_null(PyObject_Malloc(too_large));
    ck_assert_uint_eq(linked->calls[PYMEM_DOMAIN_OBJ], calls);
}
END_TEST

START_TEST(our_getters_and_setters_are_passed_on)
{
    PyMemAllocatorEx allocator;
    PyObjectArenaAllocator arenas;
    int context;
    pm_cpython_start(true, false);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &allocator);
    ck_assert(same_allocator(&allocator, &linked->domains[PYMEM_DOMAIN_MEM]));
    allocator.ctx = &context;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &allocator);
    ck_assert_ptr_eq(linked->domains[PYMEM_DOMAIN_MEM].ctx, &context);
    ck_assert_ptr_ne(linked->domains[PYMEM_DOMAIN_OBJ].ctx, &context);
    ck_assert_ptr_ne(pm_domain[PYMEM_DOMAIN_MEM].ctx, &context);
    PyObject_GetArenaAllocator(&arenas);
    ck_assert(arenas.alloc == linked->arenas.alloc);
    arenas.ctx = &context;
    PyObject_SetArenaAllocator(&arenas);
    ck_assert_ptr_eq(linked->arenas.ctx, &context);
}
END_TEST

/* When nothing may be installed: our calls go to it all the same. */
static void starts_without_installing(bool may_install)
{
    pm_cpython_start(may_install, false);
    ck_assert_ptr_nonnull(pm_cpython);
    ck_assert(left_alone());
    ck_assert(forwarded(linked));
    void *block = PyMem_Malloc(100);
    ck_assert(!pm_block_is_live(block));
    PyMem_Free(block);
}

START_TEST(an_initialized_interpreter_is_left_alone)
{
    linked->initialized = 1;
    starts_without_installing(true);
}
END_TEST

START_TEST(a_process_with_blocks_of_another_malloc_is_left_alone)
{
    starts_without_installing(false);
}
END_TEST

START_TEST(unknown_versions_are_left_alone)
{
    static const char *const versions[] = {"3.7.16 (default)", "3.5.3+", "2.7.18", "4.0.0"};
    linked->version = versions[_i];
    starts_without_installing(true);
}
END_TEST

START_TEST(known_versions_are_served)
{
    static const char *const versions[] = {"3.8.18 (default)", "3.10.13", "3.14.0rc1 (main)",
                                           "3.13.0+ (heads/main)"};
    linked->version = versions[_i];
    pm_cpython_start(true, false);
    if (_i < 2)
        ck_assert(on_the_heap(linked, PYMEM_DOMAIN_OBJ));
    else
        ck_assert(same_allocator(&linked->domains[PYMEM_DOMAIN_OBJ],
                                 &pm_domain_heap_asked[PYMEM_DOMAIN_OBJ]));
}
END_TEST

START_TEST(where_the_program_has_set_its_own_that_is_installed)
{
    PyMemAllocatorEx own = pm_domain_heap[PYMEM_DOMAIN_RAW];
    int context;
    own.ctx = &context;
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &own);
    pm_cpython_start(true, false);
    ck_assert(same_allocator(&linked->domains[PYMEM_DOMAIN_OBJ], &own));
    ck_assert(on_the_heap(linked, PYMEM_DOMAIN_MEM));
}
END_TEST

/* The heap that a new object of this thread comes from, if it is not the thread's own. */
static struct pm_heap *others_heap(void)
{
    PyMemAllocatorEx *objects = &linked->domains[PYMEM_DOMAIN_OBJ];
    void *object = objects->malloc(objects->ctx, 40);
    struct pm_heap *common = pm_tls_heap->common;
    bool own = pm_pool_is_owned_by(unit_pool_of(object), pm_tls_heap);
    UNIT_CHECK(own || pm_pool_is_owned_by(unit_pool_of(object), common));
    objects->free(objects->ctx, object);
    return own ? NULL : common;
}

/* The fourth besides the first, while all others live. */
static void *later_thread(void *argument)
{
    int other, before = *(int *)argument - 1;
    if (before != 0) {
        UNIT_CHECK(others_heap() == NULL);
        unit_in_thread(later_thread, &before);
        return argument;
    }
    linked->thread_state = &other;
    linked->interpreter = linked;
    UNIT_CHECK(others_heap() != NULL);
    linked->interpreter = &other;
    UNIT_CHECK(others_heap() == NULL);
    linked->thread_state = NULL;
    UNIT_CHECK(others_heap() == NULL);
    return argument;
}

START_TEST(from_3_12_on_threads_ask_whose_turn_it_is)
{
    linked->version = "3.13.5 (main, fake)";
    pm_cpython_start(true, false);
    ck_assert(on_the_heap(linked, PYMEM_DOMAIN_RAW));
    for (int domain = PYMEM_DOMAIN_MEM; domain <= PYMEM_DOMAIN_OBJ; domain++)
        ck_assert(same_allocator(&linked->domains[domain], &pm_domain_heap_asked[domain]));
    ck_assert_ptr_null(others_heap());
    unit_in_thread(later_thread, &(int){4});
}
END_TEST

static size_t purged_by_trimming(void)
{
    size_t before = pm_purge_total();
    pymem_trim();
    return pm_purge_total() - before;
}

/* Blocks of a few pages' length apart stay, in pools of the common heap. */
static void *make_holes(void *unused)
{
    enum { COUNT = 400 };
    PyMemAllocatorEx *buffers = &linked->domains[PYMEM_DOMAIN_MEM];
    void *blocks[COUNT];
    int state;
    UNIT_CHECK(pm_common_is_granted(buffers->ctx));
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = buffers->malloc(buffers->ctx, 1000);
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 20 != 0)
            buffers->free(buffers->ctx, blocks[i]);
    }
    linked->thread_state = &state;
    linked->this_thread_state = &state;
    purged_by_trimming(); /* what can be had while others may be at work in it */
    size_t before = pm_purge_total();
    buffers->free(buffers->ctx, buffers->malloc(buffers->ctx, 2000));
    UNIT_CHECK(pm_purge_total() - before > 100000);
    return unused;
}

START_TEST(before_that_the_next_call_trims)
{
    pm_purge_set_decay(-1);
    pm_cpython_start(true, false);
    unit_in_thread(make_holes, NULL);
}
END_TEST

START_TEST(free_threading_takes_the_raw_domain_only)
{
    linked->version = "3.13.0 experimental free-threading build (main)";
    pm_cpython_start(true, false);
    ck_assert(on_the_heap(linked, PYMEM_DOMAIN_RAW));
    ck_assert(!on_the_heap(linked, PYMEM_DOMAIN_MEM));
    ck_assert(!on_the_heap(linked, PYMEM_DOMAIN_OBJ));
    ck_assert(linked->arenas.alloc == untouched.arenas.alloc);
    ck_assert(forwarded(linked));
}
END_TEST

START_TEST(without_debug_hooks_there_come_none)
{
    pm_cpython_start(true, false);
    ck_assert_ptr_null(linked->hooked[PYMEM_DOMAIN_RAW].malloc);
}
END_TEST

START_TEST(debug_hooks_are_put_around_what_is_installed)
{
    int hooks;
    linked->domains[PYMEM_DOMAIN_RAW].ctx = &hooks;
    pm_cpython_start(true, false);
    for (int domain = 0; domain < 3; domain++)
        ck_assert_mem_eq(&linked->hooked[domain], &linked->domains[domain],
                         sizeof linked->hooked[domain]);
    ck_assert(on_the_heap(linked, PYMEM_DOMAIN_OBJ));
}
END_TEST

/* A module of the build tree, and the interpreter in it. */
static void *load(const char *name, struct fake_cpython **fake)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.so", FAKES, name);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(module != NULL, "%s", dlerror());
    struct fake_cpython *(*state)(void);
    *(void **)&state = dlsym(module, "fake_cpython");
    ck_assert(state != NULL);
    *fake = state();
    return module;
}

static bool is_loaded(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.so", FAKES, name);
    void *module = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (module != NULL)
        dlclose(module);
    return module != NULL;
}

START_TEST(an_interpreter_that_is_loaded_later_is_served_and_stays)
{
    struct fake_cpython *late;
    void *module = load("fake_late", &late);
    ck_assert_ptr_ne(late, linked);
    pm_cpython_loaded(late, true);
    ck_assert_ptr_nonnull(pm_cpython);
    for (int domain = 0; domain < PM_DOMAINS; domain++)
        ck_assert(on_the_heap(late, (PyMemAllocatorDomain)domain));
    ck_assert(left_alone());
    ck_assert(forwarded(late));
    ck_assert_int_eq(dlclose(module), 0);
    ck_assert_msg(is_loaded("fake_late"), "our calls lead into it");
    ck_assert(forwarded(late));
}
END_TEST

/* Blocks of RAW may have been served by another malloc, and go back to it. */
START_TEST(a_process_with_another_malloc_keeps_its_interpreter_as_it_is)
{
    struct fake_cpython *late;
    void *module = load("fake_late", &late);
    pm_cpython_loaded(late, false);
    ck_assert(!on_the_heap(late, PYMEM_DOMAIN_RAW));
    ck_assert(forwarded(late));
    ck_assert_int_eq(dlclose(module), 0);
}
END_TEST

START_TEST(an_interpreter_that_is_loaded_initialized_is_left_alone)
{
    struct fake_cpython *late;
    void *module = load("fake_late", &late);
    late->initialized = 1;
    pm_cpython_loaded(late, true);
    ck_assert(!on_the_heap(late, PYMEM_DOMAIN_RAW));
    ck_assert(forwarded(late));
    ck_assert_int_eq(dlclose(module), 0);
}
END_TEST

START_TEST(the_first_interpreter_is_the_one)
{
    struct fake_cpython *late;
    pm_cpython_start(true, false);
    void *module = load("fake_late", &late);
    pm_cpython_loaded(late, true);
    ck_assert(!on_the_heap(late, PYMEM_DOMAIN_RAW));
    ck_assert(forwarded(linked));
    ck_assert_int_eq(dlclose(module), 0);
}
END_TEST

START_TEST(what_lacks_a_name_is_no_interpreter)
{
    struct fake_cpython *partial;
    void *module = load("fake_partial", &partial);
    PyMemAllocatorEx before = partial->domains[PYMEM_DOMAIN_RAW];
    pm_cpython_loaded(partial, true);
    ck_assert_ptr_null(pm_cpython);
    ck_assert(same_allocator(&before, &partial->domains[PYMEM_DOMAIN_RAW]));
    ck_assert(same_allocator(&pm_domain[PYMEM_DOMAIN_RAW], &pm_domain_heap[PYMEM_DOMAIN_RAW]));
    ck_assert_int_eq(dlclose(module), 0);
    ck_assert_msg(!is_loaded("fake_partial"), "it is none of ours to keep");
}
END_TEST

START_TEST(other_objects_and_addresses_are_no_interpreter)
{
    pm_cpython_loaded((const void *)(uintptr_t)printf, true);
    pm_cpython_loaded((const void *)(uintptr_t)setup, true);
    pm_cpython_loaded(NULL, true);
    ck_assert_ptr_null(pm_cpython);
}
END_TEST

static void start_speaking(void *may_install)
{
    pm_cpython_start(may_install != NULL, true);
}

static void start_silently(void *unused)
{
    (void)unused;
    pm_cpython_start(true, false);
    pm_cpython = NULL;
    pm_cpython_start(false, false);
}

/* What is said about a version in a process like ours. */
static void says(const char *version, bool may_install, const char *line)
{
    char text[1024];
    linked->version = version;
    int status = unit_child(start_speaking, may_install ? &untouched : NULL, text, sizeof text);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(text, line);
}

START_TEST(what_was_done_is_said_when_asked_for)
{
    char text[1024];
    ck_assert_int_eq(unit_child(start_silently, NULL, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    says("3.11.2 (main, fake)", true,
         "pymem: CPython 3.11.2: all domains are served by this heap\n");
    says("3.11.2 (main, fake)", false,
         "pymem: CPython 3.11.2: found too late, its allocators stay as they are\n");
    says("3.7.16", true,
         "pymem: CPython 3.7.16: older than 3.8, its allocators stay as they are\n");
    says("3.13.0 experimental free-threading build", true,
         "pymem: CPython 3.13.0 (free-threading): the RAW domain is served by this heap\n");
    linked->initialized = 1;
    says("3.11.2 (main, fake)", true,
         "pymem: CPython 3.11.2: found too late, its allocators stay as they are\n");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, all_domains_and_the_arenas_are_put_on_the_heap);
    tcase_add_test(tests, our_calls_are_passed_on);
    tcase_add_test(tests, our_getters_and_setters_are_passed_on);
    tcase_add_test(tests, without_debug_hooks_there_come_none);
    tcase_add_test(tests, debug_hooks_are_put_around_what_is_installed);
    tcase_add_test(tests, an_initialized_interpreter_is_left_alone);
    tcase_add_test(tests, a_process_with_blocks_of_another_malloc_is_left_alone);
    tcase_add_loop_test(tests, unknown_versions_are_left_alone, 0, 4);
    tcase_add_loop_test(tests, known_versions_are_served, 0, 4);
    tcase_add_test(tests, where_the_program_has_set_its_own_that_is_installed);
    tcase_add_test(tests, from_3_12_on_threads_ask_whose_turn_it_is);
    tcase_add_test(tests, before_that_the_next_call_trims);
    tcase_add_test(tests, free_threading_takes_the_raw_domain_only);
    tcase_add_test(tests, an_interpreter_that_is_loaded_later_is_served_and_stays);
    tcase_add_test(tests, a_process_with_another_malloc_keeps_its_interpreter_as_it_is);
    tcase_add_test(tests, an_interpreter_that_is_loaded_initialized_is_left_alone);
    tcase_add_test(tests, the_first_interpreter_is_the_one);
    tcase_add_test(tests, what_lacks_a_name_is_no_interpreter);
    tcase_add_test(tests, other_objects_and_addresses_are_no_interpreter);
    tcase_add_test(tests, what_was_done_is_said_when_asked_for);
}

int main(void)
{
    return unit_run("cpython", add);
}
