# shellcheck shell=bash
# Maxima on GNU Common Lisp, which brings a malloc of its own that is not to be called before
# main(). (What it computes with lies in that heap; ours serves the libraries.)
needs=(maxima=maxima)
probe=(maxima --version)

version() {
  maxima --version
}

prepare() {
  cat >"$dir/batch.mac" <<'END'
display2d : false$
print(length(expand((x + y + z + 1)^25)))$
print(factor(x^60 - 1))$
print(integrate(1 / (x^5 + 1), x, 0, 1))$
END
}

job() {
  under maxima --very-quiet -b "$dir/batch.mac"
}
