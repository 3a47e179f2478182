#!/bin/sh
# Little address space: under `ulimit -v` of 200 MB from the first call on, and
# with the limit lowered while the program runs.
set -eu

programs=${PYMEM_TEST_PROGRAMS:-tests/api}

(
  # In KB; some shells offer no such limit.
  # shellcheck disable=SC3045
  ulimit -v 204800 2>/dev/null || {
    echo "limits: this shell cannot limit address space"
    exit 77
  }
  "$programs/limits_fill"
  "$programs/limits_idle"
)
"$programs/limits_lower"
