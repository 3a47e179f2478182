# tests/api.mk: black-box tests of the public API (tests/api) and of the messages
# for bad input (tests/misuse).  Every program links libpymem.la, so that malloc
# is ours in the whole process; a sanitizer brings its own malloc.

EXTRA_DIST += \
	tests/api/header_python.sh \
	tests/api/limits.sh \
	tests/api/no_libstdcxx.sh \
	tests/misuse/run.sh

if !SANITIZED

# The calls are the subject: none may be folded away or replaced.
api_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS) -fno-builtin -pthread
api_ldflags = $(AM_LDFLAGS) -no-install
api_libs = libpymem.la $(CHECK_LIBS)

if HAVE_CHECK
api_check_tests = \
	tests/api/test_aligned \
	tests/api/test_allocators \
	tests/api/test_arenas \
	tests/api/test_direct \
	tests/api/test_figures \
	tests/api/test_malloc \
	tests/api/test_own \
	tests/api/test_pymem
check_PROGRAMS += $(api_check_tests)
TESTS += $(api_check_tests)

tests_api_test_aligned_SOURCES = tests/api/test_aligned.c tests/api/api_test.h
tests_api_test_aligned_CFLAGS = $(api_cflags)
tests_api_test_aligned_LDFLAGS = $(api_ldflags)
tests_api_test_aligned_LDADD = $(api_libs)

tests_api_test_allocators_SOURCES = tests/api/test_allocators.c tests/api/api_test.h
tests_api_test_allocators_CFLAGS = $(api_cflags)
tests_api_test_allocators_LDFLAGS = $(api_ldflags)
tests_api_test_allocators_LDADD = $(api_libs)

tests_api_test_arenas_SOURCES = tests/api/test_arenas.c tests/api/api_test.h
tests_api_test_arenas_CFLAGS = $(api_cflags)
tests_api_test_arenas_LDFLAGS = $(api_ldflags)
tests_api_test_arenas_LDADD = $(api_libs)

tests_api_test_figures_SOURCES = tests/api/test_figures.c tests/api/api_test.h tests/api/xml_check.h
tests_api_test_figures_CFLAGS = $(api_cflags)
tests_api_test_figures_LDFLAGS = $(api_ldflags)
tests_api_test_figures_LDADD = $(api_libs)

tests_api_test_malloc_SOURCES = tests/api/test_malloc.c tests/api/api_test.h
tests_api_test_malloc_CFLAGS = $(api_cflags)
tests_api_test_malloc_LDFLAGS = $(api_ldflags)
tests_api_test_malloc_LDADD = $(api_libs)

tests_api_test_own_SOURCES = tests/api/test_own.c tests/api/api_test.h
tests_api_test_own_CFLAGS = $(api_cflags)
tests_api_test_own_LDFLAGS = $(api_ldflags)
tests_api_test_own_LDADD = $(api_libs)

tests_api_test_direct_SOURCES = tests/api/test_direct.c tests/api/api_test.h
tests_api_test_direct_CFLAGS = $(api_cflags)
tests_api_test_direct_LDFLAGS = $(api_ldflags)
tests_api_test_direct_LDADD = $(api_libs)
tests_api_test_pymem_SOURCES = tests/api/test_pymem.c tests/api/api_test.h
tests_api_test_pymem_CFLAGS = $(api_cflags)
tests_api_test_pymem_LDFLAGS = $(api_ldflags)
tests_api_test_pymem_LDADD = $(api_libs)
endif

check_PROGRAMS += \
	tests/api/dlopen_late \
	tests/api/dlopen_late_no_pie \
	tests/api/forwarding_malloc \
	tests/api/header_c \
	tests/api/header_cxx \
	tests/api/limits_fill \
	tests/api/limits_idle \
	tests/api/limits_lower \
	tests/api/sandbox \
	tests/api/start_pages \
	tests/api/test_cxx \
	tests/api/test_deepbind \
	tests/api/test_foreign \
	tests/api/cxx_replaced \
	tests/api/unload
TESTS += \
	tests/api/dlopen_late \
	tests/api/dlopen_late_no_pie \
	tests/api/forwarding_malloc \
	tests/api/header_c \
	tests/api/header_cxx \
	tests/api/header_python.sh \
	tests/api/limits.sh \
	tests/api/no_libstdcxx.sh \
	tests/api/sandbox \
	tests/api/start_pages \
	tests/api/test_cxx \
	tests/api/test_deepbind \
	tests/api/test_foreign \
	tests/api/cxx_replaced \
	tests/api/unload \
	tests/misuse/run.sh

