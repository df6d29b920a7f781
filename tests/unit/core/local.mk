# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of core/: they link $(LINK_CORE), so nothing above it.

check_PROGRAMS += tests/unit/core/base/test_addr
tests_unit_core_base_test_addr_SOURCES = tests/unit/core/base/test_addr.c
tests_unit_core_base_test_addr_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_addr

check_PROGRAMS += tests/unit/core/base/test_arena
tests_unit_core_base_test_arena_SOURCES = tests/unit/core/base/test_arena.c
tests_unit_core_base_test_arena_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_arena

check_PROGRAMS += tests/unit/core/base/test_names
tests_unit_core_base_test_names_SOURCES = tests/unit/core/base/test_names.c
tests_unit_core_base_test_names_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_names

check_PROGRAMS += tests/unit/core/base/test_printable
tests_unit_core_base_test_printable_SOURCES = tests/unit/core/base/test_printable.c
tests_unit_core_base_test_printable_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_printable

check_PROGRAMS += tests/unit/core/process/test_control
tests_unit_core_process_test_control_SOURCES = tests/unit/core/process/test_control.c
tests_unit_core_process_test_control_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_control

trial_daemon = tests/support/trial_daemon.c tests/support/trial_daemon.h

check_PROGRAMS += tests/unit/core/process/test_daemon
tests_unit_core_process_test_daemon_SOURCES = tests/unit/core/process/test_daemon.c $(trial_daemon)
tests_unit_core_process_test_daemon_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_daemon

check_PROGRAMS += tests/unit/core/process/test_daemon_options
tests_unit_core_process_test_daemon_options_SOURCES = tests/unit/core/process/test_daemon_options.c
tests_unit_core_process_test_daemon_options_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_daemon_options

check_PROGRAMS += tests/unit/core/process/test_daemon_reload
tests_unit_core_process_test_daemon_reload_SOURCES = \
	tests/unit/core/process/test_daemon_reload.c $(trial_daemon)
tests_unit_core_process_test_daemon_reload_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_daemon_reload

check_PROGRAMS += tests/unit/core/process/test_daemon_signals
tests_unit_core_process_test_daemon_signals_SOURCES = tests/unit/core/process/test_daemon_signals.c
tests_unit_core_process_test_daemon_signals_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_daemon_signals

check_PROGRAMS += tests/unit/core/process/test_descriptors
tests_unit_core_process_test_descriptors_SOURCES = tests/unit/core/process/test_descriptors.c
tests_unit_core_process_test_descriptors_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_descriptors

check_PROGRAMS += tests/unit/core/loop/test_deadline
tests_unit_core_loop_test_deadline_SOURCES = tests/unit/core/loop/test_deadline.c
tests_unit_core_loop_test_deadline_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/loop/test_deadline

check_PROGRAMS += tests/unit/core/base/test_file
tests_unit_core_base_test_file_SOURCES = tests/unit/core/base/test_file.c
tests_unit_core_base_test_file_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_file

check_PROGRAMS += tests/unit/core/http/test_flow
tests_unit_core_http_test_flow_SOURCES = tests/unit/core/http/test_flow.c \
	tests/support/flow_filters.c tests/support/flow_filters.h \
	tests/support/flow_party.c tests/support/flow_party.h
tests_unit_core_http_test_flow_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_flow

check_PROGRAMS += tests/unit/core/http/test_message
tests_unit_core_http_test_message_SOURCES = tests/unit/core/http/test_message.c
tests_unit_core_http_test_message_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_message

check_PROGRAMS += tests/unit/core/http/test_h1_body
tests_unit_core_http_test_h1_body_SOURCES = tests/unit/core/http/test_h1_body.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_http_test_h1_body_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h1_body

check_PROGRAMS += tests/unit/core/http/test_h1_head
tests_unit_core_http_test_h1_head_SOURCES = tests/unit/core/http/test_h1_head.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_http_test_h1_head_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h1_head

check_PROGRAMS += tests/unit/core/http/test_h1_write
tests_unit_core_http_test_h1_write_SOURCES = tests/unit/core/http/test_h1_write.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_unit_core_http_test_h1_write_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h1_write

check_PROGRAMS += tests/unit/core/http/test_h2_guard
tests_unit_core_http_test_h2_guard_SOURCES = tests/unit/core/http/test_h2_guard.c
tests_unit_core_http_test_h2_guard_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h2_guard

check_PROGRAMS += tests/unit/core/http/test_h2_output
tests_unit_core_http_test_h2_output_SOURCES = tests/unit/core/http/test_h2_output.c
tests_unit_core_http_test_h2_output_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h2_output

