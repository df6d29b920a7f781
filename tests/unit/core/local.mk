# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of core/: they link $(LINK_CORE), so nothing above it.

stream_test_sources = \
	tests/support/test_cert.c tests/support/test_cert.h \
	tests/unit/core/stream_cases.c tests/unit/core/stream_sides.c tests/unit/core/stream_sides.h
check_PROGRAMS += tests/unit/core/test_stream_plain
tests_unit_core_test_stream_plain_SOURCES = tests/unit/core/test_stream_plain.c \
	$(stream_test_sources)
tests_unit_core_test_stream_plain_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_stream_plain
