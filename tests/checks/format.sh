#!/bin/sh
# C and C++ files are as clang-format writes them; text files end in a newline
# and have neither trailing blanks nor, where the format does not ask for them,
# tabs.
. "$(dirname "$0")/common.sh"

# Other versions of clang-format lay out some lines differently.
reference=14

list_files | tr '\n' '\0' | xargs -0 grep -I -l '' >"$scratch/text" || true
while IFS= read -r file; do
  if [ -s "$file" ] && [ "$(tail -c 1 "$file" | wc -l)" = 0 ]; then
    problem "$file:$(grep -c '' "$file"): no newline at the end"
  fi
done <"$scratch/text"
tr '\n' '\0' <"$scratch/text" | xargs -0 -r grep -H -n -E '[[:blank:]]$' |
  sed -E 's/^([^:]*:[0-9]*):.*/\1: trailing blank/' | problems
tab=$(printf '\t')
grep -v -E '(^|/)(Makefile[^/]*|[^/]*\.mk|ChangeLog|\.gitmodules)$' "$scratch/text" |
  tr '\n' '\0' | xargs -0 -r grep -H -n "$tab" |
  sed -E 's/^([^:]*:[0-9]*):.*/\1: tab/' | problems

formatter=$(command -v clang-format-$reference || command -v clang-format || true)
if [ -z "$formatter" ] || ! "$formatter" --version | grep -q "version $reference\."; then
  echo "format.sh: no clang-format $reference here: the layout of C files is not checked"
else
  files_like '^(lib|include|tools|tests|bench)/.*\.(c|h|cc|cpp|hpp)$' | tr '\n' '\0' |
    xargs -0 -r "$formatter" --dry-run -Werror --style=file 2>&1 |
    sed -n -E 's/^([^ :]+:[0-9]+):[0-9]+: .*/\1: not as clang-format writes it/p' | problems
fi
finish
