# SPDX-License-Identifier: GPL-3.0-or-later

TESTS += tests/lint/format tests/lint/layers tests/lint/man tests/lint/papers tests/lint/test_format \
	tests/lint/test_layers tests/lint/test_papers
EXTRA_DIST += tests/lint/format tests/lint/layers tests/lint/man tests/lint/papers tests/lint/test_format \
	tests/lint/test_layers tests/lint/test_papers
