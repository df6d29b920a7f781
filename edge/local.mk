# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += edge/libedge.a
edge_libedge_a_SOURCES = \
	edge/access_log.c edge/access_log.h \
	edge/certs.c edge/certs.h \
	edge/client_h1.c edge/client_h1_message.c edge/client_h1_internal.h edge/client_h1.h \
	edge/counters.c edge/counters.h \
	edge/exchange.c edge/exchange.h \
	edge/forward.c edge/forward.h \
	edge/h1_response.c edge/h1_response.h \
	edge/listener.c edge/listener.h \
	edge/names.c edge/names.h \
	edge/respond.c edge/respond.h \
	edge/route.c edge/route.h \
	edge/status.c edge/status.h \
	edge/view.c edge/view.h \
	edge/worker.c edge/worker.h

sbin_PROGRAMS += edge/perigee-edge
edge_perigee_edge_SOURCES = edge/main.c
edge_perigee_edge_LDADD = $(LINK_EDGE)

dist_man_MANS += edge/perigee-edge.8
