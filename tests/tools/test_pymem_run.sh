#!/bin/sh
# `pymem run`: the child's status and signals, the environment it gets, the search
# for the library, the messages and warnings.  Needs the built command, and a
# compiler ($CC) for a small library that stands in for libpymem, so that nothing
# here depends on what the real one prints; only the last test uses the real one.
set -eu
LC_ALL=C
# A sanitized build of the command must not refuse the LD_PRELOAD that it gets here.
ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export LC_ALL ASAN_OPTIONS
unset LD_PRELOAD PYMEM_CONF PYMEM_LIBRARY PYMEM_STATS PYMEM_DECAY_MS PYMEM_VERBOSE ARGP_HELP_FMT

build=$(cd "${top_builddir:-.}" && pwd)
pymem=$build/pymem
if [ ! -x "$pymem" ]; then
  echo "test_pymem_run.sh: no $pymem: run from the build tree or set top_builddir"
  exit 99
fi
scratch=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
cd "$scratch"

checks=0
failures=0

# ok NAME: a check has passed.   bad NAME TEXT...: it has not.
ok() {
  checks=$((checks + 1))
}
bad() {
  checks=$((checks + 1))
  failures=$((failures + 1))
  printf 'not ok: %s: ' "$1"
  shift
  printf '%s\n' "$*"
}

# same NAME EXPECTED ACTUAL
same() {
  if [ "$2" = "$3" ]; then ok; else bad "$1" "expected '$2', got '$3'"; fi
}

# holds NAME FILE TEXT, holds_not NAME FILE TEXT: FILE has TEXT somewhere, or not.
holds() {
  if grep -q -F -e "$3" "$2"; then ok; else bad "$1" "no '$3' in: $(cat "$2")"; fi
}
holds_not() {
  if grep -q -F -e "$3" "$2"; then bad "$1" "'$3' in: $(cat "$2")"; else ok; fi
}

# run ARG...: runs the command with these arguments; sets status, out, err.
run() {
  status=0
  "$pymem" "$@" >out 2>err </dev/null || status=$?
}

# start ARG...: runs the verb with the stand-in library.
start() {
  run run --library="$library" "$@"
}

# wait_for FILE: until it exists, at most ten seconds.
wait_for() {
  for _ in $(seq 100); do
    [ ! -e "$1" ] || return 0
    sleep 0.1
  done
  echo "test_pymem_run.sh: $1 has not come in ten seconds"
  exit 1
}

library=$scratch/stand_in.so
echo 'int pm_stand_in;' >stand_in.c
if ! ${CC:-cc} -shared -fPIC -o "$library" stand_in.c 2>cc.log; then
  echo "test_pymem_run.sh: skipped: no compiler (${CC:-cc})"
  exit 77
fi

test_exit_status() {
  start true
  same "status 0" 0 "$status"
  same "nothing on standard error" "" "$(cat err)"
  start sh -c 'exit 3'
  same "status 3" 3 "$status"
  start sh -c 'kill -KILL $$' # the shell's way to tell an exit from a signal: above 128
  same "killed" 137 "$status"
  start sh -c 'kill -TERM $$'
  same "terminated" 143 "$status"
}

test_streams() {
  echo input | "$pymem" run --library="$library" sh -c 'cat; echo errors >&2' >out 2>err
  same "standard input and output" input "$(cat out)"
  same "standard error" errors "$(cat err)"
}

test_signals() {
  rm -f ready trapped
  "$pymem" run --library="$library" sh -c '
    trap "echo \$\$ >trapped; exit 7" TERM
    : >ready
    while :; do sleep 0.1; done' &
  pid=$!
  wait_for ready
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  same "status of the trap" 7 "$status"
  same "the command has the pid that was started" "$pid" "$(cat trapped)"
}

test_library_is_preloaded() {
  start cat /proc/self/maps
  holds "mapped in the child" out "$library"
  start sh -c 'cat /proc/self/maps; exit'
  holds "mapped in a grandchild" out "$library"
}

test_preload_is_kept() {
  cp "$library" other.so
  LD_PRELOAD=$scratch/other.so
  export LD_PRELOAD
  start printenv LD_PRELOAD
  same "before what was there" "$library:$scratch/other.so" "$(cat out)"
  LD_PRELOAD="$library $scratch/other.so"
  start printenv LD_PRELOAD
  same "not twice" "$library:$scratch/other.so" "$(cat out)"
  LD_PRELOAD=$scratch/other.so:$library
  start printenv LD_PRELOAD
  same "first, even when it is there" "$library:$scratch/other.so:$library" "$(cat out)"
  LD_PRELOAD=$library
  start printenv LD_PRELOAD
  same "alone and not twice" "$library" "$(cat out)"
  LD_PRELOAD=
  start printenv LD_PRELOAD
  same "no separator after an empty list" "$library" "$(cat out)"
  unset LD_PRELOAD
}

