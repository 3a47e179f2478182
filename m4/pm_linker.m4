# PM_LINKER: every process that starts pays for each mapping of ours and each page that is
# written.  So: no segment for .rodata alone, and the small variables beside each other,
# behind the large tables.  Linkers that know no such options do without.
AC_DEFUN([PM_LINKER], [
PM_FEW_PAGES=
for flag in -Wl,-z,noseparate-code -Wl,--sort-section=alignment; do
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
