# lib/local.mk: the library in its three shapes.
#
#   libpymem_core  everything but the libc and C++ names, with internal symbols
#                  within reach: for the unit tests, and for libpymem.a
#   libpymem.so    core and those names, exported by map: preloaded or linked
#   libpymem.a     core alone: for programs that keep their malloc

pm_core_sources = \
	lib/os/alone.h lib/os/compiler.h lib/os/os.h lib/os/os_linux.c \
	lib/os/vdso.h lib/os/vdso.c \
	lib/os/lock.h lib/os/lock.c lib/os/tls.h \
	lib/os/text.h lib/os/text.c lib/os/fatal.h lib/os/fatal.c \
	lib/os/options.h lib/os/options.c \
	lib/arena/span.h lib/arena/bitmap.h \
	lib/arena/meta.h lib/arena/meta.c lib/arena/chunks.h lib/arena/chunks.c \
	lib/arena/ownermap.h lib/arena/ownermap.c \
	lib/arena/provider.h lib/arena/provider.c \
	lib/arena/early.h lib/arena/early.c \
	lib/arena/kept.h lib/arena/kept.c \
	lib/arena/hugepages.h lib/arena/hugepages.c \
	lib/arena/mapping.h lib/arena/mapping.c \
	lib/arena/runs.h lib/arena/runs.c \
	lib/arena/choose.h lib/arena/choose.c \
	lib/arena/arena.h lib/arena/arena.c lib/arena/arena_check.c \
	lib/arena/spans.h lib/arena/spans.c \
	lib/arena/purge.h lib/arena/purge.c \
	lib/pool/sizeclass.h lib/pool/pool.h lib/pool/list.h lib/pool/links.h lib/pool/pool.c \
	lib/pool/pool_purge.h lib/pool/pool_purge.c \
	lib/pool/visit.h lib/pool/visit.c \
	lib/heap/heap.h lib/heap/heap_tables.c lib/heap/heap.c lib/heap/heap_purge.c \
	lib/heap/heap_check.c \
	lib/heap/floating.h lib/heap/floating.c \
	lib/heap/sleeping.h lib/heap/sleeping.c \
	lib/heap/background.h lib/heap/background.c \
	lib/heap/common.h lib/heap/common.c \
	lib/heap/turns.h lib/heap/turns.c \
	lib/heap/remote.h lib/heap/remote.c \
	lib/heap/idle.h lib/heap/idle.c lib/heap/large.h lib/heap/large.c \
	lib/heap/spare_lists.h lib/heap/spare_lists.c \
	lib/heap/spare.h lib/heap/spare.c lib/heap/transfer.h lib/heap/transfer.c \
	lib/heap/registry.h lib/heap/registry.c \
	lib/heap/thread.h lib/heap/thread.c \
	lib/heap/fork.h lib/heap/fork.c \
	lib/heap/tlb.h lib/heap/tlb.c \
	lib/heap/misuse.h lib/heap/misuse.c \
	lib/heap/census.h lib/heap/census.c \
	lib/heap/alloc.h lib/heap/alloc.c \
	lib/host/domains.h lib/host/domains.c \
	lib/host/cpython.h lib/host/cpython.c \
	lib/api/pymem.c lib/api/direct.c lib/api/own.c lib/api/start.h lib/api/start.c

pm_libc_sources = \
	lib/api/malloc.h lib/api/malloc.c lib/api/cxx.c lib/api/foreign.c lib/api/loaded.c \
	lib/api/deepbind.c
if HAVE_MALLINFO2
pm_libc_sources += lib/api/libc_stats.c
endif

# Hidden unless exported; and no assumption about what malloc does, for we are it.
pm_lib_cflags = $(AM_CFLAGS) -fvisibility=hidden -fno-builtin-malloc -fno-builtin-calloc \
	-fno-builtin-realloc -fno-builtin-free -fno-semantic-interposition -fexceptions \
	-fdata-sections

noinst_LTLIBRARIES += libpymem_core.la
libpymem_core_la_SOURCES = $(pm_core_sources)
libpymem_core_la_CFLAGS = $(pm_lib_cflags)

lib_LTLIBRARIES += libpymem.la
libpymem_la_SOURCES = $(pm_libc_sources)
libpymem_la_CFLAGS = $(pm_lib_cflags)
libpymem_la_LIBADD = libpymem_core.la
libpymem_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 0:0:0 -Wl,-z,nodelete \
	$(PM_FEW_PAGES) \
	-Wl,--version-script=$(top_srcdir)/lib/pymem.map
libpymem_la_DEPENDENCIES = libpymem_core.la lib/pymem.map

lib_LIBRARIES += libpymem.a
libpymem_a_SOURCES = $(pm_core_sources)
libpymem_a_CFLAGS = $(pm_lib_cflags) -fPIC -DPM_EMBEDDED=1

EXTRA_DIST += lib/README.md lib/pymem.map lib/exports.list
