# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/addr.c core/addr.h \
	core/arena.c core/arena.h \
	core/check.c core/check.h \
	core/clock.c core/clock.h \
	core/control.c core/control.h \
	core/daemon.c core/daemon.h \
	core/deadline.c core/deadline.h \
	core/http.c core/http.h \
	core/http1_body.c core/http1_head.c core/http1_write.c core/http1.h \
	core/http_internal.h \
	core/http_io.h \
	core/log.c core/log_file.c core/log.h \
	core/loop.c core/loop_group.c core/loop_internal.h core/loop.h \
	core/metrics.c core/metrics.h \
	core/reason.c core/reason.h \
	core/snapshot.c core/snapshot.h \
	core/sock.c core/sock.h \
	core/stream.c core/stream_close.c core/stream_tls.c core/stream_internal.h core/stream.h \
	core/tls.c core/tls.h
