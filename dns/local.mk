# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += dns/libdns.a
dns_libdns_a_SOURCES = \
	dns/report.c dns/report.h \
	dns/sections.c dns/sections.h \
	dns/answer/additional.c \
	dns/answer/answer.c dns/answer/answer.h \
	dns/answer/chaos.c \
	dns/answer/ecs.c dns/answer/ecs.h \
	dns/answer/edns.c dns/answer/edns.h \
	dns/answer/message.c dns/answer/message.h \
	dns/answer/notify.c \
	dns/answer/options.c dns/answer/options.h \
	dns/answer/query.c dns/answer/query.h \
	dns/answer/quick.c dns/answer/quick.h \
	dns/answer/reply.h \
	dns/answer/transfer.c \
	dns/answer/tsig.c dns/answer/tsig.h \
	dns/answer/update.c \
	dns/serve/counters.c dns/serve/counters.h \
	dns/serve/holders.c dns/serve/holders.h \
	dns/serve/service.c dns/serve/service.h \
	dns/serve/tcp.c dns/serve/tcp.h \
	dns/serve/udp.c dns/serve/udp.h \
	dns/serve/worker.c dns/serve/worker.h \
	dns/steer/choose.c dns/steer/choose.h \
	dns/steer/front.c dns/steer/front.h \
	dns/steer/fronts.c dns/steer/fronts.h \
	dns/steer/offer.c dns/steer/offer.h \
	dns/steer/pool.c dns/steer/pool.h \
	dns/steer/spot.c dns/steer/spot.h \
	dns/steer/steer.c dns/steer/steer.h \
	dns/steer/steering.c dns/steer/steering.h \
	dns/view/generation.c dns/view/generation.h \
	dns/view/parts.c dns/view/parts.h \
	dns/view/view.c dns/view/view.h \
	dns/zone/build.c dns/zone/build.h \
	dns/zone/drafts.c dns/zone/drafts.h \
	dns/zone/generate.c dns/zone/generate.h \
	dns/zone/index.c dns/zone/index.h \
	dns/zone/load.c \
	dns/zone/master.c dns/zone/master.h \
	dns/zone/name.c dns/zone/name.h \
	dns/zone/order.c dns/zone/order.h \
	dns/zone/rdata.c dns/zone/rdata.h \
	dns/zone/sources.c dns/zone/sources.h \
	dns/zone/zone.c dns/zone/zone.h \
	dns/zone/zones.c dns/zone/zones.h

sbin_PROGRAMS += dns/perigee-dns
dns_perigee_dns_SOURCES = dns/main.c
dns_perigee_dns_LDADD = $(LINK_DNS)

dist_man_MANS += dns/perigee-dns.8
