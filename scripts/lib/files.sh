# shellcheck shell=sh
# Which files belong to the project: used by the checks and by scripts/test.
# Sourced; works in POSIX sh, in a git checkout and in an unpacked tarball.

# list_files: the project's own files, one per line, relative to the current
# directory, which must be the source root.  In a checkout that is what git
# tracks or would track; elsewhere everything that the build does not generate.
list_files() {
  if [ "$(git -c safe.directory='*' rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
    git -c safe.directory='*' ls-files --cached --others --exclude-standard
  else
    find . \( -name .git -o -name autom4te.cache -o -path './build*' -o -path ./_build \
      -o -path ./_inst \) -prune -o -type f \
      ! -name 'Makefile.in' ! -name 'configure~' ! -path ./configure ! -path ./aclocal.m4 \
      ! -path ./config.h.in ! -path './m4/lt*.m4' ! -path ./m4/libtool.m4 -print |
      sed 's|^\./||'
  fi | LC_ALL=C sort | while IFS= read -r file; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; fi
  done
}

# tree_hash: one hash over the contents, names and modes of all those files.
tree_hash() {
  list_files | tr '\n' '\0' | xargs -0 sh -c 'stat -c "%a %n" "$@"; sha256sum "$@"' sh |
    sha256sum | cut -d' ' -f1
}
