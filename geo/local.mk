# SPDX-License-Identifier: GPL-3.0-or-later

noinst_LIBRARIES += geo/libgeo.a
geo_libgeo_a_SOURCES = \
	geo/block.c geo/block.h \
	geo/builder.c \
	geo/countries.c geo/countries.h \
	geo/data.c geo/data.h \
	geo/db.c geo/db.h geo/db_internal.h \
	geo/distance.c geo/distance.h \
	geo/facts.c geo/facts.h \
	geo/nearest.c geo/nearest.h \
	geo/overrides.c geo/overrides.h \
	geo/places.c geo/places.h \
	geo/ranges.c geo/ranges.h geo/ranges_internal.h \
	geo/report.c geo/report.h \
	geo/table.c geo/table.h \
	geo/walk.c geo/walk.h

# The sample database: documentation and benchmark networks, placed in cities of the world.
pkgdata_DATA += geo/sample-city.mmdb
CLEANFILES += geo/sample-city.mmdb
EXTRA_DIST += geo/sample/build-mmdb geo/sample/sample-city.csv

geo/sample-city.mmdb: geo/sample/build-mmdb geo/sample/sample-city.csv
	$(AM_V_GEN)$(MKDIR_P) geo && \
		$(PERL) $(srcdir)/geo/sample/build-mmdb $(srcdir)/geo/sample/sample-city.csv $@
