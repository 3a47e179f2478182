# shellcheck shell=bash
# sqlite3: a script over a table of a million rows.
needs=(sqlite3=sqlite3)
probe=(sqlite3 --version)

version() {
  echo "sqlite $(sqlite3 --version | cut -d' ' -f1)"
}

prepare() {
  cat >"$dir/script.sql" <<'END'
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO t SELECT i, i * 7919 % 100003, 'name-' || (i * 31 % 1009) || '-' || i FROM n;
CREATE INDEX tk ON t (k);
SELECT count(*), sum(k), sum(length(name)) FROM t;
SELECT sum(c), max(c) FROM (SELECT substr(name, 1, 8) AS p, count(*) AS c FROM t GROUP BY p);
UPDATE t SET name = upper(name) WHERE k % 10 = 3;
DELETE FROM t WHERE k % 7 = 1;
SELECT name FROM t ORDER BY name DESC LIMIT 5;
SELECT count(*) FROM t a JOIN t b ON b.k = a.k AND b.id > a.id WHERE a.k < 20000;
SELECT length(group_concat(name)) FROM t WHERE id < 200000;
PRAGMA integrity_check;
END
}

job() {
  under sqlite3 work.db <"$dir/script.sql"
}