check_PROGRAMS += tests/unit/core/http/test_h2_queue
tests_unit_core_http_test_h2_queue_SOURCES = tests/unit/core/http/test_h2_queue.c
tests_unit_core_http_test_h2_queue_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_h2_queue

check_PROGRAMS += tests/unit/core/http/test_path
tests_unit_core_http_test_path_SOURCES = tests/unit/core/http/test_path.c
tests_unit_core_http_test_path_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_path

check_PROGRAMS += tests/unit/core/http/test_cookie
tests_unit_core_http_test_cookie_SOURCES = tests/unit/core/http/test_cookie.c
tests_unit_core_http_test_cookie_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_cookie

check_PROGRAMS += tests/unit/core/http/test_query
tests_unit_core_http_test_query_SOURCES = tests/unit/core/http/test_query.c
tests_unit_core_http_test_query_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_query

check_PROGRAMS += tests/unit/core/http/test_relay_field
tests_unit_core_http_test_relay_field_SOURCES = tests/unit/core/http/test_relay_field.c
tests_unit_core_http_test_relay_field_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_relay_field

check_PROGRAMS += tests/unit/core/http/test_regex
tests_unit_core_http_test_regex_SOURCES = tests/unit/core/http/test_regex.c
tests_unit_core_http_test_regex_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_regex

check_PROGRAMS += tests/unit/core/base/test_log
tests_unit_core_base_test_log_SOURCES = tests/unit/core/base/test_log.c
tests_unit_core_base_test_log_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_log

check_PROGRAMS += tests/unit/core/base/test_log_receiver
tests_unit_core_base_test_log_receiver_SOURCES = tests/unit/core/base/test_log_receiver.c
tests_unit_core_base_test_log_receiver_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_log_receiver

check_PROGRAMS += tests/unit/core/process/test_file_watch
tests_unit_core_process_test_file_watch_SOURCES = tests/unit/core/process/test_file_watch.c
tests_unit_core_process_test_file_watch_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_file_watch

check_PROGRAMS += tests/unit/core/process/test_log_control
tests_unit_core_process_test_log_control_SOURCES = tests/unit/core/process/test_log_control.c
tests_unit_core_process_test_log_control_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_log_control

check_PROGRAMS += tests/unit/core/process/test_log_file
tests_unit_core_process_test_log_file_SOURCES = tests/unit/core/process/test_log_file.c
tests_unit_core_process_test_log_file_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_log_file

check_PROGRAMS += tests/unit/core/base/test_log_sink
tests_unit_core_base_test_log_sink_SOURCES = tests/unit/core/base/test_log_sink.c
tests_unit_core_base_test_log_sink_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_log_sink

check_PROGRAMS += tests/unit/core/loop/test_job
tests_unit_core_loop_test_job_SOURCES = tests/unit/core/loop/test_job.c
tests_unit_core_loop_test_job_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/loop/test_job

check_PROGRAMS += tests/unit/core/loop/test_loop
tests_unit_core_loop_test_loop_SOURCES = tests/unit/core/loop/test_loop.c
tests_unit_core_loop_test_loop_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/loop/test_loop

check_PROGRAMS += tests/unit/core/process/test_metrics
tests_unit_core_process_test_metrics_SOURCES = tests/unit/core/process/test_metrics.c
tests_unit_core_process_test_metrics_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_metrics

check_PROGRAMS += tests/unit/core/process/test_pid_lock
tests_unit_core_process_test_pid_lock_SOURCES = tests/unit/core/process/test_pid_lock.c
tests_unit_core_process_test_pid_lock_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/process/test_pid_lock

check_PROGRAMS += tests/unit/core/loop/test_snapshot
tests_unit_core_loop_test_snapshot_SOURCES = tests/unit/core/loop/test_snapshot.c
tests_unit_core_loop_test_snapshot_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/loop/test_snapshot

check_PROGRAMS += tests/unit/core/net/test_acceptor
tests_unit_core_net_test_acceptor_SOURCES = tests/unit/core/net/test_acceptor.c
tests_unit_core_net_test_acceptor_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_acceptor

check_PROGRAMS += tests/unit/core/net/test_handshakes
tests_unit_core_net_test_handshakes_SOURCES = tests/unit/core/net/test_handshakes.c
tests_unit_core_net_test_handshakes_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_handshakes

check_PROGRAMS += tests/unit/core/net/test_proxy_header
tests_unit_core_net_test_proxy_header_SOURCES = tests/unit/core/net/test_proxy_header.c
tests_unit_core_net_test_proxy_header_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_proxy_header

