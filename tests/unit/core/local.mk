# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of core/: they link $(LINK_CORE), so nothing above it.

check_PROGRAMS += tests/unit/core/test_arena
tests_unit_core_test_arena_SOURCES = tests/unit/core/test_arena.c
tests_unit_core_test_arena_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_arena

check_PROGRAMS += tests/unit/core/test_http
tests_unit_core_test_http_SOURCES = tests/unit/core/test_http.c
tests_unit_core_test_http_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http

check_PROGRAMS += tests/unit/core/test_http1_head
tests_unit_core_test_http1_head_SOURCES = tests/unit/core/test_http1_head.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_head_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_head

check_PROGRAMS += tests/unit/core/test_http1_body
tests_unit_core_test_http1_body_SOURCES = tests/unit/core/test_http1_body.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_body_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_body

check_PROGRAMS += tests/unit/core/test_http1_write
tests_unit_core_test_http1_write_SOURCES = tests/unit/core/test_http1_write.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_write_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_write

stream_test_sources = \
	tests/support/test_cert.c tests/support/test_cert.h \
	tests/unit/core/stream_cases.c tests/unit/core/stream_sides.c tests/unit/core/stream_sides.h
check_PROGRAMS += tests/unit/core/test_stream_plain
tests_unit_core_test_stream_plain_SOURCES = tests/unit/core/test_stream_plain.c \
	$(stream_test_sources)
tests_unit_core_test_stream_plain_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_stream_plain
