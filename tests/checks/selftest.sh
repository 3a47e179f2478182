#!/bin/sh
# Proves that the checks see what they are for: each of them passes on a small
# good source tree and fails, naming the place, on a bad one.
set -eu
checks=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
count=0

# fresh_tree: a good source tree in $root/tree.
fresh_tree() {
  rm -rf "$root/tree"
  mkdir -p "$root/tree" && cd "$root/tree"
  mkdir -p lib/os lib/arena lib/pool lib/api tests/unit tests/checks doc build
  cp "$checks/../../.clang-format" .
  printf '%s\n' '/* os.h - the bottom. */' 'int pm_os_map(void);' >lib/os/os.h
  printf '%s\n' '#include "os/os.h"' '' '#include <sys/mman.h>' '' 'int pm_os_map(void)' '{' \
    '    return MAP_PRIVATE;' '}' >lib/os/os.c
  printf '%s\n' '#include "os/os.h"' '' '/* As pm_os_map(), never malloc(). */' \
    'int pm_arena_new(void);' >lib/arena/arena.h
  printf '%s\n' '#include "arena/arena.h"' '' 'static _Atomic int ready;' '' \
    'int pm_arena_new(void)' '{' '    /* pairs with nothing */' \
    '    return atomic_load_explicit(&ready, memory_order_acquire);' '}' >lib/arena/arena.c
  printf '%s\n' 'static const struct option options[] = {' '    KEY(verbose, BOOLEAN),' '};' >lib/os/options.c
  printf '%s\n' 'int main(void)' '{' '    return 0;' '}' >tests/unit/test_os.c
  cp tests/unit/test_os.c tests/unit/test_arena.c
  cp tests/unit/test_os.c tests/unit/test_options.c
  printf '%s\n' '# names' 'pymem_owns' >lib/exports.list
  echo 'pymem_owns answers' >doc/pymem.3
  echo 'verbose: say more' >doc/pymem.conf.5
}

# run_check NAME: its output goes to $root/output.
run_check() {
  # From the tree, so that a build folder is only found where one is given.
  (cd "$root/tree" && PYMEM_CHECK_ROOT=$root/tree "$checks/$1.sh" "${2:-build}" >"$root/output" 2>&1)
}

# passes NAME: on the tree as it is.
passes() {
  count=$((count + 1))
  run_check "$1" || fail "$1 does not pass on a good tree"
}

# fails NAME TEXT: on the tree as it is, with TEXT in what it prints.
fails() {
  count=$((count + 1))
  if run_check "$1"; then fail "$1 does not see: $2"; fi
  grep -q -F -e "$2" "$root/output" || fail "$1 does not print: $2"
  fresh_tree
}

fail() {
  cat "$root/output"
  echo "selftest.sh: $1"
  exit 1
}

# repeat N TEXT
repeat() {
  awk -v n="$1" -v text="$2" 'BEGIN {for (i = 0; i < n; i++) print text}'
}

test_layers() {
  passes layers
  echo '#include "arena/arena.h"' >>lib/os/os.c
  fails layers 'lib/os/os.c:9: upward include: arena/arena.h'
  echo '#include "os/os.c"' >>lib/arena/arena.c
  fails layers 'lib/arena/arena.c:10: includes a .c file'
  echo '#include "os/gone.h"' >>lib/arena/arena.c
  fails layers 'lib/arena/arena.c:10: no such file'
  echo '#include "arena/a.h"' >lib/arena/b.h
  echo '#include "b.h"' >lib/arena/a.h
  fails layers 'lib/arena/a.h: in a cycle of includes'
  echo '#  include <unistd.h>' >>lib/arena/arena.c
  fails layers 'lib/arena/arena.c:10: only lib/os may include <unistd.h>'
  echo 'void *f(void) { return malloc(3); }' >>lib/arena/arena.c
  fails layers 'lib/arena/arena.c:10:'
  echo 'void *f(struct a *a) { return a->malloc(a->ctx, 3); }' >>lib/arena/arena.c
  passes layers
  fresh_tree
}

# The version that tests/checks/format.sh goes by.
formatter_is_ours() {
  clang-format --version 2>/dev/null | grep -q 'version 14\.'
}

test_text() {
  passes format
  printf 'int  x;\n' >>lib/os/os.h
  formatter_is_ours && fails format 'lib/os/os.h:3: not as clang-format'
  fresh_tree
  printf 'text' >doc/a.md
  fails format 'doc/a.md:1: no newline'
  printf 'text \n' >doc/a.md
  fails format 'doc/a.md:1: trailing blank'
  printf 'a\tb\n' >doc/a.md
  fails format 'doc/a.md:1: tab'
  passes words
  printf '/* %s%s: later */\n' TO DO >>lib/os/os.h
  fails words 'lib/os/os.h:3: a reminder'
  printf '/* %s%s(ada): later */\n' TO DO >>lib/os/os.h
  passes words
  fresh_tree
  printf 'see /%s/file\n' root >doc/a.md
  fails words 'doc/a.md:1: a path of one machine'
  printf '#if %d\n#endif\n' 0 >>lib/os/os.h
  fails words 'lib/os/os.h:3: code that is switched off'
}