check_PROGRAMS += tests/unit/core/tls/test_early_hello
tests_unit_core_tls_test_early_hello_SOURCES = tests/unit/core/tls/test_early_hello.c
tests_unit_core_tls_test_early_hello_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/tls/test_early_hello

check_PROGRAMS += tests/unit/core/tls/test_early
tests_unit_core_tls_test_early_SOURCES = tests/unit/core/tls/test_early.c
tests_unit_core_tls_test_early_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/tls/test_early

check_PROGRAMS += tests/unit/core/net/test_sock
tests_unit_core_net_test_sock_SOURCES = tests/unit/core/net/test_sock.c
tests_unit_core_net_test_sock_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_sock

stream_test_sources = \
	tests/support/test_cert.c tests/support/test_cert.h \
	tests/unit/core/net/stream_cases.c \
	tests/unit/core/net/stream_sides.c tests/unit/core/net/stream_sides.h
check_PROGRAMS += tests/unit/core/net/test_stream_plain
tests_unit_core_net_test_stream_plain_SOURCES = tests/unit/core/net/test_stream_plain.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_plain_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_plain
check_PROGRAMS += tests/unit/core/net/test_stream_close
tests_unit_core_net_test_stream_close_SOURCES = tests/unit/core/net/test_stream_close.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_close_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_close
check_PROGRAMS += tests/unit/core/net/test_stream_early
tests_unit_core_net_test_stream_early_SOURCES = tests/unit/core/net/test_stream_early.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_early_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_early
check_PROGRAMS += tests/unit/core/net/test_stream_gather
tests_unit_core_net_test_stream_gather_SOURCES = tests/unit/core/net/test_stream_gather.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_gather_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_gather
check_PROGRAMS += tests/unit/core/net/test_stream_handshake
tests_unit_core_net_test_stream_handshake_SOURCES = tests/unit/core/net/test_stream_handshake.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_handshake_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_handshake
check_PROGRAMS += tests/unit/core/net/test_stream_lent
tests_unit_core_net_test_stream_lent_SOURCES = tests/unit/core/net/test_stream_lent.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_lent_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_lent
check_PROGRAMS += tests/unit/core/net/test_stream_resume
tests_unit_core_net_test_stream_resume_SOURCES = tests/unit/core/net/test_stream_resume.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_resume_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_resume
check_PROGRAMS += tests/unit/core/net/test_tls_client
tests_unit_core_net_test_tls_client_SOURCES = tests/unit/core/net/test_tls_client.c \
	$(stream_test_sources)
tests_unit_core_net_test_tls_client_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_tls_client
check_PROGRAMS += tests/unit/core/net/test_tls_profile
tests_unit_core_net_test_tls_profile_SOURCES = tests/unit/core/net/test_tls_profile.c
tests_unit_core_net_test_tls_profile_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_tls_profile
check_PROGRAMS += tests/unit/core/net/test_tls_sessions
tests_unit_core_net_test_tls_sessions_SOURCES = tests/unit/core/net/test_tls_sessions.c
tests_unit_core_net_test_tls_sessions_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_tls_sessions
check_PROGRAMS += tests/unit/core/net/test_stream_stall
tests_unit_core_net_test_stream_stall_SOURCES = tests/unit/core/net/test_stream_stall.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_stall_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_stall
check_PROGRAMS += tests/unit/core/net/test_stream_turn
tests_unit_core_net_test_stream_turn_SOURCES = tests/unit/core/net/test_stream_turn.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_turn_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_turn
check_PROGRAMS += tests/unit/core/net/test_stream_watch
tests_unit_core_net_test_stream_watch_SOURCES = tests/unit/core/net/test_stream_watch.c \
	$(stream_test_sources)
tests_unit_core_net_test_stream_watch_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_watch
check_PROGRAMS += tests/unit/core/net/test_stream_tls
tests_unit_core_net_test_stream_tls_SOURCES = tests/unit/core/net/test_stream_tls.c $(stream_test_sources)
tests_unit_core_net_test_stream_tls_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/net/test_stream_tls

check_PROGRAMS += tests/unit/core/base/test_siphash
tests_unit_core_base_test_siphash_SOURCES = tests/unit/core/base/test_siphash.c
tests_unit_core_base_test_siphash_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/base/test_siphash

check_PROGRAMS += tests/unit/core/http/test_websocket
tests_unit_core_http_test_websocket_SOURCES = tests/unit/core/http/test_websocket.c
tests_unit_core_http_test_websocket_LDADD = $(LINK_CORE) $(CMOCKA_LIBS)
TESTS += tests/unit/core/http/test_websocket
