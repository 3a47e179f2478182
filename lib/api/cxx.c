/*
 * cxx.c - C++'s operator new and delete, in C and without libstdc++.
 *
 * Mangled names are given as assembler labels.  When memory runs out the next
 * definition in line, the C++ library's own, is called: it calls the new
 * handler, asks our malloc again, and throws bad_alloc or returns NULL, each as
 * its contract says (C++17 [new.delete]).
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "heap/alloc.h"
#include "os/os.h"
#include "os/text.h"

enum { STANDARD_ERROR = 2 };

struct nothrow;

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

static PM_COLD void *new_failed_nothrow(size_t size, const struct nothrow *tag)
{
    void *(*next)(size_t, const struct nothrow *) =
        (void *(*)(size_t, const struct nothrow *))next_definition("_ZnwmRKSt9nothrow_t");
    return next == NULL ? NULL : next(size, tag);
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

static PM_COLD void *new_failed_aligned_nothrow(size_t size, size_t align,
                                                const struct nothrow *tag)
{
    void *(*next)(size_t, size_t, const struct nothrow *) =
        (void *(*)(size_t, size_t, const struct nothrow *))next_definition(
            "_ZnwmSt11align_val_tRKSt9nothrow_t");
    return next == NULL ? NULL : next(bounded(size), align, tag);
}

/* Defines `function` under the mangled name, exported. */
#define OPERATOR(result, function, mangled, ...)                                                   \
    result function(__VA_ARGS__) __asm__(mangled);                                                 \
    PM_EXPORT result function(__VA_ARGS__)

#define OPERATOR_NEW(name, mangled)                                                                \
    OPERATOR(void *, name, mangled, size_t size)                                                   \
    {                                                                                              \
        void *block = pm_alloc(size);                                                              \
        return PM_LIKELY(block != NULL) ? block : new_failed(size);                                \
    }

#define OPERATOR_NEW_NOTHROW(name, mangled)                                                        \
    OPERATOR(void *, name, mangled, size_t size, const struct nothrow *tag)                        \
    {                                                                                              \
        void *block = pm_alloc(size);                                                              \
        return PM_LIKELY(block != NULL) ? block : new_failed_nothrow(size, tag);                   \
    }

#define OPERATOR_NEW_ALIGNED(name, mangled)                                                        \
    OPERATOR(void *, name, mangled, size_t size, size_t align)                                     \
    {                                                                                              \
        void *block = pm_alloc_aligned(size, align);                                               \
        return PM_LIKELY(block != NULL) ? block : new_failed_aligned(size, align);                 \
    }

#define OPERATOR_NEW_ALIGNED_NOTHROW(name, mangled)                                                \
    OPERATOR(void *, name, mangled, size_t size, size_t align, const struct nothrow *tag)          \
    {                                                                                              \
        void *block = pm_alloc_aligned(size, align);                                               \
        return PM_LIKELY(block != NULL) ? block : new_failed_aligned_nothrow(size, align, tag);    \
    }

OPERATOR_NEW(new_one, "_Znwm")
OPERATOR_NEW(new_array, "_Znam")
OPERATOR_NEW_NOTHROW(new_one_nothrow, "_ZnwmRKSt9nothrow_t")
OPERATOR_NEW_NOTHROW(new_array_nothrow, "_ZnamRKSt9nothrow_t")
OPERATOR_NEW_ALIGNED(new_one_aligned, "_ZnwmSt11align_val_t")
OPERATOR_NEW_ALIGNED(new_array_aligned, "_ZnamSt11align_val_t")
OPERATOR_NEW_ALIGNED_NOTHROW(new_one_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t")
OPERATOR_NEW_ALIGNED_NOTHROW(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t")

/* The further arguments (size, alignment, nothrow tag) tell nothing we do not know. */
#define OPERATOR_DELETE(name, mangled, ...)                                                        \
    OPERATOR(void, name, mangled, __VA_ARGS__)                                                     \
    {                                                                                              \
        pm_free(block, "operator delete");                                                         \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

OPERATOR_DELETE(delete_one, "_ZdlPv", void *block)
OPERATOR_DELETE(delete_array, "_ZdaPv", void *block)
OPERATOR_DELETE(delete_one_sized, "_ZdlPvm", void *block, size_t size)
OPERATOR_DELETE(delete_array_sized, "_ZdaPvm", void *block, size_t size)
OPERATOR_DELETE(delete_one_aligned, "_ZdlPvSt11align_val_t", void *block, size_t align)
OPERATOR_DELETE(delete_array_aligned, "_ZdaPvSt11align_val_t", void *block, size_t align)
OPERATOR_DELETE(delete_one_sized_aligned, "_ZdlPvmSt11align_val_t", void *block, size_t size,
                size_t align)
OPERATOR_DELETE(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", void *block, size_t size,
                size_t align)
OPERATOR_DELETE(delete_one_nothrow, "_ZdlPvRKSt9nothrow_t", void *block, const struct nothrow *tag)
OPERATOR_DELETE(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", void *block,
                const struct nothrow *tag)
OPERATOR_DELETE(delete_one_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t", void *block,
                size_t align, const struct nothrow *tag)
OPERATOR_DELETE(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t", void *block,
                size_t align, const struct nothrow *tag)
