# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of fleet/: they link $(LINK_FLEET), so nothing above it.

check_PROGRAMS += tests/unit/fleet/test_checks
tests_unit_fleet_test_checks_SOURCES = tests/unit/fleet/test_checks.c
tests_unit_fleet_test_checks_LDADD = $(LINK_FLEET) $(CMOCKA_LIBS)
TESTS += tests/unit/fleet/test_checks

check_PROGRAMS += tests/unit/fleet/test_state
tests_unit_fleet_test_state_SOURCES = tests/unit/fleet/test_state.c
tests_unit_fleet_test_state_LDADD = $(LINK_FLEET) $(CMOCKA_LIBS)
TESTS += tests/unit/fleet/test_state

check_PROGRAMS += tests/unit/fleet/test_verdicts
tests_unit_fleet_test_verdicts_SOURCES = tests/unit/fleet/test_verdicts.c
tests_unit_fleet_test_verdicts_LDADD = $(LINK_FLEET) $(CMOCKA_LIBS)
TESTS += tests/unit/fleet/test_verdicts
