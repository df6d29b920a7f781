# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of dns/: they link $(LINK_DNS), so nothing above it.

dns_test_fixture = tests/unit/dns/fixture.c tests/unit/dns/fixture.h

check_PROGRAMS += tests/unit/dns/answer/test_answer
tests_unit_dns_answer_test_answer_SOURCES = tests/unit/dns/answer/test_answer.c $(dns_test_fixture)
tests_unit_dns_answer_test_answer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_answer

check_PROGRAMS += tests/unit/dns/answer/test_message
tests_unit_dns_answer_test_message_SOURCES = tests/unit/dns/answer/test_message.c $(dns_test_fixture)
tests_unit_dns_answer_test_message_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/answer/test_message

check_PROGRAMS += tests/unit/dns/serve/test_holders
tests_unit_dns_serve_test_holders_SOURCES = tests/unit/dns/serve/test_holders.c
tests_unit_dns_serve_test_holders_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/serve/test_holders

check_PROGRAMS += tests/unit/dns/serve/test_udp
tests_unit_dns_serve_test_udp_SOURCES = tests/unit/dns/serve/test_udp.c
tests_unit_dns_serve_test_udp_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/serve/test_udp

check_PROGRAMS += tests/unit/dns/steer/test_steer
tests_unit_dns_steer_test_steer_SOURCES = tests/unit/dns/steer/test_steer.c $(dns_test_fixture)
tests_unit_dns_steer_test_steer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/steer/test_steer

check_PROGRAMS += tests/unit/dns/zone/test_load
tests_unit_dns_zone_test_load_SOURCES = tests/unit/dns/zone/test_load.c $(dns_test_fixture)
tests_unit_dns_zone_test_load_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/zone/test_load
