/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See report.h.
 */
#include "geo/report.h"

#include "geo/places.h"

json_t *geo_places_report(const struct geo_places *places)
{
	unsigned n;
	const struct geo_database *databases = geo_places_databases(places, &n);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I, s:I}", "path", databases[i].path,
						"type", databases[i].type, "build_epoch",
						(json_int_t)databases[i].build_epoch, "networks",
						(json_int_t)databases[i].networks));
	return json_pack("{s:o, s:I, s:I, s:I}", "databases", list, "places",
			 (json_int_t)geo_places_n(places), "ranges",
			 (json_int_t)geo_ranges_count(geo_places_ranges(places)), "bytes",
			 (json_int_t)geo_places_bytes(places));
}
