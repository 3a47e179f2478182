#!/bin/sh
# Whoever orders memory says with whom: each acquire, release, acq_rel or seq_cst
# in lib/ has a comment with "pairs with" on its line, within the three lines
# above its statement, or in the comment that heads its function.
. "$(dirname "$0")/common.sh"

files_like '^lib/.*\.[ch]$' >"$scratch/files"
code_of <"$scratch/files" >"$scratch/code"
comments_of <"$scratch/files" >"$scratch/comments"

awk -v comments="$scratch/comments" '
  function text_of(line) {
    return substr(line, length(part[1]) + length(part[2]) + 3)
  }
  {
    split($0, part, ":")
    code = text_of($0)
    getline comment <comments
    comment = text_of(comment)
    line = part[2]
  }
  part[1] != file {file = part[1]; said = -9; statement = 0; head = 0; body = 0; block = 0}
  # A comment that stands alone before a function belongs to all of it.
  !body && code ~ /^[ \t]*$/ && comment == "" {if (!block) head = 0}
  !body && code ~ /;[ \t]*$/ {head = 0}
  {
    if (!statement && code !~ /^[ \t]*$/) statement = line
    if (comment ~ /pairs with/ || (last_comment " " comment) ~ /pairs +with/) {
      said = line
      if (!body) head = 1
    }
    last_comment = comment
  }
  code ~ /memory_order_(acquire|release|acq_rel|seq_cst)|__ATOMIC_(ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)/ {
    if (said < statement - 3 && !(body && head))
      print file ":" line ": orders memory without saying what it pairs with"
  }
  code ~ /^{/ {body = 1}
  code ~ /^}/ {body = 0; head = 0}
  code ~ /[;{}][ \t]*$/ {statement = 0}
' "$scratch/code" | problems
finish
