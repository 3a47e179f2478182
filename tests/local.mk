# tests: what is built from this folder.
