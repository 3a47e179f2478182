# tests/python.mk: the library inside CPython (tests/python), one test for each
# theme.  They run the interpreter that $PYTHON names, by default Debian's.

EXTRA_DIST += \
	$(python_tests) \
	tests/python/cpython_suite \
	tests/python/embed_linked.c \
	tests/python/embed_loaded.c \
	tests/python/extension.c \
	tests/python/probe.py \
	tests/python/run \
	tests/python/support.py

python_tests = \
	tests/python/test_embed.py \
	tests/python/test_exit.py \
	tests/python/test_extension.py \
	tests/python/test_late.py \
	tests/python/test_memory_error.py \
	tests/python/test_multiprocessing.py \
	tests/python/test_objects.py \
	tests/python/test_owns.py \
	tests/python/test_pythonmalloc.py \
	tests/python/test_subinterpreters.py \
	tests/python/test_threads.py \
	tests/python/test_tracemalloc.py

# A sanitizer's own malloc would have to be preloaded before ours.
if !SANITIZED
TESTS += $(python_tests)
endif
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(srcdir)/tests/python/run
