# PM_CHECK_FRAMEWORK: the unit tests' framework; without it only they are left out.
AC_DEFUN([PM_CHECK_FRAMEWORK], [
PKG_CHECK_MODULES([CHECK], [check >= 0.15], [have_check=yes], [have_check=no])
AM_CONDITIONAL([HAVE_CHECK], [test "x$have_check" = xyes])
])
