# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of dns/: they link $(LINK_DNS), so nothing above it.

dns_test_fixture = tests/unit/dns/fixture.c tests/unit/dns/fixture.h

check_PROGRAMS += tests/unit/dns/test_answer
tests_unit_dns_test_answer_SOURCES = tests/unit/dns/test_answer.c $(dns_test_fixture)
tests_unit_dns_test_answer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/test_answer

check_PROGRAMS += tests/unit/dns/test_message
tests_unit_dns_test_message_SOURCES = tests/unit/dns/test_message.c $(dns_test_fixture)
tests_unit_dns_test_message_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/test_message

check_PROGRAMS += tests/unit/dns/test_steer
tests_unit_dns_test_steer_SOURCES = tests/unit/dns/test_steer.c $(dns_test_fixture)
tests_unit_dns_test_steer_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/test_steer

check_PROGRAMS += tests/unit/dns/test_zone_load
tests_unit_dns_test_zone_load_SOURCES = tests/unit/dns/test_zone_load.c $(dns_test_fixture)
tests_unit_dns_test_zone_load_LDADD = $(LINK_DNS) $(CMOCKA_LIBS)
TESTS += tests/unit/dns/test_zone_load
