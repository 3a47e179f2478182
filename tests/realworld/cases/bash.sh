# shellcheck shell=bash
# bash: strings, arrays, functions, pattern matching and many subshells.
needs=()
probe=(bash -c true)

version() {
  echo "bash $BASH_VERSION"
}

prepare() {
  cat >"$dir/script.sh" <<'END'
declare -A seen
list=()
for ((i = 0; i < 40000; i++)); do
  word="w$((i * 7919 % 5003))-${i##*[13]}"
  seen[$word]=$((${seen[$word]-0} + i))
  list+=("${word//-/+}")
done
for ((i = 0; i < 400; i++)); do
  part=$(printf '%s,' "${list[@]:i*100:100}")
  text+=${part^^}
done
echo "${#seen[@]} ${#list[@]} ${#text}"
for key in "${!seen[@]}"; do echo "$key=${seen[$key]}"; done | sort
echo "$text"
END
}

job() {
  under bash "$dir/script.sh" | digest
}
