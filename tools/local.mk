# tools: what is built from this folder.
