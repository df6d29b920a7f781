# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += edge/libedge.a
edge_libedge_a_SOURCES = \
	edge/conn/admission.c edge/conn/admission.h \
	edge/conn/conn.c edge/conn/conn.h edge/conn/conns.h \
	edge/conn/hello.c edge/conn/hello.h \
	edge/conn/inlet.c edge/conn/inlet.h \
	edge/conn/listener.c edge/conn/listener.h \
	edge/conn/reason.c edge/conn/reason.h \
	edge/log/access_log.c edge/log/access_log.h \
	edge/exchange/authority.c edge/exchange/authority.h \
	edge/exchange/dispatch.c edge/exchange/dispatch.h \
	edge/exchange/exchange.c edge/exchange/exchange.h edge/exchange/exchange_internal.h \
	edge/exchange/exchange_reply.c \
	edge/exchange/exchange_request.c \
	edge/exchange/finish.c \
	edge/rules/field_rules.c edge/rules/field_rules.h \
	edge/exchange/forward.c edge/exchange/forward.h \
	edge/exchange/respond.c edge/exchange/respond.h \
	edge/exchange/route_answer.c \
	edge/exchange/steps.c \
	edge/rules/response_rules.c edge/rules/response_rules.h \
	edge/facts/client.c edge/facts/client.h edge/facts/facts.h \
	edge/facts/forwarded.c edge/facts/forwarded.h \
	edge/facts/client.h edge/facts/facts.h \
	edge/facts/match.c edge/facts/match.h \
	edge/facts/template.c edge/facts/template.h \
	edge/facts/variables.c edge/facts/variables.h \
	edge/h1/h1.h \
	edge/h1/h1_conn.c \
	edge/h1/h1_internal.h \
	edge/h1/h1_reply.c \
	edge/h1/h1_request.c \
	edge/h1/h1_response.c edge/h1/h1_response.h \
	edge/limit/access.c edge/limit/access.h \
	edge/limit/guard.c edge/limit/guard.h \
	edge/limit/rates.c edge/limit/rates.h \
	edge/limit/tally.c edge/limit/tally.h \
	edge/node/counters.c edge/node/counters.h \
	edge/node/date.c edge/node/date.h \
	edge/route/content.c edge/route/content.h \
	edge/route/route.c edge/route/route.h \
	edge/route/split.c edge/route/split.h \
	edge/node/view.c edge/node/view.h \
	edge/node/worker.h \
	edge/tls/certs.c edge/tls/certs.h \
	edge/tls/host_table.c edge/tls/host_table.h \
	edge/status.c edge/status.h \
	edge/worker.c edge/worker.h

sbin_PROGRAMS += edge/perigee-edge
edge_perigee_edge_SOURCES = edge/main.c
edge_perigee_edge_LDADD = $(LINK_EDGE)

dist_man_MANS += edge/perigee-edge.8
