# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/base/addr.c core/base/addr.h \
	core/base/arena.c core/base/arena.h \
	core/base/check.c core/base/check.h \
	core/base/clock.c core/base/clock.h \
	core/base/file.c core/base/file.h \
	core/base/log.c core/base/log.h \
	core/base/log_output.c core/base/log_output.h \
	core/base/log_receiver.c \
	core/base/log_sink.c core/base/log_sink.h \
	core/base/names.c core/base/names.h \
	core/base/printable.c core/base/printable.h \
	core/base/progress.c core/base/progress.h \
	core/base/reason.c core/base/reason.h \
	core/base/siphash.c core/base/siphash.h \
	core/base/thread.c core/base/thread.h \
	core/http/chars.h \
	core/http/flow.c core/http/flow.h \
	core/http/h1.h \
	core/http/h1_body.c \
	core/http/h1_head.c \
	core/http/h1_write.c \
	core/http/h2_fields.c core/http/h2_fields.h \
	core/http/h2_guard.c core/http/h2_guard.h \
	core/http/h2_output.c core/http/h2_output.h \
	core/http/h2_queue.c core/http/h2_queue.h \
	core/http/message.c core/http/message.h \
	core/http/path.c core/http/path.h \
	core/http/cookie.c core/http/cookie.h \
	core/http/query.c core/http/query.h \
	core/http/regex.c core/http/regex.h \
	core/http/relay_field.c core/http/relay_field.h \
	core/http/websocket.c core/http/websocket.h \
	core/loop/deadline.c core/loop/deadline.h \
	core/loop/job.c core/loop/job.h \
	core/loop/loop.c core/loop/loop.h \
	core/loop/loop_group.c \
	core/loop/loop_internal.h \
	core/loop/snapshot.c core/loop/snapshot.h \
	core/net/acceptor.c core/net/acceptor.h \
	core/net/handshakes.c core/net/handshakes.h \
	core/net/proxy_header.c core/net/proxy_header.h \
	core/net/sock.c core/net/sock.h \
	core/net/stream.c core/net/stream.h \
	core/net/stream_close.c \
	core/net/stream_handshake.c \
	core/net/stream_internal.h \
	core/net/stream_stall.c core/net/stream_stall.h \
	core/net/stream_early.c \
	core/net/stream_ticket.c \
	core/net/stream_tls.c \
	core/net/stream_watch.c \
	core/net/stream_write.c \
	core/tls/early_hello.c core/tls/early_hello.h \
	core/tls/groups.c core/tls/groups.h \
	core/net/tls.c core/net/tls.h \
	core/tls/early.c core/tls/early.h \
	core/tls/revoked.c core/tls/revoked.h \
	core/net/tls_client.c \
	core/net/tls_internal.h \
	core/net/tls_profile.c core/net/tls_profile.h \
	core/net/tls_sessions.c core/net/tls_sessions.h \
	core/process/control.c core/process/control.h \
	core/process/control_call.c \
	core/process/daemon.c core/process/daemon.h \
	core/process/daemon_options.c core/process/daemon_options.h \
	core/process/daemon_signals.c core/process/daemon_signals.h \
	core/process/daemon_views.c core/process/daemon_views.h \
	core/process/descriptors.c core/process/descriptors.h \
	core/process/file_watch.c core/process/file_watch.h \
	core/process/log_control.c core/process/log_control.h \
	core/process/log_file.c core/process/log_file.h \
	core/process/metrics.c core/process/metrics.h \
	core/process/pid_lock.c core/process/pid_lock.h \
	core/process/privileges.c core/process/privileges.h
