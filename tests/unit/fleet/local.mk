# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of fleet/: they link $(LINK_FLEET), so nothing above it.

check_PROGRAMS += tests/unit/fleet/test_verdicts
tests_unit_fleet_test_verdicts_SOURCES = tests/unit/fleet/test_verdicts.c
tests_unit_fleet_test_verdicts_LDADD = $(LINK_FLEET) $(CMOCKA_LIBS)
TESTS += tests/unit/fleet/test_verdicts
