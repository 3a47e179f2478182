# shellcheck shell=bash
# Installs the Debian packages that a script needs and that are missing.
# Sourced by scripts/test, scripts/demo and tests/realworld/run.

# What building takes: "package=what proves that it is there", either a
# command, an absolute path, or "dpkg" to ask the package manager.
build_packages=(
  gcc=gcc g++=g++ libc6-dev=/usr/include/stdlib.h make=make autoconf=autoreconf
  automake=automake libtool=libtoolize pkg-config=pkg-config perl=perl
)
# What testing takes on top of it.
test_packages=(
  check=/usr/include/check.h clang=clang clang-format=clang-format
  libclang-rt-14-dev=/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux
  valgrind=valgrind libc6-dbg=dpkg python3=dpkg python3-dev=dpkg
)
# What the demonstration takes on top of building.
demo_packages=(python3=dpkg)

# package_present NAME=PROOF
package_present() {
  local name=${1%%=*} proof=${1#*=}
  case $proof in
  dpkg) [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ;;
  /*) [ -e "$proof" ] ;;
  *) command -v "$proof" >/dev/null 2>&1 ;;
  esac
}

# as_root COMMAND...: directly when we are root, else through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# install_packages LOG NAME=PROOF...: installs what is missing, or says what to
# install by hand and returns 1.  apt's own words go to LOG.
install_packages() {
  local log=$1 entry
  local -a missing=()
  shift
  for entry in "$@"; do
    package_present "$entry" || missing+=("${entry%%=*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: ${missing[*]}; there is no apt-get here, please install them" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
    echo "missing: ${missing[*]}; run this as root, or first (as root)" >&2
    echo "  apt-get install ${missing[*]}" >&2
    return 1
  fi
  echo "installing ${missing[*]}"
  mkdir -p "$(dirname "$log")"
  if ! { apt_get update && apt_get install "${missing[@]}"; } >"$log" 2>&1; then
    echo "installing packages failed: see $log" >&2
    tail -n 20 "$log" >&2
    return 1
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    --no-install-recommends "$@"
}
