#!/bin/sh
# <pymem/pymem.h> after <Python.h>: nothing is declared twice, in C and C++.
# Skipped where CPython's headers are not installed.
set -eu

source_dir=${srcdir:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null) || include=
if [ -z "$include" ] || [ ! -f "$include/Python.h" ]; then
  echo "header_python: Python.h is not installed"
  exit 77
fi

cat >"$work/after_python.c" <<'END'
#include <Python.h>
#include <pymem/pymem.h>
#include <pymem/stats.h>

void *use_both(PyMemAllocatorDomain domain, size_t size);

void *use_both(PyMemAllocatorDomain domain, size_t size)
{
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator(domain, &allocator);
    char *block = PyMem_New(char, size);
    if (!pymem_owns(block) || pymem_usable_size(block) < size)
        PyMem_Free(block);
    return PyObject_Malloc(size);
}
END
cp "$work/after_python.c" "$work/after_python.cpp"

flags="-Wall -Wextra -Werror -fsyntax-only -I$source_dir/include -Iinclude -isystem $include"
# The flags are a list of words.
# shellcheck disable=SC2086
${CC:-cc} -std=c11 $flags "$work/after_python.c"
if command -v "${CXX:-c++}" >/dev/null; then
  # shellcheck disable=SC2086
  ${CXX:-c++} -std=c++17 $flags "$work/after_python.cpp"
fi
