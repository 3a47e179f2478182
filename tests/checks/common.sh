# shellcheck shell=sh
# What the checks share.  Sourced first by each of them; goes to the source
# root and sets
#   checks   the folder of the checks
#   build    the build folder (first argument, else $top_builddir, else the
#            folder it was called from), or empty when that is none
# A check calls problem or pipes into problems for each thing wrong, and ends
# with finish.  PYMEM_CHECK_ROOT names another source root: the self-test's.

set -eu
LC_ALL=C
export LC_ALL

checks=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-${top_builddir:-.}}" && pwd)
[ -f "$build/config.status" ] || build=
# shellcheck source=scripts/lib/files.sh
. "$checks/../../scripts/lib/files.sh"
cd "${PYMEM_CHECK_ROOT:-$checks/../..}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: >"$scratch/problems"

# problem TEXT...: notes one thing wrong; TEXT begins with file:line or file.
problem() {
  printf '%s\n' "$*" >>"$scratch/problems"
}

# problems: the same for every line of the input.
problems() {
  cat >>"$scratch/problems"
}

# finish: prints what was noted; the exit status says whether anything was.
finish() {
  if [ -s "$scratch/problems" ]; then
    sort -u "$scratch/problems"
    printf '%s: %d found\n' "$(basename "$0")" "$(sort -u "$scratch/problems" | wc -l)"
    exit 1
  fi
  exit 0
}

# skip REASON
skip() {
  printf '%s: skipped: %s\n' "$(basename "$0")" "$*"
  exit 77
}

# files_like PATTERN: the project's files whose paths match the extended regex.
files_like() {
  list_files | grep -E -e "$1" || true
}

# code_of: reads file names; prints FILE:LINE:TEXT for every line of those files,
# without comments and without what literals contain.
code_of() {
  tr '\n' '\0' | xargs -0 -r awk -v want=code -f "$checks/strip.awk"
}

# comments_of: the same, but only the comments.
comments_of() {
  tr '\n' '\0' | xargs -0 -r awk -v want=comments -f "$checks/strip.awk"
}

# exceptions FILE: the names listed in tests/checks/FILE, one per line before
# the reason; a line without a reason is a problem.
exceptions() {
  [ -f "tests/checks/$1" ] || return 0
  awk -v file="tests/checks/$1" -v bad="$scratch/problems" '
    /^#/ || /^$/ {next}
    NF < 2 {print file ":" FNR ": no reason given for " $1 >>bad}
    {print $1}' "tests/checks/$1"
}
