# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += edge/libedge.a
edge_libedge_a_SOURCES = \
	edge/edge.c
