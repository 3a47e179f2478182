# bench: programs that only `make bench` builds and runs; they link nothing but libc.

bench_programs = \
	bench/big_blocks \
	bench/churn \
	bench/larson \
	bench/launch \
	bench/mixed \
	bench/pair_lifo \
	bench/pair_mixed \
	bench/prodcons \
	bench/realloc_growth \
	bench/replace \
	bench/short_threads \
	bench/sleepers \
	bench/sparse \
	bench/strings \
	bench/threads \
	bench/tree

# The compiler may otherwise remove a malloc whose block it can do without. No sanitizer here:
# it would bring an allocator of its own.
bench_cflags = $(PM_CFLAGS) -O2 -pthread -fno-builtin-malloc -fno-builtin-calloc \
	-fno-builtin-realloc -fno-builtin-free

bench_big_blocks_SOURCES = bench/big_blocks.c
bench_big_blocks_CFLAGS = $(bench_cflags)
bench_big_blocks_LDFLAGS =
bench_churn_SOURCES = bench/churn.c
bench_churn_CFLAGS = $(bench_cflags)
bench_churn_LDFLAGS =
bench_larson_SOURCES = bench/larson.c
bench_larson_CFLAGS = $(bench_cflags)
bench_larson_LDFLAGS =
bench_launch_SOURCES = bench/launch.c
bench_launch_CFLAGS = $(bench_cflags)
bench_launch_LDFLAGS =
bench_mixed_SOURCES = bench/mixed.c
bench_mixed_CFLAGS = $(bench_cflags)
bench_mixed_LDFLAGS =
bench_pair_lifo_SOURCES = bench/pair_lifo.c
bench_pair_lifo_CFLAGS = $(bench_cflags)
bench_pair_lifo_LDFLAGS =
bench_pair_mixed_SOURCES = bench/pair_mixed.c
bench_pair_mixed_CFLAGS = $(bench_cflags)
bench_pair_mixed_LDFLAGS =
bench_prodcons_SOURCES = bench/prodcons.c
bench_prodcons_CFLAGS = $(bench_cflags)
bench_prodcons_LDFLAGS =
bench_realloc_growth_SOURCES = bench/realloc_growth.c
bench_realloc_growth_CFLAGS = $(bench_cflags)
bench_realloc_growth_LDFLAGS =
bench_replace_SOURCES = bench/replace.c
bench_replace_CFLAGS = $(bench_cflags)
bench_replace_LDFLAGS =
bench_short_threads_SOURCES = bench/short_threads.c
bench_short_threads_CFLAGS = $(bench_cflags)
bench_short_threads_LDFLAGS =
bench_sleepers_SOURCES = bench/sleepers.c
bench_sleepers_CFLAGS = $(bench_cflags)
bench_sleepers_LDFLAGS =
bench_sparse_SOURCES = bench/sparse.c
bench_sparse_CFLAGS = $(bench_cflags)
bench_sparse_LDFLAGS =
bench_strings_SOURCES = bench/strings.c
bench_strings_CFLAGS = $(bench_cflags)
bench_strings_LDFLAGS =
bench_threads_SOURCES = bench/threads.c
bench_threads_CFLAGS = $(bench_cflags)
bench_threads_LDFLAGS =
bench_tree_SOURCES = bench/tree.c
bench_tree_CFLAGS = $(bench_cflags)
bench_tree_LDFLAGS =

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
EXTRA_DIST += \
	bench/README.md \
	bench/allocators.py \
	bench/commands.py \
	bench/field.py \
	bench/instructions \
	bench/measure.py \
	bench/pictures \
	bench/python/handed_back.py \
	bench/python/own_programs.py \
	bench/python/programs/async_tasks.py \
	bench/python/programs/byte_buffers.py \
	bench/python/programs/closures.py \
	bench/python/programs/deep_recursion.py \
	bench/python/programs/json_documents.py \
	bench/python/programs/number_lists.py \
	bench/python/programs/object_tree.py \
	bench/python/programs/pickling.py \
	bench/python/programs/records.py \
	bench/python/programs/source_code.py \
	bench/python/programs/text.py \
	bench/python/programs/thread_pipeline.py \
	bench/python/programs/with_numpy.py \
	bench/python/programs/with_numpy_large.py \
	bench/python/programs/with_orjson.py \
	bench/python/programs/with_pandas.py \
	bench/python/pyperformance.py \
	bench/python/run \
	bench/report.py \
	bench/run \
	bench/rust/commands \
	bench/rust/json \
	bench/services/flask_app.py \
	bench/services/rack_app.ru \
	bench/services/redis_load.py \
	bench/services/run \
	bench/services/server.py \
	bench/startup

# BENCHFLAGS goes to the script: make bench BENCHFLAGS='--rounds 3 --only churn'
bench: $(bench_programs) $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/run --build-dir $(top_builddir) $(BENCHFLAGS)

bench-services: bench/launch bench/pair_lifo $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/services/run --build-dir $(top_builddir) $(BENCHFLAGS)

bench-python: bench/launch bench/pair_lifo $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/python/run --build-dir $(top_builddir) $(BENCHFLAGS)

bench-instructions: bench/launch bench/pair_lifo bench/pair_mixed $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/instructions --build-dir $(top_builddir) $(BENCHFLAGS)

bench-startup: bench/launch bench/pair_lifo $(lib_LTLIBRARIES)
	$(top_srcdir)/bench/startup --build-dir $(top_builddir) $(BENCHFLAGS)

bench-programs: $(bench_programs)

.PHONY: bench bench-instructions bench-programs bench-python bench-services bench-startup
