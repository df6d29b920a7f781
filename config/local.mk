# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
	config/diag.c config/diag.h \
	config/fleet.h
