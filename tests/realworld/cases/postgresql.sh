# shellcheck shell=bash
# PostgreSQL under pgbench, as an unprivileged user, over a Unix socket.
needs=(postgresql=/usr/lib/postgresql)
pg_bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
probe=("$pg_bin/postgres" --version)

version() {
  "$pg_bin/postgres" --version
}

prepare() {
  as_user postgres
  mkdir "$dir/home" && chmod 777 "$dir/home"
  cd "$dir/home" || return
  "${unprivileged[@]}" "$pg_bin/initdb" -D "$dir/home/first" -U tester -A trust --no-sync -E UTF8 \
    --locale=C
}

# psql_do SQL
psql_do() {
  "$pg_bin/psql" -X -A -t -h "$run" -U tester -d postgres -c "$1"
}

job() {
  local client=(-h "$run" -U tester -n postgres)
  as_user postgres
  "${unprivileged[@]}" cp -r "$dir/home/first" "$run/data"
  serve "${unprivileged[@]}" "$pg_bin/postgres" -D "$run/data" -k "$run" -c listen_addresses= \
    -c fsync=off -c shared_buffers=16MB -c autovacuum=off -c work_mem=32MB
  ready psql_do 'SELECT 1'
  "$pg_bin/pgbench" -q -i -s 5 -h "$run" -U tester postgres >/dev/null 2>&1
  load "$pg_bin/pgbench" -c 4 -j 2 -t 3000 --random-seed=5 "${client[@]}" >benchmark.out 2>&1
  load "$pg_bin/pgbench" -S -c 4 -j 2 -t 8000 --random-seed=6 "${client[@]}" >>benchmark.out 2>&1
  grep 'number of transactions actually processed' benchmark.out
  psql_do 'SELECT count(*), sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts) FROM pgbench_history'
  load env PGOPTIONS=-cjit=off "$pg_bin/psql" -X -A -t -h "$run" -U tester -d postgres -c "
    SELECT md5(string_agg(n, ',' ORDER BY n)) FROM
    (SELECT md5(i::text) AS n FROM generate_series(1, 300000) AS i) AS s"
  stop INT
}
