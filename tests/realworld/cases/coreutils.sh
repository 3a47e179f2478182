# shellcheck shell=bash
# coreutils: sorting, joining, hashing and listing generated files.
needs=()
probe=(sort --version)

version() {
  sort --version
}

prepare() {
  awk 'BEGIN {srand(1); for (i = 0; i < 400000; i++) printf "%d %x line %d\n", rand() * 1e9, rand() * 1e9, i}' \
    >"$dir/data"
  mkdir "$dir/files"
  (cd "$dir/files" && split -l 100 -a 4 "$dir/data" part.)
  touch -d 2020-01-01 "$dir"/files/*
  cat >"$dir/script.sh" <<'END'
sort -k2,2 "$1/data" >sorted
sort --parallel=4 -n -u "$1/data" | cut -d' ' -f1 | tail -n +2 | sha256sum
join -1 2 -2 2 sorted sorted | wc
md5sum "$1"/files/* | sed "s|$1||" | sha256sum
ls -l --time-style=long-iso "$1/files" | sha256sum
tac sorted | uniq -w 12 -c | od -c | sha256sum
END
}

job() {
  LC_ALL=C under sh "$dir/script.sh" "$dir"
}
