# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += geo/libgeo.a
geo_libgeo_a_SOURCES = \
	geo/map.c geo/map.h
