# shellcheck shell=bash
# Makes ./configure and out-of-tree builds.  Sourced; the current directory is
# the source root.

# bootstrap_if_needed: makes ./configure when it is missing or older than what
# it is made from.
bootstrap_if_needed() {
  if [ ! -f configure ] || [ ! -f Makefile.in ] || [ -n "$(find configure.ac Makefile.am m4 lib \
    tools tests bench doc bootstrap \( -name '*.ac' -o -name '*.am' -o -name '*.mk' \
    -o -name 'pm_*.m4' -o -name bootstrap \) -newer configure -print -quit)" ]; then
    # autoreconf leaves ./configure alone when its text would be the same.
    ./bootstrap && touch configure
  fi
}

# build_dir DIR [CONFIGURE ARGUMENT...]: configures DIR unless it was already
# configured in the same way from the same ./configure.
build_dir() {
  local dir=$1 key
  shift
  key="$(pwd -P) $* $(sha256sum configure | cut -d' ' -f1)"
  if [ ! -f "$dir/Makefile" ] || [ "$(cat "$dir/.configured" 2>/dev/null)" != "$key" ]; then
    # An interrupted distcheck leaves read-only folders behind.
    [ ! -d "$dir" ] || chmod -R u+w "$dir"
    rm -rf "$dir"
    mkdir -p "$dir"
    (cd "$dir" && "$OLDPWD/configure" "$@") || return 1
    printf '%s\n' "$key" >"$dir/.configured"
  fi
}

# jobs_flag: how many commands make may run at once.
jobs_flag() {
  echo "-j$(nproc)"
}
