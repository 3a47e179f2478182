#!/bin/sh
# Source files have at most 500 lines, functions at most 60, functions of the fast
# path at most 30; tests/checks/lengths.exceptions lists the exceptions, as FILE
# or FILE:FUNCTION, each with its reason.
. "$(dirname "$0")/common.sh"

file_limit=500
function_limit=60
fast_limit=30
fast_path='^(lib/heap/alloc\.h|lib/pool/pool\.h)$'

exceptions lengths.exceptions >"$scratch/exceptions"
: >"$scratch/used"

# too_long NAME PLACE TEXT: a problem, unless NAME is an exception.
too_long() {
  if grep -q -x -F -e "$1" "$scratch/exceptions"; then
    echo "$1" >>"$scratch/used"
  else
    problem "$2: $3"
  fi
}

files_like '\.(c|h|cc|cpp|hpp|sh|py|pl|awk|mk|am|ac|m4)$|^scripts/[^.]*$' >"$scratch/files"
while IFS= read -r file; do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt $file_limit ]; then
    too_long "$file" "$file:$file_limit" "$lines lines, more than $file_limit"
  fi
done <"$scratch/files"

# In our brace style a function's body is what stands between a brace alone in
# the first column and the next closing one there; its name comes before the
# first parenthesis of the lines above it.
grep -E '\.(c|h|cc|cpp|hpp)$' "$scratch/files" | code_of | awk '
  {
    split($0, part, ":")
    text = substr($0, length(part[1]) + length(part[2]) + 3)
  }
  part[1] != file {file = part[1]; head = ""; start = 0}
  start && text ~ /^}/ {print file, start, part[2] - start + 1, name; start = 0; head = ""; next}
  start {next}
  text ~ /^{[ \t]*$/ && head ~ /\(/ && head !~ /^(namespace|class|struct|union|enum) [^(]*$/ {
    name = head
    while (sub(/__attribute__ *\(\([^)]*\)*\)\)/, "", name)) {}
    sub(/ *\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    start = part[2]
    next
  }
  text ~ /^[ \t]*$/ || text ~ /[;}][ \t]*$/ || text ~ /^#/ {head = ""; next}
  {head = (head == "") ? text : head " " text}' >"$scratch/functions"

while read -r file line lines name; do
  limit=$function_limit
  if echo "$file" | grep -q -E "$fast_path"; then limit=$fast_limit; fi
  if [ "$lines" -gt "$limit" ]; then
    too_long "$file:$name" "$file:$line" "$name has $lines lines, more than $limit"
  fi
done <"$scratch/functions"

while read -r name; do
  grep -q -x -F -e "$name" "$scratch/used" ||
    problem "tests/checks/lengths.exceptions: not needed any more: $name"
done <"$scratch/exceptions"
finish
