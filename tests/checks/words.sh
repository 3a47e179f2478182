#!/bin/sh
# No unowned reminders, no paths of one machine, no code that is switched off.
. "$(dirname "$0")/common.sh"

list_files | tr '\n' '\0' | xargs -0 grep -I -l '' >"$scratch/text" || true

# The patterns are spelled so that this file does not match them.
search() {
  tr '\n' '\0' <"$scratch/text" | xargs -0 -r grep -H -n -E "$1" |
    sed -E "s/^([^:]*:[0-9]*):.*/\1: $2/" | problems
}
search '(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|XX[X])($|[^A-Za-z0-9_(]|\(\))' \
  'a reminder without a name in parentheses'
search '(^|[^A-Za-z0-9_.}/*])/(wor[k]|roo[t])/' 'a path of one machine'
search '^[[:space:]]*#[[:space:]]*if[[:space:]]+[0]([[:space:]]|$)' 'code that is switched off'
finish
