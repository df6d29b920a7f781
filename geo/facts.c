/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reads records of City, Country and ASN databases. Pure functions; any thread.
 */
#include "geo/facts.h"

#include <math.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/data.h"

static bool read_coordinate(struct geo_data *d, uint32_t at, const struct geo_value *location,
			    const char *name, double limit, double *number)
{
	struct geo_value v;

	if (!geo_data_find(d, location, name, &v))
		return false;
	if (!geo_data_real(d, &v, number) || !(fabs(*number) <= limit)) {
		d->error = "a coordinate is not a number of degrees";
		d->error_at = at;
		return false;
	}
	*number += 0.0; /* -0 is 0: places are compared by their bytes */
	return true;
}

static void read_location(struct geo_data *d, uint32_t at, const struct geo_value *map,
			  struct geo_facts *f)
{
	f->located = read_coordinate(d, at, map, "latitude", 90, &f->latitude) &&
		     read_coordinate(d, at, map, "longitude", 180, &f->longitude);
	if (!f->located)
		f->latitude = f->longitude = 0;
}

static bool is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static void read_code(struct geo_data *d, const struct geo_value *map, const char *name,
		      char code[3])
{
	struct geo_value v;
	const char *text;

	if (!geo_data_find(d, map, name, &v) || v.type != GEO_STRING || v.size != 2)
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

static bool is_key(const struct geo_data *d, const struct geo_value *key, const char *name)
{
	return key->size == strlen(name) && memcmp(d->base + key->at, name, key->size) == 0;
}

static void read_fact(struct geo_data *d, uint32_t at, const struct geo_value *key,
		      const struct geo_value *v, struct geo_facts *f)
{
	uint64_t number;

	if (is_key(d, key, "location") && v->type == GEO_MAP) {
		read_location(d, at, v, f);
	} else if (is_key(d, key, "country") && v->type == GEO_MAP) {
		read_code(d, v, "iso_code", f->country);
	} else if (is_key(d, key, "continent") && v->type == GEO_MAP) {
		read_code(d, v, "code", f->continent);
		if (!is_continent(f->continent))
			memset(f->continent, 0, sizeof(f->continent));
	} else if (is_key(d, key, "autonomous_system_number") && geo_data_unsigned(d, v, &number) &&
		   number <= UINT32_MAX) {
		f->asn = (uint32_t)number;
	}
}

bool geo_facts_read(struct geo_data *d, uint32_t offset, struct geo_facts *f)
{
	struct geo_value root, key, v;
	uint32_t at;

	memset(f, 0, sizeof(*f)); /* the padding, too: facts are compared by their bytes */
	if (!geo_data_check(d, offset) || !geo_data_read(d, offset, &root))
		return false;
	if (root.type != GEO_MAP)
		return true;
	at = root.at;
	for (uint32_t i = 0; i < root.size; i++) {
		if (!geo_data_read(d, at, &key) || !geo_data_read(d, key.next, &v))
			return false;
		read_fact(d, offset, &key, &v, f);
		at = key.next;
		if (d->error != NULL || !geo_data_skip(d, &at))
			return false;
	}
	return true;
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
