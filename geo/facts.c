/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reads records of City, Country and ASN databases. Pure functions; any thread.
 */
#include "geo/facts.h"

#include <math.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/data.h"

/* The map under a key of a map. */
static bool find_map(struct geo_data *d, const struct geo_value *in, const char *key,
		     struct geo_value *v)
{
	return geo_data_find(d, in, key, v) && v->type == GEO_MAP;
}

static bool read_coordinate(struct geo_data *d, uint32_t offset, const struct geo_value *location,
			    const char *name, double limit, double *number)
{
	struct geo_value v;

	if (!geo_data_find(d, location, name, &v))
		return false;
	if (!geo_data_real(d, &v, number) || !(fabs(*number) <= limit)) {
		d->error = "a coordinate is not a number of degrees";
		d->error_at = offset;
		return false;
	}
	*number += 0.0; /* -0 is 0: places are compared by their bytes */
	return true;
}

static bool is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static void read_code(struct geo_data *d, const struct geo_value *root, const char *section,
		      const char *name, char code[3])
{
	struct geo_value map, v;
	const char *text;

	if (!find_map(d, root, section, &map) || !geo_data_find(d, &map, name, &v) ||
	    v.type != GEO_STRING || v.size != 2)
		return;
	text = (const char *)d->base + v.at;
	if (is_letter(text[0]) && is_letter(text[1]))
		memcpy(code, text, 2);
}

static bool is_continent(const char *code)
{
	static const char *const codes[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

bool geo_facts_read(struct geo_data *d, uint32_t offset, struct geo_facts *f)
{
	struct geo_value root, v;
	uint64_t number;

	*f = (struct geo_facts){0};
	if (!geo_data_check(d, offset) || !geo_data_read(d, offset, &root))
		return false;
	if (root.type != GEO_MAP)
		return true;
	if (find_map(d, &root, "location", &v))
		f->located = read_coordinate(d, offset, &v, "latitude", 90, &f->latitude) &&
			     read_coordinate(d, offset, &v, "longitude", 180, &f->longitude);
	if (!f->located)
		f->latitude = f->longitude = 0;
	read_code(d, &root, "country", "iso_code", f->country);
	read_code(d, &root, "continent", "code", f->continent);
	if (!is_continent(f->continent))
		memset(f->continent, 0, sizeof(f->continent));
	if (geo_data_find(d, &root, "autonomous_system_number", &v) &&
	    geo_data_unsigned(d, &v, &number) && number <= UINT32_MAX)
		f->asn = (uint32_t)number;
	return d->error == NULL;
}

void geo_facts_add(struct geo_facts *f, const struct geo_facts *more)
{
	if (!f->located && more->located) {
		f->located = true;
		f->latitude = more->latitude;
		f->longitude = more->longitude;
	}
	if (f->country[0] == '\0')
		memcpy(f->country, more->country, sizeof(f->country));
	if (f->continent[0] == '\0')
		memcpy(f->continent, more->continent, sizeof(f->continent));
	if (f->asn == 0)
		f->asn = more->asn;
}

bool geo_facts_none(const struct geo_facts *f)
{
	return !f->located && f->country[0] == '\0' && f->continent[0] == '\0' && f->asn == 0;
}
