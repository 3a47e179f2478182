#!/bin/sh
# Runs every misuse program and checks that it dies by SIGABRT with exactly the
# expected line on standard error.  @1 and @2 in a line stand for the addresses
# that the program has written to standard output.
set -eu

programs=${PYMEM_TEST_PROGRAMS:-tests/misuse}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC3045 # an extension that dash, bash and busybox share
ulimit -c 0
count=0
failed=0

complain() {
  echo "misuse: $*"
  failed=$((failed + 1))
}

# The line with the addresses put in.
expected_line() {
  first=$(sed -n 1p "$work/out")
  second=$(sed -n 2p "$work/out")
  printf '%s\n' "$1" | sed "s/@1/$first/; s/@2/$second/"
}

# check "PROGRAM [ARG]" LINE [OTHER LINE THAT IS ALSO RIGHT]
check() {
  count=$((count + 1))
  name=${1%% *}
  if [ ! -x "$programs/$name" ]; then
    complain "$name: no such program"
    return
  fi
  status=0
  # The shell reports the signal on its own standard error, which leads nowhere meanwhile.
  # shellcheck disable=SC2086 # the argument is a word of its own
  { (exec "$programs"/$1 >"$work/out" 2>"$work/err") || status=$?; } 2>/dev/null
  if [ "$status" -ne 134 ]; then
    complain "$1: ended with status $status, not by SIGABRT; standard error:"
    cat "$work/err"
    return
  fi
  expected_line "$2" >"$work/expected"
  if ! cmp -s "$work/expected" "$work/err"; then
    expected_line "${3:-$2}" >"$work/other"
    if ! cmp -s "$work/other" "$work/err"; then
      complain "$1: expected, then found:"
      cat "$work/expected" "$work/err"
    fi
  fi
}

foreign() {
  check "$1" "pymem: $2: @1 is not a block of this heap"
}

inside() {
  check "$1" "pymem: $2: @1 is inside the block at @2"
}

already_free() {
  check "$1" "pymem: $2: @1 is already free"
}

# The arena may have gone back to the system, and then nothing is known of the block.
free_or_gone() {
  check "$1" "pymem: $2: @1 is already free" "pymem: $2: @1 is not a block of this heap"
}

foreign free_stack free
foreign free_static free
foreign free_static_no_pie free
foreign free_mapped free
foreign free_non_canonical free
foreign free_small_integer free
foreign realloc_foreign realloc
foreign pymem_free_foreign PyMem_Free
foreign pymem_rawrealloc_foreign PyMem_RawRealloc

inside free_interior_small free
inside free_interior_odd free
inside free_interior_large free
inside free_interior_huge free
inside free_interior_aligned free
inside realloc_interior realloc
inside usable_size_interior malloc_usable_size
inside free_sized_interior free_sized
inside pyobject_free_interior PyObject_Free
inside pyobject_realloc_interior PyObject_Realloc

check pymem_free_sized_too_large "pymem: pymem_free_sized: @1 has 112 bytes, not 113"
check pymem_free_sized_too_large_huge "pymem: pymem_free_sized: @1 has 1003520 bytes, not 2000000"
check pymem_free_sized_too_large_elsewhere "pymem: pymem_free_sized: @1 has 64 bytes, not 800"
check pymem_free_aligned_elsewhere "pymem: pymem_free_aligned_sized: @1 is not aligned to 4096"

already_free free_twice free
already_free free_twice_later free
already_free free_twice_large free
free_or_gone free_twice_huge free
already_free free_after_realloc free
free_or_gone free_after_trim free
already_free free_interior_of_freed free
already_free free_after_other_thread free
already_free free_in_other_thread free
already_free free_twice_remote free
already_free realloc_freed realloc
already_free realloc_to_zero_freed realloc
already_free reallocarray_freed realloc
already_free usable_size_freed malloc_usable_size
already_free cfree_twice cfree
already_free free_aligned_sized_twice free_aligned_sized
already_free pymem_free_sized_twice pymem_free_sized
already_free pymem_rawfree_twice PyMem_RawFree
already_free pymem_realloc_freed PyMem_Realloc
already_free pymem_usable_size_freed pymem_usable_size
for form in 0 1 2 3 4 5 6 7 8 9 10 11; do
  already_free "operator_delete $form" "operator delete"
done

echo "misuse: $count cases, $failed failed"
[ "$failed" -eq 0 ]
