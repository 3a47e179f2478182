# shellcheck shell=bash
# A C++ program: four threads that pass maps, strings and buffers to one another.
needs=(g++=g++)
probe=("$dir/program" 1)

version() {
  g++ --version
}

prepare() {
  g++ -O2 -std=c++17 -pthread -o "$dir/program" "$realworld/cases/cxx.cpp"
}

job() {
  under "$dir/program" 40
}
