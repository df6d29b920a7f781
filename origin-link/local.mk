# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += origin-link/liborigin-link.a
origin_link_liborigin_link_a_SOURCES = \
	origin-link/conns/connector.c origin-link/conns/connector.h \
	origin-link/conns/conns.c origin-link/conns/conns.h \
	origin-link/conns/conns_internal.h \
	origin-link/conns/counters.c origin-link/conns/counters.h \
	origin-link/conns/endpoint.c origin-link/conns/endpoint.h \
	origin-link/conns/expiry.c origin-link/conns/expiry.h \
	origin-link/conns/lease.c origin-link/conns/lease.h \
	origin-link/conns/load.c origin-link/conns/load.h \
	origin-link/conns/origin_conn.c \
	origin-link/conns/patience.c origin-link/conns/patience.h \
	origin-link/conns/outcome.c origin-link/conns/outcome.h \
	origin-link/conns/h2/shared.c \
	origin-link/conns/h2/widening.c origin-link/conns/h2/widening.h \
	origin-link/conns/quota.c origin-link/conns/quota.h \
	origin-link/conns/sharing.c \
	origin-link/conns/transport.c origin-link/conns/transport.h \
	origin-link/conns/warm.c origin-link/conns/warm.h \
	origin-link/conns/warmth.c origin-link/conns/warmth.h \
	origin-link/h2/h2.h \
	origin-link/h2/h2_frames.c \
	origin-link/h2/h2_internal.h \
	origin-link/h2/h2_receive.c \
	origin-link/h2/h2_request.c \
	origin-link/h2/h2_response.c origin-link/h2/h2_response.h \
	origin-link/h2/h2_session.c \
	origin-link/h2/h2_stream.c \
	origin-link/h2/h2_window.c origin-link/h2/h2_window.h \
	origin-link/h2/h2_write.c \
	origin-link/health/breaker.c origin-link/health/breaker.h \
	origin-link/recent/budget.c origin-link/recent/budget.h \
	origin-link/recent/latency.c origin-link/recent/latency.h \
	origin-link/recent/recent.c origin-link/recent/recent.h \
	origin-link/health/check.c origin-link/health/check.h \
	origin-link/health/health.c origin-link/health/health.h \
	origin-link/health/history.c origin-link/health/history.h \
	origin-link/health/outlier.c origin-link/health/outlier.h \
	origin-link/health/probe.c origin-link/health/probe.h \
	origin-link/health/probe_answer.c origin-link/health/probe_answer.h \
	origin-link/health/probe_gate.c origin-link/health/probe_gate.h \
	origin-link/health/probe_http1.c origin-link/health/probe_http2.c \
	origin-link/health/probe_talk.h \
	origin-link/request/attempt.c origin-link/request/attempt.h \
	origin-link/request/h1_receive.c \
	origin-link/request/h1_wire.c origin-link/request/h1_wire.h \
	origin-link/request/h2_wire.c origin-link/request/h2_wire.h \
	origin-link/request/race.c origin-link/request/race.h \
	origin-link/request/request.c origin-link/request/request.h \
	origin-link/request/request_internal.h \
	origin-link/request/relay.c \
	origin-link/request/response.c \
	origin-link/request/retry.c origin-link/request/retry.h \
	origin-link/request/send.c \
	origin-link/request/trying.c \
	origin-link/request/watch.c \
	origin-link/request/wire.h \
	origin-link/servers/balance.c origin-link/servers/balance.h \
	origin-link/servers/balance_internal.h \
	origin-link/servers/balance_points.c origin-link/servers/balance_points.h \
	origin-link/servers/balance_table.c \
	origin-link/servers/choice.c origin-link/servers/choice.h \
	origin-link/servers/gather.c origin-link/servers/gather.h \
	origin-link/servers/link.h \
	origin-link/servers/origins.c origin-link/servers/origins.h \
	origin-link/servers/relays.c origin-link/servers/relays.h \
	origin-link/servers/gate.c origin-link/servers/gate.h \
	origin-link/servers/lookout.c origin-link/servers/lookout.h \
	origin-link/servers/resolver.c origin-link/servers/resolver.h \
	origin-link/servers/seen.c origin-link/servers/seen.h \
	origin-link/servers/server.c origin-link/servers/server.h \
	origin-link/servers/service.c origin-link/servers/service.h \
	origin-link/servers/srv_answer.c origin-link/servers/srv_answer.h \
	origin-link/olink.c origin-link/olink.h \
	origin-link/server_metrics.c origin-link/server_metrics.h
