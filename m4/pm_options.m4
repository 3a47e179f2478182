# PM_OPTIONS: what the person who builds may choose.
AC_DEFUN([PM_OPTIONS], [
AC_ARG_ENABLE([debug],
  [AS_HELP_STRING([--enable-debug], [check the engine's invariants while it runs (slow)])],
  [], [enable_debug=no])
AS_IF([test "x$enable_debug" = xyes],
  [AC_DEFINE([PM_DEBUG], [1], [check invariants while running])],
  [AC_DEFINE([PM_DEBUG], [0], [check invariants while running])])

AC_ARG_ENABLE([werror],
  [AS_HELP_STRING([--enable-werror], [treat warnings as errors (for developers and CI)])],
  [], [enable_werror=no])

AC_ARG_WITH([tls-model],
  [AS_HELP_STRING([--with-tls-model=MODEL],
    [initial-exec (default: fastest) or global-dynamic (for a copy that musl loads with dlopen)])],
  [], [with_tls_model=initial-exec])
AS_CASE([$with_tls_model],
  [initial-exec|global-dynamic|local-dynamic], [],
  [AC_MSG_ERROR([unknown TLS model $with_tls_model])])
AC_DEFINE_UNQUOTED([PM_TLS_MODEL], ["$with_tls_model"], [how a thread finds its heap])

AC_ARG_WITH([rust-tests],
  [AS_HELP_STRING([--without-rust-tests], [leave the crates of rust/ out of "make check"])],
  [], [with_rust_tests=yes])

AC_ARG_WITH([sanitizer],
  [AS_HELP_STRING([--with-sanitizer=LIST], [build the library and its unit tests with -fsanitize=LIST])],
  [], [with_sanitizer=no])
PM_SANITIZE=
AS_IF([test "x$with_sanitizer" != xno], [PM_SANITIZE="-fsanitize=$with_sanitizer -fno-omit-frame-pointer"])
AC_SUBST([PM_SANITIZE])
AM_CONDITIONAL([SANITIZED], [test "x$with_sanitizer" != xno])
AM_CONDITIONAL([RUST_TESTS], [test "x$with_rust_tests" != xno && test "x$with_sanitizer" = xno])
])
