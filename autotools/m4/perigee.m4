# SPDX-License-Identifier: GPL-3.0-or-later

# PERIGEE_REQUIRE(VARIABLE, pkg-config modules with versions, Debian package)
# Collects what is missing, so that one run of configure names every package to install.
AC_DEFUN([PERIGEE_REQUIRE], [
  PKG_CHECK_MODULES([$1], [$2], [], [
    AC_MSG_WARN([$2 not found: install $3])
    perigee_missing="$perigee_missing $3"
  ])
])

AC_DEFUN([PERIGEE_REQUIRED_ALL], [
  AS_IF([test -n "$perigee_missing"], [
    AC_MSG_ERROR([libraries are missing. On Debian: apt-get install$perigee_missing
    (or run ./bootstrap build, which does it)])
  ])
])

# PERIGEE_ADD_CFLAG(VARIABLE, flag): appends the flag when the compiler takes it without a warning.
AC_DEFUN([PERIGEE_ADD_CFLAG], [
  perigee_saved_cflags="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $2"
  AC_MSG_CHECKING([whether $CC accepts $2])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); $1="$$1 $2"], [AC_MSG_RESULT([no])])
  CFLAGS="$perigee_saved_cflags"
])
