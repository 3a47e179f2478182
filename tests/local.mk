# tests: what is built from this folder.
include tests/unit.mk
include tests/api.mk
include tests/python.mk
include tests/rust.mk
include tests/stress.mk
include tests/tools.mk
include tests/checks.mk
