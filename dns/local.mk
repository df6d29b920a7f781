# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += dns/libdns.a
dns_libdns_a_SOURCES = \
	dns/answer.c dns/answer.h \
	dns/ecs.c dns/ecs.h \
	dns/name.c dns/name.h \
	dns/resolve.c dns/resolve.h \
	dns/steer.c dns/steer.h \
	dns/view.h \
	dns/zone.c dns/zone.h \
	dns/zone_load.c