test_configuration() {
  start printenv PYMEM_CONF
  same "nothing asked for, nothing set" 1 "$status"
  start --conf=decay_ms:5 printenv PYMEM_CONF
  same "set" decay_ms:5 "$(cat out)"
  start --conf=decay_ms:5,verbose:true --conf arena_size:1M printenv PYMEM_CONF
  same "several" decay_ms:5,verbose:true,arena_size:1M "$(cat out)"
  start --stats printenv PYMEM_CONF
  same "--stats" stats:true "$(cat out)"
  start --stats --conf=stats:false printenv PYMEM_CONF
  same "in the order given" stats:true,stats:false "$(cat out)"
  start --conf= printenv PYMEM_CONF
  same "an empty --conf changes nothing" 1 "$status"
  PYMEM_CONF=decay_ms:1
  export PYMEM_CONF
  start printenv PYMEM_CONF
  same "kept" decay_ms:1 "$(cat out)"
  start --conf=decay_ms:2 --stats printenv PYMEM_CONF
  same "ours at the end" decay_ms:1,decay_ms:2,stats:true "$(cat out)"
  unset PYMEM_CONF
}

test_command_line_wins_over_single_variables() {
  PYMEM_DECAY_MS=5 PYMEM_STATS=0 PYMEM_VERBOSE=1
  export PYMEM_DECAY_MS PYMEM_STATS PYMEM_VERBOSE
  start printenv PYMEM_DECAY_MS PYMEM_STATS PYMEM_VERBOSE
  same "kept" "5 0 1" "$(paste -s -d ' ' out)"
  start --conf=decay_ms:0 --stats printenv PYMEM_DECAY_MS PYMEM_STATS PYMEM_VERBOSE
  same "only those of other keys" 1 "$(cat out)"
  unset PYMEM_DECAY_MS PYMEM_STATS PYMEM_VERBOSE
}

test_arguments() {
  start echo --stats --help -x -- --conf=a
  same "the command's own options" "--stats --help -x -- --conf=a" "$(cat out)"
  start -- echo -- -n
  same "after --" "-- -n" "$(cat out)"
  start -- printenv PYMEM_CONF
  same "no option after --" 1 "$status"
  # shellcheck disable=SC2016
  start sh -c 'echo $#:$1:$2' name 'two words' ''
  same "words stay words" "2:two words:" "$(cat out)"
  start -s -c verbose:true printenv PYMEM_CONF
  same "short options" stats:true,verbose:true "$(cat out)"
  run run -l "$library" -- true
  same "-l" 0 "$status"
}

test_help() {
  run --help
  same "pymem --help: status" 0 "$status"
  holds "pymem --help: usage" out "Usage: pymem [OPTION...] VERB [ARG...]"
  holds "pymem --help: verb run" out "Run a command with its memory served by libpymem"
  mv out help
  run help
  same "pymem help" "$(cat help)" "$(cat out)"
  run run --help
  same "pymem run --help: status" 0 "$status"
  holds "pymem run --help: usage" out "Usage: pymem run [OPTION...] [--] COMMAND [ARG...]"
  for option in --conf=KEY:VALUE --stats --library=PATH; do
    holds "pymem run --help: $option" out "$option"
  done
  mv out help
  run help run
  same "pymem help run" "$(cat help)" "$(cat out)"
  version=$(sed -n 's/^#define PYMEM_VERSION "\(.*\)"/\1/p' "$build/include/pymem/version.h")
  for verb in "" run; do
    run $verb --version
    same "pymem $verb --version: status" 0 "$status"
    same "pymem $verb --version" "pymem $version" "$(cat out)"
  done
  if [ -c /dev/full ]; then
    status=0
    "$pymem" --help >/dev/full 2>err || status=$?
    same "standard output is full" 125 "$status"
  fi
}

# refused TEXT ARG...: wrong usage, status 125 and this message.
refused() {
  text=$1
  shift
  run "$@"
  same "pymem $*: status" 125 "$status"
  same "pymem $*: nothing on standard output" "" "$(cat out)"
  holds "pymem $*" err "$text"
}

test_usage_errors() {
  refused "Usage: pymem"
  refused "pymem: unknown verb 'nosuch'" nosuch
  refused "pymem: unknown verb 'nosuch'" help nosuch
  refused "pymem: unrecognized option '--nosuch'" --nosuch
  refused "pymem run: no COMMAND given" run
  refused "pymem run: no COMMAND given" run --
  refused "pymem run: unrecognized option '--nosuch'" run --nosuch true
  refused "pymem run: --conf: 'verbose' is not KEY:VALUE" run --conf=stats:true,verbose true
  refused "pymem run: --conf: ':5' is not KEY:VALUE" run --conf=:5 true
}

