# shellcheck shell=bash
# gcc and make: configure and build this project out of tree.
. "$source_root/scripts/lib/packages.sh"
needs=("${build_packages[@]}")
probe=(gcc --version)

version() {
  gcc --version
}

prepare() {
  mkdir "$dir/source"
  (cd "$source_root" && tar -c --exclude=./.git --exclude=./build .) | tar -x -C "$dir/source"
  cd "$dir/source" || return
  [ -f configure ] || ./bootstrap
}

job() {
  under "$dir/source/configure" -q >configure.out
  under make -s -j2 >make.out
  find . -name '*.o' | sort | xargs sha256sum
}
