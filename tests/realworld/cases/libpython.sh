# shellcheck shell=bash
# An interpreter that lives in libpython3.x.so: PYMEM_TEST_PYTHON when that names
# one, else a small program that embeds Debian's.
needs=(gcc=gcc python3=dpkg python3-dev=/usr/bin/python3-config)
probe=("$dir/python" -c 'pass')

version() {
  "$dir/python" -c 'import sys; print("Python", sys.version.split()[0], "(libpython3.so)")'
}

prepare() {
  if [ -n "${PYMEM_TEST_PYTHON-}" ]; then
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$PYMEM_TEST_PYTHON" >"$dir/python"
    chmod +x "$dir/python"
    return
  fi
  cat >"$dir/main.c" <<'END'
#include <Python.h>

int main(int argc, char **argv)
{
    return Py_BytesMain(argc, argv);
}
END
  # shellcheck disable=SC2046
  gcc $(/usr/bin/python3-config --includes) -o "$dir/python" "$dir/main.c" \
    $(/usr/bin/python3-config --ldflags --embed)
  ldd "$dir/python" | grep libpython
}

job() {
  PYTHONHASHSEED=0 under "$dir/python" "$source_root/scripts/demo_job.py" >result
  cut -d' ' -f1 result
}
