#!/bin/sh
# The shared library exports exactly the names of lib/exports.list and is linked
# as promised (soname, libc only, never unloaded, no writable code); the static
# library defines none of libc's names and only ours.
. "$(dirname "$0")/common.sh"

[ -n "$build" ] || skip "no build folder given"
if ! grep -q '^PM_SANITIZE = *$' "$build/Makefile"; then
  skip "a build with a sanitizer links more than others"
fi

# built NAME: where the build has put the library NAME.
built() {
  for place in "$build/.libs/$1" "$build/lib/.libs/$1" "$build/$1" "$build/lib/$1"; do
    if [ -e "$place" ]; then
      echo "$place"
      return 0
    fi
  done
}
shared=$(built libpymem.so)
static=$(built libpymem.a)

check_names() {
  grep -v -e '^#' -e '^$' lib/exports.list | sed 's/[[:space:]]*#.*//' | sort >"$scratch/wanted"
  uniq -d "$scratch/wanted" | sed 's|^|lib/exports.list: listed twice: |' | problems
  # "A" is the version itself.
  nm -D --defined-only "$shared" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' |
    sort -u >"$scratch/found"
  comm -13 "$scratch/wanted" "$scratch/found" |
    sed "s|^|libpymem.so: exported but not in lib/exports.list: |" | problems
  sort -u "$scratch/wanted" | comm -23 - "$scratch/found" |
    while read -r name; do
      line=$(grep -n -w -F -e "$name" lib/exports.list | head -n 1 | cut -d: -f1)
      problem "lib/exports.list:$line: not exported: $name"
    done
}

check_linking() {
  readelf -W -d "$shared" >"$scratch/dynamic"
  readelf -W -l "$shared" >"$scratch/segments"
  grep -q 'SONAME.*\[libpymem\.so\.0\]' "$scratch/dynamic" ||
    problem "libpymem.so: the soname is not libpymem.so.0"
  sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$scratch/dynamic" |
    grep -v -E '^(libc\.so\.6|libc\.so|libc\.musl-.*|ld-linux.*|ld-musl-.*)$' |
    sed 's/^/libpymem.so: needs another library than libc: /' | problems
  grep -q 'FLAGS_1.*NODELETE' "$scratch/dynamic" ||
    problem "libpymem.so: not linked with -z nodelete"
  ! grep -q 'TEXTREL' "$scratch/dynamic" || problem "libpymem.so: has text relocations"
  grep 'GNU_STACK' "$scratch/segments" | grep -q ' RW ' ||
    problem "libpymem.so: the stack is executable"
}

check_static() {
  nm -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u |
    grep -v -E '^(pymem_|pm_|PyMem_|PyObject_)' |
    sed 's/^/libpymem.a: defines a name that is not ours: /' | problems
}

if [ -n "$shared" ]; then check_names && check_linking; else problem "libpymem.so: not built"; fi
if [ -n "$static" ]; then check_static; else problem "libpymem.a: not built"; fi
finish