# clang wants to be asked for the sized forms.
tests_api_cxx_replaced_SOURCES = tests/api/cxx_replaced.cpp
tests_api_cxx_replaced_CXXFLAGS = $(AM_CXXFLAGS) -fno-builtin -Wno-sized-deallocation
tests_api_cxx_replaced_LDFLAGS = $(api_ldflags)
tests_api_cxx_replaced_LDADD = libpymem.la
tests_api_test_cxx_SOURCES = tests/api/test_cxx.cpp
tests_api_test_cxx_CXXFLAGS = $(AM_CXXFLAGS) -fno-builtin -fsized-deallocation -pthread
tests_api_test_cxx_LDFLAGS = $(api_ldflags)
tests_api_test_cxx_LDADD = libpymem.la

# Only what is installed is on the path, and the language is the strict one.
tests_api_header_c_SOURCES = tests/api/header_c.c
tests_api_header_c_CPPFLAGS = -I$(top_srcdir)/include -I$(top_builddir)/include
tests_api_header_c_CFLAGS = $(AM_CFLAGS) -std=c11 -pedantic-errors -Werror
tests_api_header_c_LDFLAGS = $(api_ldflags)
tests_api_header_c_LDADD = libpymem.la

tests_api_header_cxx_SOURCES = tests/api/header_cxx.cpp
tests_api_header_cxx_CPPFLAGS = $(tests_api_header_c_CPPFLAGS)
tests_api_header_cxx_CXXFLAGS = $(AM_CXXFLAGS) -std=c++17 -pedantic-errors -Werror
tests_api_header_cxx_LDFLAGS = $(api_ldflags)
tests_api_header_cxx_LDADD = libpymem.la

# Not linked to the library, which it loads by its path.
tests_api_dlopen_late_SOURCES = tests/api/dlopen_late.c tests/api/plain_test.h
tests_api_dlopen_late_CPPFLAGS = -DLIBPYMEM_SO='"$(abs_top_builddir)/.libs/libpymem.so"'
tests_api_dlopen_late_CFLAGS = $(AM_CFLAGS) -fno-builtin -pthread
tests_api_dlopen_late_LDADD = -ldl
EXTRA_tests_api_dlopen_late_DEPENDENCIES = libpymem.la
tests_api_dlopen_late_no_pie_SOURCES = $(tests_api_dlopen_late_SOURCES)
tests_api_dlopen_late_no_pie_CPPFLAGS = $(tests_api_dlopen_late_CPPFLAGS)
tests_api_dlopen_late_no_pie_CFLAGS = $(tests_api_dlopen_late_CFLAGS) -fno-pie
tests_api_dlopen_late_no_pie_LDFLAGS = $(AM_LDFLAGS) -no-pie
tests_api_dlopen_late_no_pie_LDADD = -ldl
EXTRA_tests_api_dlopen_late_no_pie_DEPENDENCIES = libpymem.la

tests_api_forwarding_malloc_SOURCES = tests/api/forwarding_malloc.c tests/api/plain_test.h
tests_api_forwarding_malloc_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_forwarding_malloc_LDFLAGS = $(api_ldflags)
tests_api_forwarding_malloc_LDADD = libpymem.la -ldl

tests_api_limits_fill_SOURCES = tests/api/limits_fill.c tests/api/limits_test.h \
	tests/api/plain_test.h
tests_api_limits_fill_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_limits_fill_LDFLAGS = $(api_ldflags)
tests_api_limits_fill_LDADD = libpymem.la

tests_api_limits_idle_SOURCES = tests/api/limits_idle.c tests/api/limits_test.h \
	tests/api/plain_test.h
tests_api_limits_idle_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_limits_idle_LDFLAGS = $(api_ldflags)
tests_api_limits_idle_LDADD = libpymem.la

tests_api_limits_lower_SOURCES = tests/api/limits_lower.c tests/api/limits_test.h \
	tests/api/plain_test.h
tests_api_limits_lower_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_limits_lower_LDFLAGS = $(api_ldflags)
tests_api_limits_lower_LDADD = libpymem.la

tests_api_sandbox_SOURCES = tests/api/sandbox.c
tests_api_sandbox_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_sandbox_LDFLAGS = $(api_ldflags)
tests_api_sandbox_LDADD = libpymem.la

tests_api_start_pages_SOURCES = tests/api/start_pages.c tests/api/plain_test.h
tests_api_start_pages_CPPFLAGS = $(AM_CPPFLAGS) -DLINKER_OPTIONS='"$(PM_FEW_PAGES)"'
tests_api_start_pages_CFLAGS = $(AM_CFLAGS)
tests_api_start_pages_LDFLAGS = $(api_ldflags)
tests_api_start_pages_LDADD = libpymem.la

