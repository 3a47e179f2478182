#!/bin/sh
# A Python extension module in Rust (rust/json) inside an interpreter that knows
# nothing of the library, and inside one that has it preloaded.
# shellcheck source=tests/rust/common.sh
. "$(dirname "$0")/common.sh"

python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null ||
  skip "no interpreter from 3.8 on: $python"

PYO3_PYTHON=$python
PYTHONDONTWRITEBYTECODE=1
export PYO3_PYTHON PYTHONDONTWRITEBYTECODE
quietly cargo build --quiet --locked --release -p pymem-json
cp "$CARGO_TARGET_DIR/release/libpymem_json.so" "$scratch/pymem_json.so"

# check NAME [VARIABLE=VALUE...]: the tests in such an environment.
check() {
  name=$1
  shift
  PYTHONPATH=$scratch
  export PYTHONPATH
  quietly env "$@" "$python" "$here/test_module.py"
  echo "ok $name: $(tail -n 1 "$scratch/output")"
}

check plain
check debug PYTHONMALLOC=debug
check malloc PYTHONMALLOC=malloc
check preloaded LD_PRELOAD="$build/.libs/libpymem.so"
check preloaded-debug LD_PRELOAD="$build/.libs/libpymem.so" PYTHONMALLOC=debug
check developer-mode PYTHONDEVMODE=1
