#!/bin/sh
# A function that a comment in lib/ names, as in "pm_pool_pop()", exists.
. "$(dirname "$0")/common.sh"

files_like '^lib/.*\.[ch]$' >"$scratch/files"
files_like '^(lib|include)/.*\.(h|c|h\.in)$' | code_of |
  grep -o -E '(^|[^A-Za-z0-9_])(pm|pymem)_[A-Za-z0-9_]+' | sed 's/^[^a-z]//' |
  sort -u >"$scratch/known" || true

comments_of <"$scratch/files" | awk '
  {
    split($0, part, ":")
    text = substr($0, length(part[1]) + length(part[2]) + 3)
    while (match(text, /(pm|pymem)_[A-Za-z0-9_]+\(\)/)) {
      # A longer word that merely ends so is not ours.
      before = (RSTART > 1) ? substr(text, RSTART - 1, 1) : ""
      if (before !~ /[A-Za-z0-9_]/) print part[1] ":" part[2], substr(text, RSTART, RLENGTH - 2)
      text = substr(text, RSTART + RLENGTH)
    }
  }' | while read -r place name; do
  grep -q -x -F -e "$name" "$scratch/known" || problem "$place: no such function: $name()"
done
finish
