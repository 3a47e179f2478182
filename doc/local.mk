# doc: the manual pages.
dist_man_MANS += \
	doc/pymem.1 \
	doc/pymem.3 \
	doc/pymem.conf.5