test_command_errors() {
  present=$PATH
  PATH=/usr/bin:/bin # with a folder that may not be searched, execvp() says EACCES
  start no-such-command
  PATH=$present
  same "not in PATH: status" 127 "$status"
  same "not in PATH" "pymem: run: no-such-command: No such file or directory" "$(cat err)"
  start ./no-such-command
  same "no such file: status" 127 "$status"
  start ''
  same "no name: status" 127 "$status"
  echo 'echo script' >plain
  start ./plain
  same "not executable: status" 126 "$status"
  same "not executable" "pymem: run: ./plain: Permission denied" "$(cat err)"
  start "$scratch"
  same "a folder: status" 126 "$status"
  printf '#!%s/nothing\n' "$scratch" >orphan
  chmod +x orphan
  start ./orphan
  same "no interpreter: status" 127 "$status"
  holds "no interpreter" err "pymem: run: ./orphan: its interpreter or loader is missing"
}

# install FOLDER: a copy of the command in FOLDER/bin.
install() {
  mkdir -p "$1/bin"
  cp "$pymem" "$1/bin/pymem"
}

# preloaded PROGRAM: what PROGRAM puts into LD_PRELOAD.
preloaded() {
  "$1" run printenv LD_PRELOAD 2>&1 || echo "status $?"
}

test_search_for_the_library() {
  install moved
  mkdir moved/lib moved/bin/.libs
  cp "$library" moved/lib/libpymem.so.0
  same "../lib" "$scratch/moved/lib/libpymem.so.0" "$(preloaded moved/bin/pymem)"
  ln -s moved/bin/pymem link
  same "from the real path" "$scratch/moved/lib/libpymem.so.0" "$(preloaded ./link)"
  cp "$library" moved/bin/.libs/libpymem.so.0
  same ".libs" "$scratch/moved/bin/.libs/libpymem.so.0" "$(preloaded moved/bin/pymem)"
  PYMEM_LIBRARY=stand_in.so
  export PYMEM_LIBRARY
  same "PYMEM_LIBRARY, made absolute" "$library" "$(preloaded moved/bin/pymem)"
  same "--library" "$scratch/other.so" \
    "$(moved/bin/pymem run --library=other.so printenv LD_PRELOAD)"
  PYMEM_LIBRARY=
  same "an empty PYMEM_LIBRARY is none" "$scratch/moved/bin/.libs/libpymem.so.0" \
    "$(preloaded moved/bin/pymem)"
  unset PYMEM_LIBRARY
}

test_library_errors() {
  refused "pymem: run: cannot use the library /no/such.so (given by --library): No such file" \
    run --library=/no/such.so true
  refused "pymem: run: cannot use the library . (given by --library): Is a directory" \
    run --library=. true
  refused "pymem: run: cannot use the library stand_in.c (given by --library): not an ELF file" \
    run --library=stand_in.c true
  PYMEM_LIBRARY=/no/such.so
  export PYMEM_LIBRARY
  refused "pymem: run: cannot use the library /no/such.so (given by PYMEM_LIBRARY): No such file" \
    run true
  unset PYMEM_LIBRARY
  for folder in 'a folder' a:folder; do
    mkdir "$folder"
    cp "$library" "$folder/libpymem.so.0"
    refused "'$scratch/$folder/libpymem.so.0', holds a space or a colon" \
      run --library="$folder/libpymem.so.0" true
  done

  install lonely
  status=0
  lonely/bin/pymem run true >out 2>err || status=$?
  if [ "$status" = 0 ]; then
    echo "test_pymem_run.sh: a libpymem is installed: the message for none is not tested"
    return
  fi
  same "no library anywhere: status" 125 "$status"
  holds "no library anywhere" err "pymem: run: cannot find the library libpymem.so.0; looked at:"
  holds "no library anywhere: .libs" err "  $scratch/lonely/bin/.libs/libpymem.so.0"
  holds "no library anywhere: ../lib" err "  $scratch/lonely/lib/libpymem.so.0"
  same "no library anywhere: three places" 3 "$(grep -c '^  /' err)"
}

