#!/bin/sh
# Every lib/*/NAME.c has its tests/unit/test_NAME.c (what programs call, lib/api,
# may have it in tests/api), except for those listed with a reason in
# tests/checks/mirror.exceptions.
. "$(dirname "$0")/common.sh"

exceptions mirror.exceptions >"$scratch/exceptions"
for source in $(files_like '^lib/[^/]*/[^/]*\.c$'); do
  test=tests/unit/test_$(basename "$source")
  for other in "tests/api/test_$(basename "$source")" "tests/api/test_$(basename "$source")pp"; do
    case $source in lib/api/*) [ ! -f "$other" ] || test=$other ;; esac
  done
  if grep -q -x -F -e "$source" "$scratch/exceptions"; then
    [ ! -f "$test" ] || problem "tests/checks/mirror.exceptions: has a test by now: $source"
  elif [ ! -f "$test" ]; then
    problem "$source:1: has no $test"
  fi
done
while read -r source; do
  [ -f "$source" ] || problem "tests/checks/mirror.exceptions: no such file: $source"
done <"$scratch/exceptions"
finish
