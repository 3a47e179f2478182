# tests/stress: random tests against a model and stress programs; included by
# tests/local.mk.  Each is built on the malloc names of libpymem.la, or, in a
# sanitizer build (there malloc is the sanitizer's), on the PyMem names of
# libpymem_core.la as NAME_core.  model_core also runs in ordinary builds: it
# is the one in which the heap's own checker walks everything.
# race_double_free is a data race by intent: it has no sanitized form.  Nor has
# fork_streams: it is about locks, and a sanitizer's malloc has others.

stress_common = tests/stress/stress.c tests/stress/stress.h tests/stress/heap_under_test.h \
	tests/stress/labelled.h
stress_model = tests/stress/model.c tests/stress/livemap.c tests/stress/livemap.h $(stress_common)

# -no-install: no wrapper script between the test and its program.
stress_cflags = $(AM_CFLAGS) -pthread
stress_ldflags = $(AM_LDFLAGS) -pthread -no-install
stress_cppflags = $(AM_CPPFLAGS) -DHUT_LIBPYMEM
stress_core_cppflags = $(AM_CPPFLAGS) -DHUT_PYMEM -DHUT_CHECK

stress_core_programs = tests/stress/model_core
if SANITIZED
stress_programs =
stress_core_programs += tests/stress/threads_flat_core tests/stress/remote_core \
	tests/stress/sleepers_core tests/stress/fork_stress_core tests/stress/oom_core
else
stress_programs = tests/stress/model tests/stress/threads_flat tests/stress/remote \
	tests/stress/sleepers \
	tests/stress/fork_stress tests/stress/fork_streams tests/stress/oom \
	tests/stress/race_double_free
endif

check_PROGRAMS += $(stress_programs) $(stress_core_programs)
TESTS += $(stress_programs) $(stress_core_programs)

tests_stress_model_SOURCES = $(stress_model)
tests_stress_model_CPPFLAGS = $(stress_cppflags)
tests_stress_model_CFLAGS = $(stress_cflags)
tests_stress_model_LDFLAGS = $(stress_ldflags)
tests_stress_model_LDADD = libpymem.la
tests_stress_model_core_SOURCES = $(stress_model)
tests_stress_model_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_model_core_CFLAGS = $(stress_cflags)
tests_stress_model_core_LDFLAGS = $(stress_ldflags)
tests_stress_model_core_LDADD = libpymem_core.la

tests_stress_threads_flat_SOURCES = tests/stress/threads_flat.c $(stress_common)
tests_stress_threads_flat_CPPFLAGS = $(stress_cppflags)
tests_stress_threads_flat_CFLAGS = $(stress_cflags)
tests_stress_threads_flat_LDFLAGS = $(stress_ldflags)
tests_stress_threads_flat_LDADD = libpymem.la
tests_stress_threads_flat_core_SOURCES = tests/stress/threads_flat.c $(stress_common)
tests_stress_threads_flat_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_threads_flat_core_CFLAGS = $(stress_cflags)
tests_stress_threads_flat_core_LDFLAGS = $(stress_ldflags)
tests_stress_threads_flat_core_LDADD = libpymem_core.la

tests_stress_remote_SOURCES = tests/stress/remote.c $(stress_common)
tests_stress_remote_CPPFLAGS = $(stress_cppflags)
tests_stress_remote_CFLAGS = $(stress_cflags)
tests_stress_remote_LDFLAGS = $(stress_ldflags)
tests_stress_remote_LDADD = libpymem.la
tests_stress_remote_core_SOURCES = tests/stress/remote.c $(stress_common)
tests_stress_remote_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_remote_core_CFLAGS = $(stress_cflags)
tests_stress_remote_core_LDFLAGS = $(stress_ldflags)
tests_stress_remote_core_LDADD = libpymem_core.la

tests_stress_sleepers_SOURCES = tests/stress/sleepers.c $(stress_common)
tests_stress_sleepers_CPPFLAGS = $(stress_cppflags)
tests_stress_sleepers_CFLAGS = $(stress_cflags)
tests_stress_sleepers_LDFLAGS = $(stress_ldflags)
tests_stress_sleepers_LDADD = libpymem.la
tests_stress_sleepers_core_SOURCES = tests/stress/sleepers.c $(stress_common)
tests_stress_sleepers_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_sleepers_core_CFLAGS = $(stress_cflags)
tests_stress_sleepers_core_LDFLAGS = $(stress_ldflags)
tests_stress_sleepers_core_LDADD = libpymem_core.la

tests_stress_fork_stress_SOURCES = tests/stress/fork_stress.c $(stress_common)
tests_stress_fork_stress_CPPFLAGS = $(stress_cppflags)
tests_stress_fork_stress_CFLAGS = $(stress_cflags)
tests_stress_fork_stress_LDFLAGS = $(stress_ldflags)
tests_stress_fork_stress_LDADD = libpymem.la
tests_stress_fork_stress_core_SOURCES = tests/stress/fork_stress.c $(stress_common)
tests_stress_fork_stress_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_fork_stress_core_CFLAGS = $(stress_cflags)
tests_stress_fork_stress_core_LDFLAGS = $(stress_ldflags)
tests_stress_fork_stress_core_LDADD = libpymem_core.la

tests_stress_oom_SOURCES = tests/stress/oom.c $(stress_common)
tests_stress_oom_CPPFLAGS = $(stress_cppflags)
tests_stress_oom_CFLAGS = $(stress_cflags)
tests_stress_oom_LDFLAGS = $(stress_ldflags)
tests_stress_oom_LDADD = libpymem.la
tests_stress_oom_core_SOURCES = tests/stress/oom.c $(stress_common)
tests_stress_oom_core_CPPFLAGS = $(stress_core_cppflags)
tests_stress_oom_core_CFLAGS = $(stress_cflags)
tests_stress_oom_core_LDFLAGS = $(stress_ldflags)
tests_stress_oom_core_LDADD = libpymem_core.la

tests_stress_fork_streams_SOURCES = tests/stress/fork_streams.c $(stress_common)
tests_stress_fork_streams_CPPFLAGS = $(stress_cppflags)
tests_stress_fork_streams_CFLAGS = $(stress_cflags)
tests_stress_fork_streams_LDFLAGS = $(stress_ldflags)
tests_stress_fork_streams_LDADD = libpymem.la

tests_stress_race_double_free_SOURCES = tests/stress/race_double_free.c $(stress_common)
tests_stress_race_double_free_CPPFLAGS = $(stress_cppflags)
tests_stress_race_double_free_CFLAGS = $(stress_cflags)
tests_stress_race_double_free_LDFLAGS = $(stress_ldflags)
tests_stress_race_double_free_LDADD = libpymem.la