test_warning_for_a_static_program() {
  echo 'int main(void) { return 5; }' >program.c
  for kind in -static -static-pie; do
    if ! ${CC:-cc} $kind -o static_program program.c 2>cc.log; then
      echo "test_pymem_run.sh: cannot link with $kind: its warning is not tested"
      continue
    fi
    start ./static_program
    same "$kind: runs all the same" 5 "$status"
    same "$kind: warning" "pymem: run: warning: ./static_program is statically linked: the \
library cannot be preloaded" "$(cat err)"
    present=$PATH
    PATH=$scratch:$PATH
    start static_program
    PATH=$present
    holds "$kind: warning for what PATH finds" err "warning: $scratch/static_program is statically"
    printf '#! %s/static_program -x\n' "$scratch" >script
    chmod +x script
    start ./script
    holds "$kind: warning for an interpreter" err "warning: $scratch/static_program is statically"
  done
  printf '#!/bin/sh\nexit 4\n' >script
  chmod +x script
  start ./script
  same "script: status" 4 "$status"
  same "script: no warning" "" "$(cat err)"
  loader=$(ldd "$(command -v cat)" | sed -n 's/.*\(\/[^ ]*ld-[^ ]*\) .*/\1/p' | tail -n 1)
  if [ -x "$loader" ]; then
    start "$loader" "$(command -v cat)" /proc/self/maps
    holds_not "the loader itself: no warning" err warning
    holds "the loader itself: preloads" out "$library"
  fi
}

# The loader, too, warns of these; what counts is our line and that the command runs.
test_warning_for_another_machine() {
  start_forged() {
    cp "$library" forged.so
    # shellcheck disable=SC2059
    printf "$2" | dd of=forged.so bs=1 seek="$1" conv=notrunc 2>dd.log
    run run --library=forged.so sh -c 'exit 6'
    same "forged at $1: status" 6 "$status"
  }
  case $(od -An -tu1 -j4 -N1 "$library" | tr -d ' ') in
  2)
    start_forged 4 '\001'
    holds "class" err "is a 64-bit program and the library is 32-bit: the library cannot be"
    ;;
  1)
    start_forged 4 '\002'
    holds "class" err "is a 32-bit program and the library is 64-bit: the library cannot be"
    ;;
  esac
  start_forged 18 '\001\001'
  holds "machine" err "is made for another kind of machine than the library: the library cannot be"
}

test_warning_for_a_privileged_program() {
  if [ "$(id -u)" != 0 ]; then
    echo "test_pymem_run.sh: not root: the warnings for privileged programs are not tested"
    return
  fi
  if awk -v folder="$scratch" '{ if (index(folder, $2) == 1 && length($2) >= best) {
      best = length($2); options = $4 } } END { exit options !~ /nosuid/ }' /proc/mounts; then
    echo "test_pymem_run.sh: mounted nosuid: the warnings for privileged programs are not tested"
    return
  fi
  echo 'int main(void) { return 0; }' >program.c
  ${CC:-cc} -o privileged program.c
  chown 65534 privileged
  start ./privileged
  same "another owner: no warning" "" "$(cat err)"
  chmod 4755 privileged
  start ./privileged
  same "set-user-ID: status" 0 "$status"
  holds "set-user-ID" err "warning: ./privileged is set-user-ID: the library cannot be preloaded"
  chown 0:65534 privileged
  chmod 4755 privileged
  start ./privileged
  same "set-user-ID of the same user: no warning" "" "$(cat err)"
  chmod 2755 privileged
  start ./privileged
  holds "set-group-ID" err "warning: ./privileged is set-group-ID: the library cannot be preloaded"
}

test_real_library() {
  if [ ! -e "$build/.libs/libpymem.so.0" ]; then
    echo "test_pymem_run.sh: $build/.libs has no libpymem.so.0: not tested together"
    return
  fi
  run run cat /proc/self/maps
  same "real library: status" 0 "$status"
  holds "real library: mapped" out "$build/.libs/libpymem.so"
  same "real library: silent" "" "$(cat err)"
  run run --stats true
  same "real library, --stats: status" 0 "$status"
  if [ -s err ]; then ok; else bad "real library, --stats" "no table"; fi
  run run --stats sort /dev/null # closes standard error before the library's turn comes
  holds "real library, --stats: standard error is closed" err "heap statistics"
  run run --stats bash -c 'exec 2>log'
  holds "real library, --stats: standard error leads elsewhere" log "heap statistics"
  same "real library, --stats: nothing where it led before" "" "$(cat err)"
  : >data
  run run --stats bash -c 'exec 2>&- 100>&- 100>data; exec 2>&-'
  same "real library, --stats: a file with its number" "" "$(cat data err)"
  run run --conf=no_such_key:1 true
  same "real library, unknown key: status" 0 "$status"
  holds "real library, unknown key" err "pymem: PYMEM_CONF: unknown key 'no_such_key'"
  run run --conf=decay_ms:often true
  holds "real library, bad value" err "pymem: PYMEM_CONF: bad value 'often' for 'decay_ms'"
}

test_exit_status
test_streams
test_signals
test_library_is_preloaded
test_preload_is_kept
test_configuration
test_command_line_wins_over_single_variables
test_arguments
test_help
test_usage_errors
test_command_errors
test_search_for_the_library
test_library_errors
test_warning_for_a_static_program
test_warning_for_another_machine
test_warning_for_a_privileged_program
test_real_library

echo "test_pymem_run.sh: $checks checks, $failures failed"
[ "$failures" = 0 ]
