# doc: what is built from this folder.
