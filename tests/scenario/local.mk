# SPDX-License-Identifier: GPL-3.0-or-later

TESTS += tests/scenario/run
EXTRA_DIST += tests/scenario/run $(srcdir)/tests/scenario/*.py