# A plugin, which carries the heap, and a program that does not.
check_LTLIBRARIES += tests/api/plugin.la
tests_api_plugin_la_SOURCES = tests/api/plugin.c
tests_api_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath $(abs_builddir)
tests_api_plugin_la_LIBADD = libpymem.a
tests_api_unload_SOURCES = tests/api/unload.c
tests_api_unload_CPPFLAGS = -DPLUGIN='"$(abs_top_builddir)/tests/api/.libs/plugin.so"'
tests_api_unload_CFLAGS = $(AM_CFLAGS) -pthread
tests_api_unload_LDADD = -ldl
EXTRA_tests_api_unload_DEPENDENCIES = tests/api/plugin.la

# A library that finds the plugin in its RUNPATH, and a program that does not.
check_LTLIBRARIES += tests/api/bound.la
tests_api_bound_la_SOURCES = tests/api/bound.c
tests_api_bound_la_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_bound_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath $(abs_builddir) \
	-Wl,--enable-new-dtags -Wl,-rpath,$(abs_top_builddir)/tests/api/.libs
tests_api_bound_la_LIBADD = -ldl
tests_api_test_deepbind_SOURCES = tests/api/test_deepbind.c
tests_api_test_deepbind_CPPFLAGS = $(AM_CPPFLAGS) -DBOUND='"$(abs_top_builddir)/tests/api/.libs/bound.so"'
tests_api_test_deepbind_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_test_deepbind_LDFLAGS = $(api_ldflags)
tests_api_test_deepbind_LDADD = libpymem.la -ldl
EXTRA_tests_api_test_deepbind_DEPENDENCIES = tests/api/bound.la tests/api/plugin.la

tests_api_test_foreign_SOURCES = tests/api/test_foreign.c tests/api/plain_test.h
tests_api_test_foreign_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_api_test_foreign_LDFLAGS = $(api_ldflags)
tests_api_test_foreign_LDADD = libpymem.la

# One program per mistake, run by tests/misuse/run.sh; their volatile pointers
# keep the compiler from seeing it.
EXTRA_DIST += tests/misuse/misuse.h
misuse_ldflags = $(AM_LDFLAGS) -no-install -pthread
check_PROGRAMS += \
	tests/misuse/cfree_twice \
	tests/misuse/free_after_other_thread \
	tests/misuse/free_after_realloc \
	tests/misuse/free_after_trim \
	tests/misuse/free_aligned_sized_twice \
	tests/misuse/free_in_other_thread \
	tests/misuse/free_interior_aligned \
	tests/misuse/free_interior_huge \
	tests/misuse/free_interior_large \
	tests/misuse/free_interior_odd \
	tests/misuse/free_interior_of_freed \
	tests/misuse/free_interior_small \
	tests/misuse/free_mapped \
	tests/misuse/free_non_canonical \
	tests/misuse/free_sized_interior \
	tests/misuse/free_small_integer \
	tests/misuse/free_stack \
	tests/misuse/free_static \
	tests/misuse/free_static_no_pie \
	tests/misuse/free_twice \
	tests/misuse/free_twice_huge \
	tests/misuse/free_twice_large \
	tests/misuse/free_twice_later \
	tests/misuse/free_twice_remote \
	tests/misuse/operator_delete \
	tests/misuse/pymem_free_foreign \
	tests/misuse/pymem_free_sized_too_large \
	tests/misuse/pymem_free_sized_too_large_huge \
	tests/misuse/pymem_free_aligned_elsewhere \
	tests/misuse/pymem_free_sized_twice \
	tests/misuse/pymem_free_sized_too_large_elsewhere \
	tests/misuse/pymem_rawfree_twice \
	tests/misuse/pymem_rawrealloc_foreign \
	tests/misuse/pymem_realloc_freed \
	tests/misuse/pymem_usable_size_freed \
	tests/misuse/pyobject_free_interior \
	tests/misuse/pyobject_realloc_interior \
	tests/misuse/realloc_foreign \
	tests/misuse/realloc_freed \
	tests/misuse/realloc_interior \
	tests/misuse/realloc_to_zero_freed \
	tests/misuse/reallocarray_freed \
	tests/misuse/usable_size_freed \
	tests/misuse/usable_size_interior
