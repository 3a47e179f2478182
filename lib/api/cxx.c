/*
 * cxx.c - C++'s operator new and delete, in C and without libstdc++.
 *
 * Mangled names are given as assembler labels.  A program may replace just the
 * two plain forms (and the two aligned ones): the others then have to call those
 * (C++17 [new.delete]), so they do, through the symbol and not directly.
 *
 * When memory runs out the next definition in line, the C++ library's own, is
 * called: it calls the new handler, asks our malloc again, and throws bad_alloc
 * or returns NULL, each as its contract says.  C cannot catch an exception, so
 * nothrow forms go there too when the program has a plain form of its own.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "heap/alloc.h"
#include "os/os.h"
#include "os/text.h"

enum { STANDARD_ERROR = 2 };

/* The C++ library's definition of `name`; NULL in a process without one. */
static void *next_definition(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1"};
    void *found = dlsym(RTLD_NEXT, name);
    for (size_t i = 0; found == NULL && i < sizeof libraries / sizeof *libraries; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            found = dlsym(library, name);
            dlclose(library);
        }
    }
    return found;
}

static _Noreturn void no_way_to_throw(void)
{
    struct pm_text text;
    pm_text_clear(&text);
    pm_text_add(&text, "pymem: operator new: out of memory, and no C++ library to throw\n");
    pm_text_write(&text, STANDARD_ERROR);
    pm_os_abort();
}

static PM_COLD void *new_failed(size_t size)
{
    void *(*next)(size_t) = (void *(*)(size_t))next_definition("_Znwm");
    if (next == NULL)
        no_way_to_throw();
    return next(size);
}

/* libstdc++ rounds such a size up without looking, and a huge one wraps to nothing. */
static size_t bounded(size_t size)
{
    return size > PTRDIFF_MAX ? PTRDIFF_MAX : size;
}

static PM_COLD void *new_failed_aligned(size_t size, size_t align)
{
    void *(*next)(size_t, size_t) =
        (void *(*)(size_t, size_t))next_definition("_ZnwmSt11align_val_t");
    if (next == NULL)
        no_way_to_throw();
    return next(bounded(size), align);
}

/* Gives `function` the mangled name, exported. */
#define OPERATOR(result, function, mangled, ...)                                                   \
    result function(__VA_ARGS__) __asm__(mangled);                                                 \
    PM_EXPORT result function(__VA_ARGS__)

OPERATOR(void *, new_plain, "_Znwm", size_t size)
{
    void *block = pm_alloc_own(size);
    return PM_LIKELY(block != NULL) ? block : new_failed(size);
}

OPERATOR(void *, new_aligned, "_ZnwmSt11align_val_t", size_t size, size_t align)
{
    void *block = pm_alloc_aligned(size, align);
    return PM_LIKELY(block != NULL) ? block : new_failed_aligned(size, align);
}

OPERATOR(void, delete_plain, "_ZdlPv", void *block)
{
    pm_free(block, "operator delete");
}

OPERATOR(void, delete_aligned, "_ZdlPvSt11align_val_t", void *block, size_t align)
{
    (void)align;
    pm_free(block, "operator delete");
}

/* The same four as the process sees them: ours, or the program's. */
void *any_new(size_t size) __asm__("_Znwm");
void *any_new_aligned(size_t size, size_t align) __asm__("_ZnwmSt11align_val_t");
void any_delete(void *block) __asm__("_ZdlPv");
void any_delete_aligned(void *block, size_t align) __asm__("_ZdlPvSt11align_val_t");

OPERATOR(void *, new_array, "_Znam", size_t size)
{
    return any_new(size);
}

OPERATOR(void *, new_array_aligned, "_ZnamSt11align_val_t", size_t size, size_t align)
{
    return any_new_aligned(size, align);
}

