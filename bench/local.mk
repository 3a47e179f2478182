# bench: what is built from this folder.
