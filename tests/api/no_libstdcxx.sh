#!/bin/sh
# The library links libc alone: a C program that uses it does not load
# libstdc++, and every C++ name that it looks up may be missing.
set -eu

library=${PYMEM_TEST_LIBRARY:-.libs/libpymem.so}
if ! command -v readelf >/dev/null; then
  echo "no_libstdcxx: readelf is missing"
  exit 77
fi

failed=0
needed=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
for name in $needed; do
  case $name in
  libc.so.* | libc.musl-* | ld-linux* | ld-musl-*) ;;
  *)
    echo "no_libstdcxx: $library needs $name"
    failed=1
    ;;
  esac
done

strong=$(readelf --dyn-syms -W "$library" |
  awk '$7 == "UND" && $5 == "GLOBAL" && $8 ~ /^(_Z|__cxa_(throw|allocate|begin|end|rethrow|guard)|__gxx_)/ { print $8 }')
if [ -n "$strong" ]; then
  echo "no_libstdcxx: $library cannot be loaded without these C++ names:"
  echo "$strong"
  failed=1
fi
exit $failed
