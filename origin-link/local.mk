# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += origin-link/liborigin-link.a
origin_link_liborigin_link_a_SOURCES = \
	origin-link/health.c origin-link/health.h \
	origin-link/olink.h \
	origin-link/probe.c origin-link/probe.h
