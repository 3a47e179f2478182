# tests/unit.mk: one unit test for each source file of lib/ (tests/unit), against
# the engine without libc's names: malloc stays the process's own, so they run
# under every sanitizer and valgrind.

EXTRA_DIST += tests/unit/unit.h tests/unit/pools.h tests/unit/spans.h tests/unit/turns.h tests/unit/fake_cpython.h

if HAVE_CHECK
unit_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS) -pthread
unit_libs = libpymem_core.la $(CHECK_LIBS)

unit_tests = \
	tests/unit/test_alloc \
	tests/unit/test_alone \
	tests/unit/test_spans \
	tests/unit/test_spare \
	tests/unit/test_arena_check \
	tests/unit/test_background \
	tests/unit/test_batches \
	tests/unit/test_bitmap \
	tests/unit/test_census \
	tests/unit/test_common \
	tests/unit/test_cpython \
	tests/unit/test_domains \
	tests/unit/test_fatal \
	tests/unit/test_faults \
	tests/unit/test_floating \
	tests/unit/test_fork \
	tests/unit/test_full \
	tests/unit/test_granted \
	tests/unit/test_heap \
	tests/unit/test_heap_check \
	tests/unit/test_heap_purge \
	tests/unit/test_heap_tables \
	tests/unit/test_hugepages \
	tests/unit/test_idle \
	tests/unit/test_kept \
	tests/unit/test_large \
	tests/unit/test_limit \
	tests/unit/test_links \
	tests/unit/test_list \
	tests/unit/test_lock \
	tests/unit/test_mapping \
	tests/unit/test_meta \
	tests/unit/test_misuse \
	tests/unit/test_options \
	tests/unit/test_os_linux \
	tests/unit/test_ownermap \
	tests/unit/test_pages \
	tests/unit/test_choose \
	tests/unit/test_runs \
	tests/unit/test_chunks \
	tests/unit/test_pool \
	tests/unit/test_pool_check \
	tests/unit/test_pool_purge \
	tests/unit/test_provider \
	tests/unit/test_early \
	tests/unit/test_purge \
	tests/unit/test_registry \
	tests/unit/test_remote \
	tests/unit/test_sizeclass \
	tests/unit/test_sleeping \
	tests/unit/test_text \
	tests/unit/test_spare_lists \
	tests/unit/test_transfer \
	tests/unit/test_thread \
	tests/unit/test_tlb \
	tests/unit/test_turns \
	tests/unit/test_vdso \
	tests/unit/test_visit
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

tests_unit_test_alone_CFLAGS = $(unit_cflags)
tests_unit_test_alone_LDADD = $(unit_libs)
tests_unit_test_alloc_CFLAGS = $(unit_cflags)
tests_unit_test_alloc_LDADD = $(unit_libs)
tests_unit_test_spare_CFLAGS = $(unit_cflags)
tests_unit_test_spare_LDADD = $(unit_libs)
tests_unit_test_spans_CFLAGS = $(unit_cflags)
tests_unit_test_spans_LDADD = $(unit_libs)
tests_unit_test_arena_check_CFLAGS = $(unit_cflags)
tests_unit_test_arena_check_LDADD = $(unit_libs)
tests_unit_test_background_CFLAGS = $(unit_cflags)
tests_unit_test_background_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_create
tests_unit_test_background_LDADD = $(unit_libs)
tests_unit_test_batches_CFLAGS = $(unit_cflags)
tests_unit_test_batches_LDADD = $(unit_libs)
tests_unit_test_bitmap_CFLAGS = $(unit_cflags)
tests_unit_test_bitmap_LDADD = $(unit_libs)
tests_unit_test_census_CFLAGS = $(unit_cflags)
tests_unit_test_census_LDADD = $(unit_libs)
tests_unit_test_common_CFLAGS = $(unit_cflags)
tests_unit_test_common_LDADD = $(unit_libs)
# Fake interpreters: one that the test is linked to, and two that it loads; an
# -rpath makes libtool build them shared.
check_LTLIBRARIES += \
	tests/unit/libfake_cpython.la \
	tests/unit/fake_late.la \
	tests/unit/fake_partial.la
