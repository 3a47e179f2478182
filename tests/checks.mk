# The checks that keep the project in shape (tests/checks), and what else only a
# developer runs.  All of it is in the tarball: "make check" works there too.

dist_check_SCRIPTS = \
	tests/checks/atomics.sh \
	tests/checks/exports.sh \
	tests/checks/format.sh \
	tests/checks/layers.sh \
	tests/checks/lengths.sh \
	tests/checks/manual.sh \
	tests/checks/mirror.sh \
	tests/checks/quoted.sh \
	tests/checks/selftest.sh \
	tests/checks/words.sh

TESTS += $(dist_check_SCRIPTS)

EXTRA_DIST += \
	.ci/run \
	scripts/demo \
	scripts/demo_job.py \
	scripts/lib/build.sh \
	scripts/lib/files.sh \
	scripts/lib/packages.sh \
	scripts/lib/python-root.sh \
	scripts/lib/stages.sh \
	scripts/other-pythons \
	scripts/test \
	tests/checks/common.sh \
	tests/checks/lengths.exceptions \
	tests/checks/mirror.exceptions \
	tests/checks/strip.awk \
	tests/realworld/cases/bash.sh \
	tests/realworld/cases/coreutils.sh \
	tests/realworld/cases/cxx.cpp \
	tests/realworld/cases/cxx.sh \
	tests/realworld/cases/gcc.sh \
	tests/realworld/cases/git.sh \
	tests/realworld/cases/java.sh \
	tests/realworld/cases/libpython.sh \
	tests/realworld/cases/maxima.sh \
	tests/realworld/cases/nginx.sh \
	tests/realworld/cases/node.sh \
	tests/realworld/cases/perl.sh \
	tests/realworld/cases/postgresql.sh \
	tests/realworld/cases/python3.sh \
	tests/realworld/cases/redis.sh \
	tests/realworld/cases/rust.sh \
	tests/realworld/cases/sqlite3.sh \
	tests/realworld/common.sh \
	tests/realworld/run

# For scripts/test, which runs some of the tests in some of its builds.
print-tests:
	@printf '%s\n' $(TESTS)
.PHONY: print-tests
