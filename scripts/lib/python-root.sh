# shellcheck shell=bash
# What scripts/other-pythons does inside the root of another release: packages,
# build, tests.  Sourced there; the current directory is the source root.
# shellcheck source=scripts/lib/packages.sh
. scripts/lib/packages.sh
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh

PYTHON=/usr/bin/python3
export PYTHON

# What the Python tests take on top of building.
python_packages=(python3=dpkg python3-dev=dpkg libpython3-dev=dpkg)
# What the regression tests look for: services, time zones.
suite_packages=(netbase=dpkg tzdata=dpkg)

root_packages() {
  install_packages packages.log "${build_packages[@]}" "${python_packages[@]}" || return
  "$PYTHON" -c 'import sys; print("interpreter: CPython", sys.version.split()[0])'
}

root_build() {
  bootstrap_if_needed
  build_dir build/pythons
  make -C build/pythons "$(jobs_flag)"
}

root_tests() {
  local status=0
  (cd build/pythons && ../../tests/python/run) >tests.out 2>&1 || status=$?
  cat tests.out
  sums <tests.out
  # A theme that failed is in the sums; 77: all of them were skipped.
  [ $status = 0 ] || [ $status = 77 ] || grep -q '^FAILED ' tests.out
}

# sums: reads what tests/python/run prints; writes sums like Automake's.
sums() {
  awk '
    /^ok [a-z0-9_]+: [0-9]+ tests/ {p += $3; if ($6 == "skipped") s += $5}
    /^skipped [a-z0-9_]+: / {s++}
    /^python: skipped: / {s++}
    /^FAILED [a-z0-9_]+: / {f++}
    END {printf "# PASS: %d\n# FAIL: %d\n# SKIP: %d\n", p, f, s}'
}

# One test among the sums.
root_suite() {
  local version
  version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  install_packages packages.log "${suite_packages[@]}" "libpython$version-testsuite=dpkg"
  if tests/python/cpython_suite --jobs "$(nproc)" --library build/pythons/.libs/libpymem.so; then
    echo '# PASS: 1'
  else
    echo '# FAIL: 1'
  fi
}
