# PM_WARNINGS: the warnings we build with; errors only with --enable-werror.
AC_DEFUN([PM_WARNINGS], [
PM_CFLAGS="-std=gnu11 -Wall -Wextra -Wundef -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wpointer-arith -Wvla"
PM_CXXFLAGS="-std=c++17 -Wall -Wextra -Wundef"
AS_IF([test "x$enable_werror" = xyes],
  [PM_CFLAGS="$PM_CFLAGS -Werror"
   PM_CXXFLAGS="$PM_CXXFLAGS -Werror"])
AC_SUBST([PM_CFLAGS])
AC_SUBST([PM_CXXFLAGS])
])
