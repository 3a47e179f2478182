# shellcheck shell=bash
# python3: the demonstration's job and a part of Python's own regression tests.
# The package of the tests has the version in its name.
release=$(readlink /usr/bin/python3 || echo python3.11)
needs=(python3=dpkg "lib$release-testsuite=dpkg")
probe=(/usr/bin/python3 -c 'pass')
suite=(test_json test_list test_dict test_set test_bytes test_unicode test_re test_array
  test_memoryview test_zlib test_pickle test_thread test_weakref test_itertools test_mmap)

version() {
  /usr/bin/python3 --version
}

prepare() {
  :
}

job() {
  PYTHONHASHSEED=0 under /usr/bin/python3 "$source_root/scripts/demo_job.py" >result
  cut -d' ' -f1 result
  under /usr/bin/python3 -m test -q "${suite[@]}" >tests.out 2>&1 || {
    tail -n 20 tests.out >&2
    return 1
  }
  grep -E '^(== )?Tests result: |^Result: ' tests.out
}
