# SPDX-License-Identifier: GPL-3.0-or-later

TESTS += tests/lint/format tests/lint/layers tests/lint/man tests/lint/test_format \
	tests/lint/test_layers
EXTRA_DIST += tests/lint/format tests/lint/layers tests/lint/man tests/lint/test_format \
	tests/lint/test_layers
