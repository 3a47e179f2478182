# tests/tools: the tests of the `pymem` command.  They run from the build tree.
TESTS += tests/tools/test_pymem_run.sh
EXTRA_DIST += tests/tools/test_pymem_run.sh