test_lengths() {
  passes lengths
  repeat 499 'int x;' >>lib/os/os.h
  fails lengths 'lib/os/os.h:500: 501 lines'
  { printf 'static int\nlong_one(int a,\n  int b)\n{\n' && repeat 59 '    x();' && echo '}'; } >>lib/os/os.c
  fails lengths 'long_one has 61 lines'
  mkdir lib/heap
  { printf 'void *alloc(void)\n{\n' && repeat 29 '    x();' && echo '}'; } >lib/heap/alloc.h
  fails lengths 'lib/heap/alloc.h:2: alloc has 31 lines'
  { printf 'void *alloc(void)\n{\n' && repeat 60 '    x();' && echo '}'; } >lib/os/alloc.c
  echo 'lib/os/alloc.c:alloc a reason' >tests/checks/lengths.exceptions
  passes lengths
  echo 'lib/os/alloc.c:alloc' >tests/checks/lengths.exceptions
  fails lengths 'no reason given'
  echo 'lib/os/os.c:gone a reason' >tests/checks/lengths.exceptions
  fails lengths 'not needed any more: lib/os/os.c:gone'
}

test_comments() {
  passes atomics
  sed -i '/pairs with/d' lib/arena/arena.c
  fails atomics 'lib/arena/arena.c:7: orders memory'
  sed -i '/pairs with/d; s/^int pm_arena_new/\/* pairs\n * with x *\/\n&/' lib/arena/arena.c
  sed -i 's/^\/\* pairs$/\/* pairs with x/' lib/arena/arena.c
  passes atomics
  sed -i 's/^int pm_arena_new/\n\n&/' lib/arena/arena.c
  fails atomics 'orders memory'
  passes quoted
  echo '/* see pm_arena_gone() */' >>lib/os/os.h
  fails quoted 'lib/os/os.h:3: no such function: pm_arena_gone()'
}

test_lists() {
  passes mirror
  rm tests/unit/test_os.c
  fails mirror 'lib/os/os.c:1: has no tests/unit/test_os.c'
  rm tests/unit/test_os.c
  echo 'lib/os/os.c tested by all others' >tests/checks/mirror.exceptions
  passes mirror
  fresh_tree
  echo 'lib/os/gone.c a reason' >tests/checks/mirror.exceptions
  fails mirror 'no such file: lib/os/gone.c'
  passes manual
  echo pymem_trim >>lib/exports.list
  fails manual 'lib/exports.list:3: not described in doc/pymem.3: pymem_trim'
  sed -i 's/^};/    KEY(decay_ms, NUMBER),\n&/' lib/os/options.c
  fails manual 'not described in doc/pymem.conf.5: decay_ms'
}

# link_library FLAG...: a shared and a static library as the build would leave
# them, from the tree's lib.c.
link_library() {
  mkdir -p build/.libs
  touch build/config.status
  echo 'PM_SANITIZE = ' >build/Makefile
  ${CC:-cc} -O1 -fPIC -c -o build/static.o lib.c
  rm -f build/libpymem.a && ar rc build/libpymem.a build/static.o
  ${CC:-cc} -O1 -fPIC -shared -o build/.libs/libpymem.so lib.c -Wl,-soname,libpymem.so.0 "$@"
}

test_exports() {
  command -v "${CC:-cc}" >/dev/null || return 0
  echo 'int pymem_owns(void) { return 1; }' >lib.c
  link_library -Wl,-z,nodelete
  passes exports
  link_library
  fails exports 'not linked with -z nodelete'
  echo 'int pymem_owns(void) { return 1; } int pm_hidden(void) { return 2; }' >lib.c
  link_library -Wl,-z,nodelete
  fails exports 'exported but not in lib/exports.list: pm_hidden'
  echo 'int pm_x; void free(void *p) { (void)p; }' >lib.c
  link_library -Wl,-z,nodelete
  fails exports 'libpymem.a: defines a name that is not ours: free'
  echo 'int pm_x;' >lib.c
  link_library -Wl,-z,nodelete
  fails exports 'lib/exports.list:2: not exported: pymem_owns'
  echo 'int pymem_owns(void) { return 1; }' >lib.c
  link_library -Wl,-z,nodelete,-z,execstack
  fails exports 'the stack is executable'
  echo 'int pymem_owns(void) { return 1; }' >lib.c
  link_library -Wl,-z,nodelete,--no-as-needed -lm
  fails exports 'needs another library than libc: libm.so.6'
}

fresh_tree
test_layers
test_text
test_lengths
test_comments
test_lists
test_exports
echo "selftest.sh: $count examples judged as they should be"
