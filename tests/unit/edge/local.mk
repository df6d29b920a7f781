# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of edge/: they link $(LINK_EDGE), so nothing above it.

check_PROGRAMS += tests/unit/edge/test_access_log
tests_unit_edge_test_access_log_SOURCES = tests/unit/edge/test_access_log.c
tests_unit_edge_test_access_log_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/test_access_log

check_PROGRAMS += tests/unit/edge/test_certs
tests_unit_edge_test_certs_SOURCES = tests/unit/edge/test_certs.c
tests_unit_edge_test_certs_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/test_certs

check_PROGRAMS += tests/unit/edge/test_forward
tests_unit_edge_test_forward_SOURCES = tests/unit/edge/test_forward.c
tests_unit_edge_test_forward_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/test_forward

check_PROGRAMS += tests/unit/edge/test_respond
tests_unit_edge_test_respond_SOURCES = tests/unit/edge/test_respond.c
tests_unit_edge_test_respond_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/test_respond

check_PROGRAMS += tests/unit/edge/test_route
tests_unit_edge_test_route_SOURCES = tests/unit/edge/test_route.c
tests_unit_edge_test_route_LDADD = $(LINK_EDGE) $(CMOCKA_LIBS)
TESTS += tests/unit/edge/test_route
