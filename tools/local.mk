# tools: the `pymem` command.  It preloads libpymem and does not link it.
bin_PROGRAMS += pymem

pymem_SOURCES = \
	tools/elf_file.c \
	tools/elf_file.h \
	tools/library.c \
	tools/library.h \
	tools/main.c \
	tools/message.c \
	tools/program.c \
	tools/program.h \
	tools/run.c \
	tools/verb.h
pymem_CPPFLAGS = $(AM_CPPFLAGS) -DPM_LIBDIR='"$(libdir)"'
