#!/bin/sh
# doc/pymem.3 describes every exported pymem_ function and doc/pymem.conf.5 every
# option in the table of lib/os/options.c.
. "$(dirname "$0")/common.sh"

functions_page=doc/pymem.3
options_page=doc/pymem.conf.5
{ [ -f $functions_page ] || [ -f $options_page ]; } || skip "no manual pages yet"

# plain PAGE: its text without roff's escapes.
plain() {
  sed -E 's/\\f([A-Z]|\(..|\[[A-Za-z]*\])//g; s/\\-/-/g; s/\\_/_/g; s/\\&//g' "$1"
}

# described PAGE FILE TEXT NAME: NAME stands in PAGE; if not, the line of FILE with
# TEXT is to blame.
described() {
  if ! plain "$1" | grep -q -w -F -e "$4"; then
    problem "$2:$(grep -n -F -e "$3" "$2" | head -n 1 | cut -d: -f1): not described in $1: $4"
  fi
}

if [ -f $functions_page ] && [ -f lib/exports.list ]; then
  sed -n 's/^\(pymem_[A-Za-z0-9_]*\).*/\1/p' lib/exports.list >"$scratch/functions"
  while read -r name; do
    described $functions_page lib/exports.list "$name" "$name"
  done <"$scratch/functions"
fi
if [ -f $options_page ] && [ -f lib/os/options.c ]; then
  # The rows of the table are KEY(name, KIND).
  grep -o -E '\<KEY\([a-z_]+, [A-Z]+\)' lib/os/options.c |
    sed -n -E 's/^KEY\(([a-z_]+),.*/\1/p' >"$scratch/keys" || true
  [ -s "$scratch/keys" ] || problem "lib/os/options.c: no table of options found"
  while read -r key; do
    described $options_page lib/os/options.c "KEY($key," "$key"
  done <"$scratch/keys"
fi
finish
