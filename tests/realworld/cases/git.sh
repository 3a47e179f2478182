# shellcheck shell=bash
# git: clones, repacks and checks a repository with a long history, and this
# project's own where there is one.
needs=(git=git)
probe=(git --version)

version() {
  git --version
}

# history: a stream for git fast-import, 4000 commits on 200 files.
history() {
  awk 'BEGIN {
    srand(7)
    for (i = 1; i <= 4000; i++) {
      text = ""
      for (j = 0; j < 60; j++) text = text sprintf("%d line %d of %d\n", rand() * 50, j, i / 40)
      printf "commit refs/heads/main\nmark :%d\ncommitter A <a@example.org> %d +0000\n", i, 1e9 + i
      printf "data 9\nmessage.\n\n"
      printf "M 644 inline dir%d/file%d\ndata %d\n%s\n", i % 20, rand() * 200, length(text), text
    }
  }'
}

prepare() {
  git init -q --bare "$dir/origin.git" -b main
  history | git -C "$dir/origin.git" fast-import --quiet
}

# exercise NAME SOURCE
exercise() {
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
  under git clone -q --no-local "$2" "$1"
  under git -C "$1" log -p --stat | digest
  under git -C "$1" repack -q -a -d -f --window=20
  under git -C "$1" gc -q --prune=now
  under git -C "$1" fsck --full --strict 2>&1
  git -C "$1" rev-list --objects --all | sort | digest
}

job() {
  exercise generated "$dir/origin.git"
  if git -c safe.directory='*' -C "$source_root" rev-parse -q --verify HEAD >/dev/null 2>&1; then
    exercise project "$source_root"
  fi
}
