# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += origin-link/liborigin-link.a
origin_link_liborigin_link_a_SOURCES = \
	origin-link/counters.c origin-link/counters.h \
	origin-link/dial.c origin-link/dial.h \
	origin-link/health.c origin-link/health.h \
	origin-link/olink.h \
	origin-link/pool.c origin-link/pool.h \
	origin-link/probe.c origin-link/probe.h \
	origin-link/resolver.c origin-link/resolver.h
