# tests/rust.mk: the crates of rust/, with cargo where there is one.  They share
# what they build, and wait for each other where cargo does.
rust_tests = \
	tests/rust/crates.sh \
	tests/rust/valgrind.sh \
	tests/rust/host.sh \
	tests/rust/module.sh

EXTRA_DIST += \
	$(rust_tests) \
	tests/rust/common.sh \
	tests/rust/host.c \
	tests/rust/test_module.py \
	rust/Cargo.lock \
	rust/Cargo.toml \
	rust/json/Cargo.toml \
	rust/json/src/allocator.rs \
	rust/json/src/convert.rs \
	rust/json/src/lib.rs \
	rust/pymem-sys/Cargo.toml \
	rust/pymem-sys/LICENSE \
	rust/pymem-sys/README.md \
	rust/pymem-sys/build.rs \
	rust/pymem-sys/c \
	rust/pymem-sys/src/host.c \
	rust/pymem-sys/src/lib.rs \
	rust/pymem-sys/tests/bindings.rs \
	rust/pymem/Cargo.toml \
	rust/pymem/LICENSE \
	rust/pymem/README.md \
	rust/pymem/examples/plugin.rs \
	rust/pymem/src/domain.rs \
	rust/pymem/src/figures.rs \
	rust/pymem/src/heap.rs \
	rust/pymem/src/lib.rs \
	rust/pymem/src/unaligned.rs \
	rust/pymem/tests/heap.rs \
	rust/pymem/tests/mem.rs \
	rust/pymem/tests/raw.rs \
	rust/pymem/tests/suite/mod.rs \
	rust/rustfmt.toml

if RUST_TESTS
TESTS += $(rust_tests)
endif
