# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += fleet/libfleet.a
fleet_libfleet_a_SOURCES = \
	fleet/ask.c fleet/ask.h \
	fleet/checks.c fleet/checks.h \
	fleet/state.c fleet/state.h \
	fleet/verdicts.c fleet/verdicts.h
