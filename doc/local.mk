# doc: the manual pages, and what the README shows.
dist_man_MANS += \
	doc/pymem.1 \
	doc/pymem.3 \
	doc/pymem.conf.5
EXTRA_DIST += \
	doc/bench-memory.svg \
	doc/bench-time.svg
