# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += dns/libdns.a
dns_libdns_a_SOURCES = \
	dns/report.c dns/report.h \
	dns/answer/answer.c dns/answer/answer.h \
	dns/answer/ecs.c dns/answer/ecs.h \
	dns/answer/resolve.c dns/answer/resolve.h \
	dns/serve/counters.c dns/serve/counters.h \
	dns/serve/holders.c dns/serve/holders.h \
	dns/serve/service.c dns/serve/service.h \
	dns/serve/tcp.c dns/serve/tcp.h \
	dns/serve/udp.c dns/serve/udp.h \
	dns/serve/worker.c dns/serve/worker.h \
	dns/steer/steer.c dns/steer/steer.h \
	dns/view/view.c dns/view/view.h \
	dns/zone/load.c \
	dns/zone/name.c dns/zone/name.h \
	dns/zone/zone.c dns/zone/zone.h

sbin_PROGRAMS += dns/perigee-dns
dns_perigee_dns_SOURCES = dns/main.c
dns_perigee_dns_LDADD = $(LINK_DNS)

dist_man_MANS += dns/perigee-dns.8
