# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += dns/libdns.a
dns_libdns_a_SOURCES = \
	dns/dns.c
