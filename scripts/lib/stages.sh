# shellcheck shell=bash
# The stages of scripts/test, in order: what is built, how, and which tests run.
# Sourced in a fresh shell per stage, whose output is the stage's log; the
# current directory is the source root.
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh

all_stages=(checks gcc debug asan tsan clang valgrind rust distcheck)

describe_stage() {
  case $1 in
  checks) echo "layers, exports, formatting, lengths and the like (tests/checks)" ;;
  gcc) echo "gcc, warnings are errors: every test but the checks and the crates" ;;
  debug) echo "gcc, the engine's invariants checked while it runs: the same tests" ;;
  asan) echo "AddressSanitizer and UndefinedBehaviorSanitizer: the unit tests" ;;
  tsan) echo "ThreadSanitizer: the tests that run threads on the engine" ;;
  clang) echo "clang, warnings are errors: the unit tests" ;;
  valgrind) echo "valgrind: the unit tests" ;;
  rust) echo "the crates of rust/, where there is a cargo" ;;
  distcheck) echo "make distcheck: the tarball builds, tests, installs and uninstalls" ;;
  esac
}

# Unit tests that mean nothing under valgrind or take minutes there (extended
# regex over whole names).
valgrind_unfit='none'
# Unit tests that run threads: the ones of use to ThreadSanitizer.
concurrent='thread|common|granted|turns|remote|concurrent|heap|fork|lock|exit|census|sleeping|visit|spare|transfer'

stage_checks() {
  build_dir build/gcc --enable-werror
  run_tests build/gcc '^tests/checks/'
}

stage_gcc() {
  build_dir build/gcc --enable-werror
  run_tests build/gcc -v -E '^tests/(checks|rust)/'
}

stage_debug() {
  build_dir build/debug --enable-werror --enable-debug
  run_tests build/debug -v -E '^tests/(checks|rust)/'
}

stage_asan() {
  build_dir build/asan --enable-debug --with-sanitizer=address,undefined
  # Leaks are valgrind's concern; here the blocks of interest are our own.
  export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  fixed_layout run_tests build/asan '^tests/unit/'
}

stage_tsan() {
  build_dir build/tsan --with-sanitizer=thread
  export TSAN_OPTIONS=halt_on_error=1
  fixed_layout run_tests build/tsan -E "^tests/(stress/|unit/.*($concurrent))"
}

stage_clang() {
  build_dir build/clang --enable-werror CC=clang CXX=clang++
  run_tests build/clang '^tests/unit/'
}

stage_valgrind() {
  build_dir build/gcc --enable-werror
  # A child that libcheck forks is followed, and its errors become its status.
  export CK_TIMEOUT_MULTIPLIER=20
  unfit=$valgrind_unfit run_tests build/gcc '^tests/unit/' \
    LOG_COMPILER=valgrind LOG_FLAGS='--quiet --error-exitcode=1 --leak-check=no'
}

stage_rust() {
  build_dir build/gcc --enable-werror
  run_tests build/gcc '^tests/rust/'
}

stage_distcheck() {
  build_dir build/gcc --enable-werror
  make -C build/gcc "$(jobs_flag)" distcheck \
    DISTCHECK_CONFIGURE_FLAGS=--without-rust-tests && return
  show_failures build/gcc/libpymem-*/_build/sub/test-suite.log
  return 1
}

# run_tests DIR GREP-ARGUMENTS [MAKE VARIABLE=VALUE...]: builds DIR and runs
# those of its tests whose names grep lets through, without those that the
# regex $unfit names.  With -v as first of the arguments all programs of the
# tests are built (some tests run several), otherwise only those that run.
run_tests() {
  local dir=$1 tests
  local -a filter=() settings=()
  shift
  while [ $# -gt 0 ]; do
    case $1 in
    [A-Z]*=*) settings+=("$1") ;;
    *) filter+=("$1") ;;
    esac
    shift
  done
  # First, because it may make the Makefile anew.
  make -C "$dir" "$(jobs_flag)" all || return
  tests=$(make -s --no-print-directory -C "$dir" print-tests | grep "${filter[@]}" |
    grep -v -x -E -e "${unfit:-none}" | tr '\n' ' ')
  if [ -z "$tests" ]; then
    echo "no test to run"
    return 1
  fi
  [ "${filter[0]}" = -v ] || settings+=("check_PROGRAMS=$tests")
  make -C "$dir" "$(jobs_flag)" check TESTS="$tests" "${settings[@]}" && return
  show_failures "$dir/test-suite.log"
  return 1
}

# counts LOG: the numbers of tests that passed, failed and were skipped
# according to the sums in Automake's output.
counts() {
  awk '/^# (PASS|XFAIL): /{p += $3} /^# (FAIL|XPASS|ERROR): /{f += $3} /^# SKIP: /{s += $3}
    END {print p + 0, f + 0, s + 0}' "$1"
}

# show_failures LOG...: the output of the tests that failed.  The bar keeps its
# own sums out of those that scripts/test adds up.
show_failures() {
  local log
  for log in "$@"; do
    if [ -f "$log" ]; then sed 's/^/| /' "$log"; fi
  done
}

# fixed_layout COMMAND...: without address randomisation, which the sanitizers
# of gcc 12 do not bear on kernels that randomise more bits than usual.
fixed_layout() {
  if [ -z "${PM_FIXED_LAYOUT-}" ] && setarch -R true 2>/dev/null; then
    export PM_FIXED_LAYOUT=1
    setarch -R bash -euo pipefail -c '. scripts/lib/stages.sh; "$@"' bash "$@"
  else
    "$@"
  fi
}
