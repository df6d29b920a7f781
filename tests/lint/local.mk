# SPDX-License-Identifier: GPL-3.0-or-later

TESTS += tests/lint/layers tests/lint/test_layers tests/lint/man
EXTRA_DIST += tests/lint/layers tests/lint/test_layers tests/lint/man