/* The arguments that follow (size, nothrow tag) tell nothing that the block does not. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define OPERATOR_DELETE(name, mangled, ...)                                                        \
    OPERATOR(void, name, mangled, void *block, __VA_ARGS__)                                        \
    {                                                                                              \
        any_delete(block);                                                                         \
    }

#define OPERATOR_DELETE_ALIGNED(name, mangled, ...)                                                \
    OPERATOR(void, name, mangled, void *block, __VA_ARGS__)                                        \
    {                                                                                              \
        any_delete_aligned(block, align);                                                          \
    }

OPERATOR(void, delete_array, "_ZdaPv", void *block)
{
    any_delete(block);
}

OPERATOR_DELETE(delete_sized, "_ZdlPvm", size_t size)
OPERATOR_DELETE(delete_array_sized, "_ZdaPvm", size_t size)
OPERATOR_DELETE(delete_nothrow, "_ZdlPvRKSt9nothrow_t", const void *tag)
OPERATOR_DELETE(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", const void *tag)
OPERATOR_DELETE_ALIGNED(delete_array_aligned, "_ZdaPvSt11align_val_t", size_t align)
OPERATOR_DELETE_ALIGNED(delete_sized_aligned, "_ZdlPvmSt11align_val_t", size_t size, size_t align)
OPERATOR_DELETE_ALIGNED(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", size_t size,
                        size_t align)
OPERATOR_DELETE_ALIGNED(delete_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t", size_t align,
                        const void *tag)
OPERATOR_DELETE_ALIGNED(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",
                        size_t align, const void *tag)

typedef void *(*new_nothrow_function)(size_t, const void *);
typedef void *(*new_aligned_nothrow_function)(size_t, size_t, const void *);

static PM_COLD void *next_new_nothrow(const char *name, size_t size, const void *tag)
{
    new_nothrow_function next = (new_nothrow_function)next_definition(name);
    return next == NULL ? NULL : next(size, tag);
}

static PM_COLD void *next_new_aligned_nothrow(const char *name, size_t size, size_t align,
                                              const void *tag)
{
    new_aligned_nothrow_function next = (new_aligned_nothrow_function)next_definition(name);
    return next == NULL ? NULL : next(bounded(size), align, tag);
}

/* Hidden names: what the plain forms would be if nobody had replaced them. */
void *own_new(size_t size) __attribute__((alias("_Znwm"), visibility("hidden")));
void *own_new_aligned(size_t size, size_t align)
    __attribute__((alias("_ZnwmSt11align_val_t"), visibility("hidden")));

/* The compiler takes two names for two functions; what they are bound to is for the loader. */
static bool same(uintptr_t seen, uintptr_t own)
{
    __asm__("" : "+r"(seen));
    return seen == own;
}

#define OPERATOR_NEW_NOTHROW(name, mangled)                                                        \
    OPERATOR(void *, name, mangled, size_t size, const void *tag)                                  \
    {                                                                                              \
        void *block = same((uintptr_t)any_new, (uintptr_t)own_new) ? pm_alloc_own(size) : NULL;    \
        return PM_LIKELY(block != NULL) ? block : next_new_nothrow(mangled, size, tag);            \
    }

#define OPERATOR_NEW_ALIGNED_NOTHROW(name, mangled)                                                \
    OPERATOR(void *, name, mangled, size_t size, size_t align, const void *tag)                    \
    {                                                                                              \
        void *block = same((uintptr_t)any_new_aligned, (uintptr_t)own_new_aligned)                 \
                          ? pm_alloc_aligned(size, align)                                          \
                          : NULL;                                                                  \
        return PM_LIKELY(block != NULL) ? block                                                    \
                                        : next_new_aligned_nothrow(mangled, size, align, tag);     \
    }

OPERATOR_NEW_NOTHROW(new_nothrow, "_ZnwmRKSt9nothrow_t")
OPERATOR_NEW_NOTHROW(new_array_nothrow, "_ZnamRKSt9nothrow_t")
OPERATOR_NEW_ALIGNED_NOTHROW(new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t")
OPERATOR_NEW_ALIGNED_NOTHROW(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t")
