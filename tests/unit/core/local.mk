# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of core/: they link $(LINK_CORE), so nothing above it.

check_PROGRAMS += tests/unit/core/test_addr
tests_unit_core_test_addr_SOURCES = tests/unit/core/test_addr.c
tests_unit_core_test_addr_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_addr

check_PROGRAMS += tests/unit/core/test_arena
tests_unit_core_test_arena_SOURCES = tests/unit/core/test_arena.c
tests_unit_core_test_arena_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_arena

check_PROGRAMS += tests/unit/core/test_control
tests_unit_core_test_control_SOURCES = tests/unit/core/test_control.c
tests_unit_core_test_control_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_control

check_PROGRAMS += tests/unit/core/test_daemon
tests_unit_core_test_daemon_SOURCES = tests/unit/core/test_daemon.c
tests_unit_core_test_daemon_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_daemon

check_PROGRAMS += tests/unit/core/test_deadline
tests_unit_core_test_deadline_SOURCES = tests/unit/core/test_deadline.c
tests_unit_core_test_deadline_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_deadline

check_PROGRAMS += tests/unit/core/test_http
tests_unit_core_test_http_SOURCES = tests/unit/core/test_http.c
tests_unit_core_test_http_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http

check_PROGRAMS += tests/unit/core/test_http1_body
tests_unit_core_test_http1_body_SOURCES = tests/unit/core/test_http1_body.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_body_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_body

check_PROGRAMS += tests/unit/core/test_http1_head
tests_unit_core_test_http1_head_SOURCES = tests/unit/core/test_http1_head.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_head_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_head

check_PROGRAMS += tests/unit/core/test_http1_write
tests_unit_core_test_http1_write_SOURCES = tests/unit/core/test_http1_write.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_test_http1_write_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_http1_write

check_PROGRAMS += tests/unit/core/test_log
tests_unit_core_test_log_SOURCES = tests/unit/core/test_log.c
tests_unit_core_test_log_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_log

check_PROGRAMS += tests/unit/core/test_loop
tests_unit_core_test_loop_SOURCES = tests/unit/core/test_loop.c
tests_unit_core_test_loop_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_loop

check_PROGRAMS += tests/unit/core/test_metrics
tests_unit_core_test_metrics_SOURCES = tests/unit/core/test_metrics.c
tests_unit_core_test_metrics_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_metrics

check_PROGRAMS += tests/unit/core/test_snapshot
tests_unit_core_test_snapshot_SOURCES = tests/unit/core/test_snapshot.c
tests_unit_core_test_snapshot_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_snapshot

check_PROGRAMS += tests/unit/core/test_sock
tests_unit_core_test_sock_SOURCES = tests/unit/core/test_sock.c
tests_unit_core_test_sock_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_sock

stream_test_sources = \
	tests/support/test_cert.c tests/support/test_cert.h \
	tests/unit/core/stream_cases.c tests/unit/core/stream_sides.c tests/unit/core/stream_sides.h
check_PROGRAMS += tests/unit/core/test_stream_plain
tests_unit_core_test_stream_plain_SOURCES = tests/unit/core/test_stream_plain.c \
	$(stream_test_sources)
tests_unit_core_test_stream_plain_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_stream_plain
check_PROGRAMS += tests/unit/core/test_stream_tls
tests_unit_core_test_stream_tls_SOURCES = tests/unit/core/test_stream_tls.c $(stream_test_sources)
tests_unit_core_test_stream_tls_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/test_stream_tls
