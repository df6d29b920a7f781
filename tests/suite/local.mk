# SPDX-License-Identifier: GPL-3.0-or-later
#
# How tests are run and counted: a driver with a time limit, and a summary that says what was skipped.

# Seconds that a test may take; a case of a scenario has a quarter of it. The longest takes about a
# minute, a sanitizer makes it some minutes on a busy machine. Under valgrind: make check TEST_LIMIT=3600
TEST_LIMIT = 900
LOG_DRIVER = $(PYTHON) $(top_srcdir)/tests/suite/driver
PY_LOG_DRIVER = $(LOG_DRIVER)
AM_LOG_DRIVER_FLAGS = --limit $(TEST_LIMIT)
AM_PY_LOG_DRIVER_FLAGS = $(AM_LOG_DRIVER_FLAGS)
EXTRA_DIST += tests/suite/driver tests/suite/summary

# Under the headline of automake's own summary, which can say no more than how many tests there were.
AM_TESTSUITE_SUMMARY_HEADER = ' for $(PACKAGE_STRING)'; \
	$(PYTHON) $(srcdir)/tests/suite/summary $(TEST_LOGS); printf ''
