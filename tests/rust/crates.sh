#!/bin/sh
# The crates' own tests, with the library in the program, with the installed one
# and as a module's; their form, what clippy says, their documentation, and the
# packages that go to the registry.
# shellcheck source=tests/rust/common.sh
. "$(dirname "$0")/common.sh"

patch='patch.crates-io.pymem-sys.path="pymem-sys"'

# crates COMMAND ARGUMENT...: for both, offline, as Cargo.lock has it.
crates() {
  command=$1
  shift
  quietly cargo "$command" --quiet --locked -p pymem-sys -p pymem "$@"
}

# The versions are one: what the crate compiles is what the tree builds.
version=$(sed -n 's/^Version: //p' "$build/pymem.pc")
for manifest in pymem-sys/Cargo.toml pymem/Cargo.toml; do
  grep -q "^version = \"$version\"$" $manifest || {
    echo "rust/$manifest: the version is not the library's, $version"
    exit 1
  }
done

crates test
crates test --features pymem/host
in_system crates test --no-default-features --features pymem/system
crates check --features pymem/local_dynamic_tls

if cargo fmt --version >/dev/null 2>&1; then
  quietly cargo fmt --check
else
  echo "cargo fmt is missing: the form was not checked"
fi
if cargo clippy --version >/dev/null 2>&1; then
  quietly cargo clippy --quiet --locked --all-targets -- -D warnings
  crates clippy --all-targets --features pymem/host -- -D warnings
  in_system crates clippy --all-targets --no-default-features --features pymem/system -- -D warnings
else
  echo "cargo clippy is missing: it was not asked"
fi
RUSTDOCFLAGS='-D warnings'
export RUSTDOCFLAGS
crates doc --no-deps

# pymem needs a pymem-sys that the registry has only after it was published.
quietly cargo package --quiet --allow-dirty -p pymem-sys
quietly cargo package --quiet --allow-dirty -p pymem --config "$patch"
