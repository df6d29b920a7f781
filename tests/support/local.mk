# SPDX-License-Identifier: GPL-3.0-or-later

EXTRA_DIST += tests/support/busy_clients.py tests/support/certtool.py tests/support/client_ca.py \
	tests/support/demo.py tests/support/desync_contents.py tests/support/desync_requests.py \
	tests/support/desync_responses.py tests/support/dns_fleet.py tests/support/edge_fleet.py \
	tests/support/few_descriptors.h tests/support/h2_client.py tests/support/h2_frames.py \
	tests/support/h2_origin.py tests/support/h2_rules.py tests/support/held_port.py \
	tests/support/ja4.py \
	tests/support/key_search.py tests/support/keys_fleet.py tests/support/mmdb.py \
	tests/support/name_server.py tests/support/netns.py tests/support/nginx.py \
	tests/support/no_ipv6.py tests/support/perigee.py tests/support/private_etc.py \
	tests/support/relays.py tests/support/rfc6455.py tests/support/skip.h \
	tests/support/steady_client.py tests/support/tls13.py tests/support/tls_frames.py \
	tests/support/tsan.supp

check_LIBRARIES += tests/support/libcases.a
tests_support_libcases_a_SOURCES = tests/support/case_filter.c
# The object itself: nobody calls it, so that it would stay in the library.
CMOCKA_LIBS = tests/support/case_filter.$(OBJEXT) @CMOCKA_LIBS@

noinst_PROGRAMS += tests/support/perigee-origin
tests_support_perigee_origin_SOURCES = tests/support/origin.c
tests_support_perigee_origin_LDADD = $(LINK_CORE) $(EVENT_HTTP_LIBS)

check_PROGRAMS += tests/support/h1_cases
tests_support_h1_cases_SOURCES = tests/support/h1_cases.c \
	tests/support/h1_run.c tests/support/h1_run.h
tests_support_h1_cases_LDADD = $(LINK_CORE)
