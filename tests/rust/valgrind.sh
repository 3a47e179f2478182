#!/bin/sh
# The crate's tests under valgrind: no invalid access in Rust or C, also where a
# block is freed by another thread than the one that made it.
# shellcheck source=tests/rust/common.sh
. "$(dirname "$0")/common.sh"

command -v valgrind >/dev/null 2>&1 || skip "no valgrind"

PYMEM_TEST_FEWER=1
export PYMEM_TEST_FEWER

# The limit on the process is below what valgrind itself takes.
unfit=suite::a_refusal_is_an_error_that_can_be_handled

cargo test --locked --no-run -p pymem --features pymem/host --message-format=json \
  >"$scratch/messages" 2>"$scratch/errors" || {
  cat "$scratch/errors"
  exit 1
}
sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$scratch/messages" >"$scratch/programs"
[ "$(grep -c -E '/(heap|raw|mem)-[^/]*$' "$scratch/programs")" = 3 ] || {
  echo "the test programs were not found:"
  cat "$scratch/programs"
  exit 1
}
grep -E '/(heap|raw|mem)-[^/]*$' "$scratch/programs" | while read -r program; do
  quietly valgrind --quiet --error-exitcode=9 --leak-check=no "$program" --skip $unfit \
    --test-threads=1
done
