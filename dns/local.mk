# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += dns/libdns.a
dns_libdns_a_SOURCES = \
	dns/answer.c dns/answer.h \
	dns/counters.c dns/counters.h \
	dns/ecs.c dns/ecs.h \
	dns/edge_health.c dns/edge_health.h \
	dns/name.c dns/name.h \
	dns/report.c dns/report.h \
	dns/resolve.c dns/resolve.h \
	dns/service.c dns/service.h \
	dns/steer.c dns/steer.h \
	dns/tcp.c dns/tcp.h \
	dns/udp.c dns/udp.h \
	dns/view.c dns/view.h \
	dns/worker.c dns/worker.h \
	dns/zone.c dns/zone.h \
	dns/zone_load.c

sbin_PROGRAMS += dns/perigee-dns
dns_perigee_dns_SOURCES = dns/main.c
dns_perigee_dns_LDADD = $(LINK_DNS)

dist_man_MANS += dns/perigee-dns.8
