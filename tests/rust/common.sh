# shellcheck shell=sh
# What the tests of the crates share.  Sourced first by each of them; goes to
# rust/ and sets
#   build     the build folder (else $top_builddir, else the one it was called from)
#   scratch   a folder that goes when the test ends
# Where the tools are missing, or the crates that they build with, the test is
# skipped, and says why.
set -eu
LC_ALL=C
CARGO_TERM_COLOR=never
export LC_ALL CARGO_TERM_COLOR
unset LD_PRELOAD PYMEM_CONF PYTHONMALLOC

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
test_name=$(basename "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# skip REASON
skip() {
  echo "$test_name: skipped: $*"
  exit 77
}

# quietly COMMAND...: its output only if it fails, and then that is the end.
quietly() {
  "$@" >"$scratch/output" 2>&1 || {
    cat "$scratch/output"
    echo "$test_name: failed: $*"
    exit 1
  }
}

# in_system COMMAND...: with the library of the build folder as the installed one.
in_system() {
  PKG_CONFIG_PATH=$scratch/pkgconfig LD_LIBRARY_PATH=$build/.libs "$@"
}

command -v cargo >/dev/null 2>&1 || skip "no cargo"
cargo --version >/dev/null 2>&1 || skip "cargo does not run"
if [ ! -e "$build/.libs/libpymem.so" ]; then
  echo "$test_name: no $build/.libs/libpymem.so: run from the build folder"
  exit 99
fi

# Built once for all tests; the source tree may be read-only, and is to stay clean.
CARGO_TARGET_DIR=$build/rust/target
export CARGO_TARGET_DIR
cd "$here/../../rust"
cargo fetch --locked >"$scratch/output" 2>&1 || {
  cat "$scratch/output"
  skip "the crates that it takes cannot be fetched"
}
CARGO_NET_OFFLINE=true
export CARGO_NET_OFFLINE

mkdir "$scratch/pkgconfig"
cat >"$scratch/pkgconfig/pymem.pc" <<END
Name: pymem
Description: not installed yet
Version: $(sed -n 's/^Version: //p' "$build/pymem.pc")
Libs: -L$build/.libs -lpymem
Cflags: -I$here/../../include -I$build/include
END
