# SPDX-License-Identifier: GPL-3.0-or-later
#
# Unit tests of geo/: they link $(LINK_GEO), so nothing above it.

GEO_TESTS = \
	tests/unit/geo/test_broken \
	tests/unit/geo/test_distance \
	tests/unit/geo/test_nearest \
	tests/unit/geo/test_places \
	tests/unit/geo/test_ranges
check_PROGRAMS += $(GEO_TESTS)
TESTS += $(GEO_TESTS)

# Databases that are not the project's own; PERIGEE_MMDB_DIR overrides the place at run time.
GEO_TEST_CPPFLAGS = $(AM_CPPFLAGS) -DSAMPLE_MMDB='"$(abs_top_builddir)/geo/sample-city.mmdb"' \
	-DMMDB_DIR='"$(abs_top_srcdir)/../shared/mmdb"'
GEO_TEST_SUPPORT = tests/unit/geo/geo_test.c tests/unit/geo/geo_test.h \
	tests/support/mmdb_maker.c tests/support/mmdb_maker.h

tests_unit_geo_test_broken_SOURCES = tests/unit/geo/test_broken.c $(GEO_TEST_SUPPORT)
tests_unit_geo_test_broken_CPPFLAGS = $(GEO_TEST_CPPFLAGS)
tests_unit_geo_test_broken_LDADD = $(LINK_GEO) $(CMOCKA_LIBS)
tests_unit_geo_test_distance_SOURCES = tests/unit/geo/test_distance.c $(GEO_TEST_SUPPORT)
tests_unit_geo_test_distance_CPPFLAGS = $(GEO_TEST_CPPFLAGS)
tests_unit_geo_test_distance_LDADD = $(LINK_GEO) $(CMOCKA_LIBS)
tests_unit_geo_test_nearest_SOURCES = tests/unit/geo/test_nearest.c $(GEO_TEST_SUPPORT)
tests_unit_geo_test_nearest_CPPFLAGS = $(GEO_TEST_CPPFLAGS)
tests_unit_geo_test_nearest_LDADD = $(LINK_GEO) $(CMOCKA_LIBS)
tests_unit_geo_test_ranges_SOURCES = tests/unit/geo/test_ranges.c $(GEO_TEST_SUPPORT)
tests_unit_geo_test_ranges_CPPFLAGS = $(GEO_TEST_CPPFLAGS)
tests_unit_geo_test_ranges_LDADD = $(LINK_GEO) $(CMOCKA_LIBS)
tests_unit_geo_test_places_SOURCES = tests/unit/geo/test_places.c $(GEO_TEST_SUPPORT)
tests_unit_geo_test_places_CPPFLAGS = $(GEO_TEST_CPPFLAGS)
tests_unit_geo_test_places_LDADD = $(LINK_GEO) $(CMOCKA_LIBS)
