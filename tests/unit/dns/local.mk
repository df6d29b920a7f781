# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of dns/: they link $(LINK_DNS), so nothing above it.

dns_test_fixture = tests/unit/dns/fixture.c tests/unit/dns/fixture.h
zone_fixture = tests/unit/dns/zone/zone_fixture.c tests/unit/dns/zone/zone_fixture.h

check_PROGRAMS += tests/unit/dns/answer/test_additional
tests_unit_dns_answer_test_additional_SOURCES = tests/unit/dns/answer/test_additional.c $(dns_test_fixture)
tests_unit_dns_answer_test_additional_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_additional

check_PROGRAMS += tests/unit/dns/answer/test_answer
tests_unit_dns_answer_test_answer_SOURCES = tests/unit/dns/answer/test_answer.c $(dns_test_fixture)
tests_unit_dns_answer_test_answer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_answer

check_PROGRAMS += tests/unit/dns/answer/test_message
tests_unit_dns_answer_test_message_SOURCES = tests/unit/dns/answer/test_message.c $(dns_test_fixture)
tests_unit_dns_answer_test_message_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_message

check_PROGRAMS += tests/unit/dns/answer/test_query
tests_unit_dns_answer_test_query_SOURCES = tests/unit/dns/answer/test_query.c $(dns_test_fixture)
tests_unit_dns_answer_test_query_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_query

check_PROGRAMS += tests/unit/dns/answer/test_quick
tests_unit_dns_answer_test_quick_SOURCES = tests/unit/dns/answer/test_quick.c $(dns_test_fixture)
tests_unit_dns_answer_test_quick_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_quick

check_PROGRAMS += tests/unit/dns/serve/test_holders
tests_unit_dns_serve_test_holders_SOURCES = tests/unit/dns/serve/test_holders.c
tests_unit_dns_serve_test_holders_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/serve/test_holders

check_PROGRAMS += tests/unit/dns/serve/test_udp
tests_unit_dns_serve_test_udp_SOURCES = tests/unit/dns/serve/test_udp.c
tests_unit_dns_serve_test_udp_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/serve/test_udp

check_PROGRAMS += tests/unit/dns/serve/test_worker
tests_unit_dns_serve_test_worker_SOURCES = tests/unit/dns/serve/test_worker.c
tests_unit_dns_serve_test_worker_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/serve/test_worker

check_PROGRAMS += tests/unit/dns/steer/test_choose
tests_unit_dns_steer_test_choose_SOURCES = tests/unit/dns/steer/test_choose.c
tests_unit_dns_steer_test_choose_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_choose

check_PROGRAMS += tests/unit/dns/steer/test_front
tests_unit_dns_steer_test_front_SOURCES = tests/unit/dns/steer/test_front.c \
	tests/unit/dns/steer/world.c tests/unit/dns/steer/world.h
tests_unit_dns_steer_test_front_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_front

check_PROGRAMS += tests/unit/dns/steer/test_networks
tests_unit_dns_steer_test_networks_SOURCES = tests/unit/dns/steer/test_networks.c \
	tests/unit/dns/steer/world.c tests/unit/dns/steer/world.h
tests_unit_dns_steer_test_networks_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_networks

check_PROGRAMS += tests/unit/dns/steer/test_pool
tests_unit_dns_steer_test_pool_SOURCES = tests/unit/dns/steer/test_pool.c
tests_unit_dns_steer_test_pool_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_pool

check_PROGRAMS += tests/unit/dns/steer/test_steer
tests_unit_dns_steer_test_steer_SOURCES = tests/unit/dns/steer/test_steer.c $(dns_test_fixture)
tests_unit_dns_steer_test_steer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_steer

check_PROGRAMS += tests/unit/dns/test_sections
tests_unit_dns_test_sections_SOURCES = tests/unit/dns/test_sections.c $(dns_test_fixture)
tests_unit_dns_test_sections_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/test_sections

check_PROGRAMS += tests/unit/dns/view/test_generation
tests_unit_dns_view_test_generation_SOURCES = tests/unit/dns/view/test_generation.c \
	$(dns_test_fixture)
tests_unit_dns_view_test_generation_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/view/test_generation

check_PROGRAMS += tests/unit/dns/zone/test_generate
tests_unit_dns_zone_test_generate_SOURCES = tests/unit/dns/zone/test_generate.c
tests_unit_dns_zone_test_generate_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_generate

check_PROGRAMS += tests/unit/dns/zone/test_load
tests_unit_dns_zone_test_load_SOURCES = tests/unit/dns/zone/test_load.c $(dns_test_fixture)
tests_unit_dns_zone_test_load_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_load

check_PROGRAMS += tests/unit/dns/zone/test_master
tests_unit_dns_zone_test_master_SOURCES = tests/unit/dns/zone/test_master.c $(zone_fixture)
tests_unit_dns_zone_test_master_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_master

check_PROGRAMS += tests/unit/dns/zone/test_order
tests_unit_dns_zone_test_order_SOURCES = tests/unit/dns/zone/test_order.c
tests_unit_dns_zone_test_order_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_order

check_PROGRAMS += tests/unit/dns/zone/test_rdata
tests_unit_dns_zone_test_rdata_SOURCES = tests/unit/dns/zone/test_rdata.c
tests_unit_dns_zone_test_rdata_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_rdata

check_PROGRAMS += tests/unit/dns/zone/test_zone
tests_unit_dns_zone_test_zone_SOURCES = tests/unit/dns/zone/test_zone.c $(zone_fixture)
tests_unit_dns_zone_test_zone_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_zone

check_PROGRAMS += tests/unit/dns/zone/test_zones
tests_unit_dns_zone_test_zones_SOURCES = tests/unit/dns/zone/test_zones.c $(zone_fixture)
tests_unit_dns_zone_test_zones_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_zones
