# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += origin-link/liborigin-link.a
origin_link_liborigin_link_a_SOURCES = \
	origin-link/counters.c origin-link/counters.h \
	origin-link/dial.c origin-link/dial.h \
	origin-link/health.c origin-link/health.h \
	origin-link/lease.c origin-link/lease.h \
	origin-link/olink.c origin-link/olink_internal.h origin-link/olink.h \
	origin-link/origins.c \
	origin-link/pool.c origin-link/pool.h \
	origin-link/probe.c origin-link/probe.h \
	origin-link/request.c origin-link/request_internal.h \
	origin-link/resolver.c origin-link/resolver.h \
	origin-link/response.c \
	origin-link/server.c origin-link/server.h \
	origin-link/warm.c origin-link/warm.h