tests_misuse_cfree_twice_LDFLAGS = $(misuse_ldflags)
tests_misuse_cfree_twice_LDADD = libpymem.la
tests_misuse_free_after_other_thread_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_after_other_thread_LDADD = libpymem.la
tests_misuse_free_after_realloc_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_after_realloc_LDADD = libpymem.la
tests_misuse_free_after_trim_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_after_trim_LDADD = libpymem.la
tests_misuse_free_aligned_sized_twice_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_aligned_sized_twice_LDADD = libpymem.la
tests_misuse_free_in_other_thread_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_in_other_thread_LDADD = libpymem.la
tests_misuse_free_interior_aligned_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_aligned_LDADD = libpymem.la
tests_misuse_free_interior_huge_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_huge_LDADD = libpymem.la
tests_misuse_free_interior_large_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_large_LDADD = libpymem.la
tests_misuse_free_interior_odd_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_odd_LDADD = libpymem.la
tests_misuse_free_interior_of_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_of_freed_LDADD = libpymem.la
tests_misuse_free_interior_small_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_interior_small_LDADD = libpymem.la
tests_misuse_free_mapped_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_mapped_LDADD = libpymem.la
tests_misuse_free_non_canonical_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_non_canonical_LDADD = libpymem.la
tests_misuse_free_sized_interior_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_sized_interior_LDADD = libpymem.la
tests_misuse_free_small_integer_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_small_integer_LDADD = libpymem.la
tests_misuse_free_stack_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_stack_LDADD = libpymem.la
tests_misuse_free_static_no_pie_CFLAGS = $(AM_CFLAGS) -fno-builtin -fno-pie
tests_misuse_free_static_no_pie_LDFLAGS = $(misuse_ldflags) -no-pie
tests_misuse_free_static_no_pie_LDADD = libpymem.la
tests_misuse_free_static_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_static_LDADD = libpymem.la
tests_misuse_free_twice_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_twice_LDADD = libpymem.la
tests_misuse_free_twice_huge_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_twice_huge_LDADD = libpymem.la
tests_misuse_free_twice_large_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_twice_large_LDADD = libpymem.la
tests_misuse_free_twice_later_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_twice_later_LDADD = libpymem.la
tests_misuse_free_twice_remote_LDFLAGS = $(misuse_ldflags)
tests_misuse_free_twice_remote_LDADD = libpymem.la
tests_misuse_operator_delete_LDFLAGS = $(misuse_ldflags)
tests_misuse_operator_delete_LDADD = libpymem.la
tests_misuse_pymem_free_foreign_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_foreign_LDADD = libpymem.la
tests_misuse_pymem_free_sized_too_large_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_sized_too_large_LDADD = libpymem.la
tests_misuse_pymem_free_sized_too_large_huge_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_sized_too_large_huge_LDADD = libpymem.la
tests_misuse_pymem_free_aligned_elsewhere_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_aligned_elsewhere_LDADD = libpymem.la
tests_misuse_pymem_free_sized_twice_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_sized_twice_LDADD = libpymem.la
tests_misuse_pymem_free_sized_too_large_elsewhere_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_free_sized_too_large_elsewhere_LDADD = libpymem.la
tests_misuse_pymem_rawfree_twice_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_rawfree_twice_LDADD = libpymem.la
tests_misuse_pymem_rawrealloc_foreign_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_rawrealloc_foreign_LDADD = libpymem.la
tests_misuse_pymem_realloc_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_realloc_freed_LDADD = libpymem.la
tests_misuse_pymem_usable_size_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_pymem_usable_size_freed_LDADD = libpymem.la
tests_misuse_pyobject_free_interior_LDFLAGS = $(misuse_ldflags)
tests_misuse_pyobject_free_interior_LDADD = libpymem.la
tests_misuse_pyobject_realloc_interior_LDFLAGS = $(misuse_ldflags)
tests_misuse_pyobject_realloc_interior_LDADD = libpymem.la
tests_misuse_realloc_foreign_LDFLAGS = $(misuse_ldflags)
tests_misuse_realloc_foreign_LDADD = libpymem.la
tests_misuse_realloc_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_realloc_freed_LDADD = libpymem.la
tests_misuse_realloc_interior_LDFLAGS = $(misuse_ldflags)
tests_misuse_realloc_interior_LDADD = libpymem.la
tests_misuse_realloc_to_zero_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_realloc_to_zero_freed_LDADD = libpymem.la
tests_misuse_reallocarray_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_reallocarray_freed_LDADD = libpymem.la
tests_misuse_usable_size_freed_LDFLAGS = $(misuse_ldflags)
tests_misuse_usable_size_freed_LDADD = libpymem.la
tests_misuse_usable_size_interior_LDFLAGS = $(misuse_ldflags)
tests_misuse_usable_size_interior_LDADD = libpymem.la

endif
