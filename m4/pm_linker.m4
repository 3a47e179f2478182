# PM_LINKER: every process that starts pays for each mapping of ours and each page that is
# touched.  So: no segment for .rodata alone; the small variables beside each other, and the
# large tables behind them (lib/os/compiler.h names sections by which they sort); and no _fini(),
# which does nothing and lies far from all that runs.  Linkers that know no such options do without.
AC_DEFUN([PM_LINKER], [
PM_FEW_PAGES=
for flag in -Wl,-z,noseparate-code -Wl,--sort-section=name \
  -Wl,-fini=pm_no_fini; do
  AC_MSG_CHECKING([whether the linker takes $flag])
  pm_saved_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS $flag"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])
     PM_FEW_PAGES="$PM_FEW_PAGES $flag"],
    [AC_MSG_RESULT([no])])
  LDFLAGS=$pm_saved_LDFLAGS
done
AC_SUBST([PM_FEW_PAGES])
])
