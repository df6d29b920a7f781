# SPDX-License-Identifier: GPL-3.0-or-later

TESTS += tests/scenario/run
EXTRA_DIST += tests/scenario/run $(srcdir)/tests/scenario/*.py

# What the scenarios start.
tests/scenario/run.log: $(bin_PROGRAMS) $(sbin_PROGRAMS) $(check_PROGRAMS) $(noinst_PROGRAMS) \
	$(noinst_DATA)
