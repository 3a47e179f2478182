#!/bin/sh
# A module with the feature `host` in a program without Python: with libpymem
# preloaded its blocks come from there, otherwise from the heap in the module.
# shellcheck source=tests/rust/common.sh
. "$(dirname "$0")/common.sh"

quietly cargo build --quiet --locked -p pymem --features pymem/host --example plugin
plugin=$CARGO_TARGET_DIR/debug/examples/libplugin.so
quietly "${CC:-cc}" -std=gnu11 -Wall -Wextra "$here/host.c" -o "$scratch/host" -ldl
quietly "$scratch/host" "$plugin"
quietly env LD_PRELOAD="$build/.libs/libpymem.so" "$scratch/host" "$plugin" preloaded
