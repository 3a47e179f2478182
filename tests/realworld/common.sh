# shellcheck shell=bash
# What the cases of tests/realworld share: how a program is run with or without
# the library, timed and measured.  Sourced, with the case, by run.
#
# A case sets needs (Debian packages as in scripts/lib/packages.sh) and probe (a
# short command that shows whether the library is loaded), and defines
#   version   prints the program's version
#   prepare   makes in $dir what the job needs; not measured
#   job       does the work in the empty folder $run and prints its result,
#             which must be the same with and without the library
# Within job the programs are started by under, serve and load; preload is the
# library's path, or empty.

# The longest that any single command may take.
command_limit=300

fail() {
  echo "$*" >&2
  exit 1
}

# add_seconds START: adds the time since START to the job's.
add_seconds() {
  awk -v start="$1" -v end="$EPOCHREALTIME" 'BEGIN {printf "%.3f\n", end - start}' >>"$dir/seconds"
}

# wrap COMMAND...: sets wrapped to the command as it is to be started: with or
# without the library, the peak memory of its largest process noted at its end.
wrap() {
  local -a setting=(-u LD_PRELOAD)
  [ -z "$preload" ] || setting=("LD_PRELOAD=$preload")
  wrapped=(/usr/bin/time -q -a -o "$dir/peaks" -f %M env "${setting[@]}" "$@")
}

# under COMMAND...: measured, with the library when it is this side's turn.
under() {
  local start=$EPOCHREALTIME status=0
  local -a wrapped
  wrap "$@"
  timeout -k 5 $command_limit "${wrapped[@]}" || status=$?
  add_seconds "$start"
  return $status
}

# load COMMAND...: measured, always without the library: load for a server.
load() {
  local start=$EPOCHREALTIME status=0
  env -u LD_PRELOAD timeout -k 5 $command_limit "$@" || status=$?
  add_seconds "$start"
  return $status
}

# serve COMMAND...: a server in the background, with the library when it is this
# side's turn; stopped by stop, or at the end of the job whatever happens.
serve() {
  local -a wrapped
  wrap "$@"
  "${wrapped[@]}" >>"$dir/server.log" 2>&1 &
  time_pid=$!
  server_pid=
  trap stop EXIT
}

# ready COMMAND...: waits until the command succeeds, at most 20 seconds; then the
# server's process is known and must have loaded the library.
ready() {
  local try
  for ((try = 0; try < 200; try++)); do
    server_pid=$(child_of "$time_pid")
    if [ -n "$server_pid" ] && "$@" >/dev/null 2>&1; then
      if [ -n "$preload" ] && ! grep -q -F -e "$preload" "/proc/$server_pid/maps"; then
        fail "the library is not in the server's memory map"
      fi
      return 0
    fi
    sleep 0.1
  done
  tail -n 5 "$dir/server.log" >&2
  fail "the server does not answer"
}

# stop [SIGNAL]: ends the server that serve has started.
stop() {
  trap - EXIT
  [ -n "${time_pid-}" ] || return 0
  [ -n "$server_pid" ] || server_pid=$(child_of "$time_pid")
  [ -z "$server_pid" ] || kill -"${1:-TERM}" "$server_pid" 2>/dev/null || true
  local try
  for ((try = 0; try < 200; try++)); do
    kill -0 "$time_pid" 2>/dev/null || break
    sleep 0.05
  done
  [ -z "$server_pid" ] || kill -KILL "$server_pid" 2>/dev/null || true
  wait "$time_pid" 2>/dev/null || true
  time_pid=
}

# child_of PID: its first child.
child_of() {
  awk -v parent="$1" '/^Pid:/{pid = $2} /^PPid:/ && $2 == parent {print pid; exit}' \
    /proc/[0-9]*/status 2>/dev/null || true
}

# as_user NAME: sets unprivileged to what makes a command run as that user when we
# are root, for servers that refuse to run as root.
as_user() {
  unprivileged=(env)
  if [ "$(id -u)" = 0 ]; then
    unprivileged=(setpriv "--reuid=$1" "--regid=$1" --init-groups --)
  fi
}

# free_port: a TCP port on which nobody listens at the moment.
free_port() {
  local port
  for ((port = 20000 + RANDOM % 10000; ; port++)); do
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# digest: the hash of the input, alone.
digest() {
  sha256sum | cut -d' ' -f1
}