fake_ldflags = $(AM_LDFLAGS) -shared -avoid-version -rpath $(abs_builddir)/tests/unit
tests_unit_libfake_cpython_la_SOURCES = tests/unit/fake_cpython.c
tests_unit_libfake_cpython_la_LDFLAGS = $(fake_ldflags)
tests_unit_fake_late_la_SOURCES = tests/unit/fake_cpython.c
tests_unit_fake_late_la_LDFLAGS = $(fake_ldflags) -module
tests_unit_fake_partial_la_SOURCES = tests/unit/fake_cpython.c
tests_unit_fake_partial_la_CPPFLAGS = $(AM_CPPFLAGS) -DFAKE_PARTIAL
tests_unit_fake_partial_la_LDFLAGS = $(fake_ldflags) -module
tests_unit_test_cpython_CPPFLAGS = $(AM_CPPFLAGS) -DFAKES='"$(abs_builddir)/tests/unit/.libs"'
tests_unit_test_cpython_CFLAGS = $(unit_cflags)
tests_unit_test_cpython_LDFLAGS = $(AM_LDFLAGS) -no-install
# In this order: the test's own calls are ours, as those of a preloaded program.
tests_unit_test_cpython_LDADD = $(unit_libs) tests/unit/libfake_cpython.la
EXTRA_tests_unit_test_cpython_DEPENDENCIES = tests/unit/fake_late.la tests/unit/fake_partial.la
tests_unit_test_domains_CFLAGS = $(unit_cflags)
tests_unit_test_domains_LDADD = $(unit_libs)
tests_unit_test_fatal_CFLAGS = $(unit_cflags)
tests_unit_test_fatal_LDADD = $(unit_libs)
tests_unit_test_faults_CFLAGS = $(unit_cflags)
tests_unit_test_faults_LDADD = $(unit_libs)
tests_unit_test_floating_CFLAGS = $(unit_cflags)
tests_unit_test_floating_LDADD = $(unit_libs)
tests_unit_test_fork_CFLAGS = $(unit_cflags)
tests_unit_test_fork_LDADD = $(unit_libs)
tests_unit_test_full_CFLAGS = $(unit_cflags)
tests_unit_test_full_LDADD = $(unit_libs)
tests_unit_test_granted_CFLAGS = $(unit_cflags)
tests_unit_test_granted_LDADD = $(unit_libs)
tests_unit_test_heap_CFLAGS = $(unit_cflags)
tests_unit_test_heap_LDADD = $(unit_libs)
tests_unit_test_heap_check_CFLAGS = $(unit_cflags)
tests_unit_test_heap_check_LDADD = $(unit_libs)
tests_unit_test_heap_purge_CFLAGS = $(unit_cflags)
tests_unit_test_heap_purge_LDADD = $(unit_libs)
tests_unit_test_heap_tables_CFLAGS = $(unit_cflags)
tests_unit_test_heap_tables_LDADD = $(unit_libs)
tests_unit_test_idle_CFLAGS = $(unit_cflags)
tests_unit_test_idle_LDADD = $(unit_libs)
tests_unit_test_hugepages_CFLAGS = $(unit_cflags)
tests_unit_test_hugepages_LDADD = $(unit_libs)
tests_unit_test_large_CFLAGS = $(unit_cflags)
tests_unit_test_large_LDADD = $(unit_libs)
tests_unit_test_limit_CFLAGS = $(unit_cflags)
tests_unit_test_limit_LDADD = $(unit_libs)
tests_unit_test_links_CFLAGS = $(unit_cflags)
tests_unit_test_links_LDADD = $(unit_libs)
tests_unit_test_list_CFLAGS = $(unit_cflags)
tests_unit_test_list_LDADD = $(unit_libs)
tests_unit_test_lock_CFLAGS = $(unit_cflags)
tests_unit_test_lock_LDADD = $(unit_libs)
tests_unit_test_mapping_CFLAGS = $(unit_cflags)
tests_unit_test_mapping_LDADD = $(unit_libs)
tests_unit_test_meta_CFLAGS = $(unit_cflags)
tests_unit_test_meta_LDADD = $(unit_libs)
tests_unit_test_chunks_CFLAGS = $(unit_cflags)
tests_unit_test_chunks_LDADD = $(unit_libs)
tests_unit_test_misuse_CFLAGS = $(unit_cflags)
tests_unit_test_misuse_LDADD = $(unit_libs)
tests_unit_test_options_CFLAGS = $(unit_cflags)
tests_unit_test_options_LDADD = $(unit_libs)
tests_unit_test_os_linux_CFLAGS = $(unit_cflags)
tests_unit_test_os_linux_LDADD = $(unit_libs)
tests_unit_test_ownermap_CFLAGS = $(unit_cflags)
tests_unit_test_ownermap_LDADD = $(unit_libs)
tests_unit_test_pages_CFLAGS = $(unit_cflags)
tests_unit_test_pages_LDADD = $(unit_libs)
tests_unit_test_choose_CFLAGS = $(unit_cflags)
tests_unit_test_choose_LDADD = $(unit_libs)
tests_unit_test_runs_CFLAGS = $(unit_cflags)
tests_unit_test_runs_LDADD = $(unit_libs)
tests_unit_test_spare_lists_CFLAGS = $(unit_cflags)
tests_unit_test_spare_lists_LDADD = $(unit_libs)
tests_unit_test_transfer_CFLAGS = $(unit_cflags)
tests_unit_test_transfer_LDADD = $(unit_libs)
tests_unit_test_pool_CFLAGS = $(unit_cflags)
tests_unit_test_pool_LDADD = $(unit_libs)
tests_unit_test_pool_check_CFLAGS = $(unit_cflags)
tests_unit_test_pool_check_LDADD = $(unit_libs)
tests_unit_test_pool_purge_CFLAGS = $(unit_cflags)
tests_unit_test_pool_purge_LDADD = $(unit_libs)
tests_unit_test_provider_CFLAGS = $(unit_cflags)
tests_unit_test_provider_LDADD = $(unit_libs)
tests_unit_test_kept_CFLAGS = $(unit_cflags)
tests_unit_test_kept_LDADD = $(unit_libs)
tests_unit_test_early_CFLAGS = $(unit_cflags)
tests_unit_test_early_LDADD = $(unit_libs)
tests_unit_test_purge_CFLAGS = $(unit_cflags)
tests_unit_test_purge_LDADD = $(unit_libs)
tests_unit_test_registry_CFLAGS = $(unit_cflags)
tests_unit_test_registry_LDADD = $(unit_libs)
tests_unit_test_remote_CFLAGS = $(unit_cflags)
tests_unit_test_remote_LDADD = $(unit_libs)
tests_unit_test_sleeping_CFLAGS = $(unit_cflags)
tests_unit_test_sleeping_LDADD = $(unit_libs)
tests_unit_test_visit_CFLAGS = $(unit_cflags)
tests_unit_test_visit_LDADD = $(unit_libs)
tests_unit_test_visit_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pm_os_barrier
tests_unit_test_sizeclass_CFLAGS = $(unit_cflags)
tests_unit_test_sizeclass_LDADD = $(unit_libs)
tests_unit_test_text_CFLAGS = $(unit_cflags)
tests_unit_test_text_LDADD = $(unit_libs)
tests_unit_test_thread_CFLAGS = $(unit_cflags)
tests_unit_test_thread_LDADD = $(unit_libs)
# The test holds the first thread up where it makes its key.
tests_unit_test_thread_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_key_create
tests_unit_test_tlb_CFLAGS = $(unit_cflags)
tests_unit_test_tlb_LDADD = $(unit_libs)
tests_unit_test_turns_CFLAGS = $(unit_cflags)
tests_unit_test_turns_LDADD = $(unit_libs)
tests_unit_test_vdso_CFLAGS = $(unit_cflags)
tests_unit_test_vdso_LDADD = $(unit_libs)
endif
