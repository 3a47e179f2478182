#!/bin/sh
# Files of lib/ include only their own layer and lower ones (lib/README.md), no
# file includes a .c file, no layer's headers form a cycle, only lib/os includes
# the headers of system calls, and nothing below lib/api calls libc's malloc or
# stdio.
. "$(dirname "$0")/common.sh"

# Bottom up; a file may include what stands before or at its own layer.
layers='os arena pool heap host api'
system_headers='sys/mman.h sys/prctl.h sys/syscall.h sys/resource.h unistd.h fcntl.h time.h'
libc_calls='malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|memalign|valloc'
libc_calls="$libc_calls|strdup|strndup|getline|(v?(f|d|s|sn|as)?|v)printf|f?puts|f?putc|putchar"
libc_calls="$libc_calls|fopen|fdopen|fclose|fwrite|fread|fflush|perror"

# rank DIRECTORY: its place in the list of layers; nothing for another name.
rank() {
  printf '%s\n' $layers | grep -n -x -F -e "$1" | cut -d: -f1
}

# check_include FILE LINE TARGET: one quoted include.
check_include() {
  case $3 in
  config.h | pymem/*) return 0 ;;
  *.c) problem "$1:$2: includes a .c file: $3" && return 0 ;;
  esac
  if [ -f "$(dirname "$1")/$3" ]; then
    target=$(realpath --relative-to=. "$(dirname "$1")/$3")
  elif [ -f "lib/$3" ]; then
    target=lib/$3
  else
    problem "$1:$2: no such file in lib/: $3"
    return 0
  fi
  own_rank=$(rank "$(echo "$1" | cut -d/ -f2)")
  its_rank=$(rank "$(echo "$target" | cut -d/ -f2)")
  if [ -z "$own_rank" ] || [ -z "$its_rank" ]; then
    problem "$1:$2: not in a known layer: $1 or $target"
  elif [ "$its_rank" -gt "$own_rank" ]; then
    problem "$1:$2: upward include: $3"
  fi
  echo "$1 $target" >>"$scratch/edges"
  if [ "$1" = "$target" ]; then problem "$1:$2: includes itself"; fi
}

files_like '^lib/.*\.[ch]$' >"$scratch/files"
: >"$scratch/edges"
[ -s "$scratch/files" ] || skip "no source in lib/"

tr '\n' '\0' <"$scratch/files" | xargs -0 grep -H -n -E '^[[:space:]]*#[[:space:]]*include' |
  sed -E 's/^([^:]*):([0-9]*):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<])([^">]*).*/\1 \2 \3 \4/' \
    >"$scratch/includes" || true

while read -r file line kind target; do
  if [ "$kind" = '"' ]; then
    check_include "$file" "$line" "$target"
  elif [ "${file#lib/os/}" = "$file" ]; then
    case " $system_headers " in
    *" $target "*) problem "$file:$line: only lib/os may include <$target>" ;;
    esac
  fi
done <"$scratch/includes"

# tsort names the files of each loop, one per line.
if ! tsort "$scratch/edges" >/dev/null 2>"$scratch/loops"; then
  grep -v 'contains a loop' "$scratch/loops" | sed 's/^tsort: \(.*\)/\1: in a cycle of includes/' | problems
fi

grep -v '^lib/api/' "$scratch/files" | code_of |
  sed -E 's/(\.|->)[[:space:]]*[A-Za-z_]+[[:space:]]*\(/\1(/g' |
  grep -E "(^|[^A-Za-z0-9_])($libc_calls)[[:space:]]*\(" |
  sed 's/$/: calls libc below lib\/api/' | problems || true
finish
