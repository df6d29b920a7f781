/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loads places: each database becomes a layer, which is ranges over facts; layers are laid on each
 * other, then the networks of overrides; and what is known of each piece is made a place. Files are
 * read whole, and let go as soon as their layer is made. Blocking, one thread; what comes out is
 * immutable.
 */
#include "geo/places.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "core/base/printable.h"
#include "geo/block.h"
#include "geo/countries.h"
#include "geo/db.h"
#include "geo/facts.h"
#include "geo/overrides.h"
#include "geo/table.h"
#include "geo/walk.h"

/* How many were made. */
static _Atomic uint64_t generations;

struct geo_places {
	_Atomic unsigned references;
	XXH128_hash_t digest; /* of the databases and the options */
	uint64_t generation;
	struct geo_array places;
	struct geo_ranges *ranges;
	struct geo_database *databases;
	unsigned n_databases;
};

/* What a database says, or several together. */
struct layer {
	struct geo_array facts; /* struct geo_facts; the first are none; no two are equal */
	struct geo_table by_facts;
	struct geo_ranges *ranges; /* values are indices into `facts` */
};

static const struct geo_facts *facts_at(const struct layer *layer, uint32_t i)
{
	return &((const struct geo_facts *)layer->facts.v)[i];
}

static bool same_facts(const void *arg, uint32_t index)
{
	const struct layer *layer = arg;

	return memcmp(facts_at(layer, index), facts_at(layer, (uint32_t)layer->facts.n),
		      sizeof(struct geo_facts)) == 0;
}

static uint32_t layer_add(struct layer *layer, const struct geo_facts *facts)
{
	void *to = geo_array_next(&layer->facts, sizeof(*facts));
	uint32_t index;

	memcpy(to, facts, sizeof(*facts));
	index = geo_table_find_or_add(&layer->by_facts, XXH3_64bits(to, sizeof(*facts)), same_facts,
				      layer, (uint32_t)layer->facts.n);
	layer->facts.n += index == layer->facts.n;
	return index;
}

static void layer_init(struct layer *layer)
{
	struct geo_facts none;

	memset(&none, 0, sizeof(none));
	*layer = (struct layer){0};
	layer_add(layer, &none);
}

static void layer_fini(struct layer *layer)
{
	geo_array_free(&layer->facts, sizeof(struct geo_facts));
	geo_table_fini(&layer->by_facts);
	geo_ranges_free(&layer->ranges);
}

/* Pairs of numbers, each with the number that it has become. */
struct pair {
	uint32_t a, b, value;
};

struct pairs {
	struct geo_array v; /* struct pair */
	struct geo_table table;
};

static bool same_pair(const void *arg, uint32_t index)
{
	const struct pairs *pairs = arg;
	const struct pair *v = pairs->v.v, *next = &v[pairs->v.n];

	return v[index].a == next->a && v[index].b == next->b;
}

/* Its value is the caller's to set when *is_new. */
static struct pair *pairs_find(struct pairs *pairs, uint32_t a, uint32_t b, bool *is_new)
{
	struct pair *next = geo_array_next(&pairs->v, sizeof(*next));
	uint32_t key[] = {a, b}, index;

	*next = (struct pair){a, b, 0};
	index = geo_table_find_or_add(&pairs->table, XXH3_64bits(key, sizeof(key)), same_pair,
				      pairs, (uint32_t)pairs->v.n);
	*is_new = index == pairs->v.n;
	pairs->v.n += *is_new;
	return (struct pair *)pairs->v.v + index;
}

static void pairs_fini(struct pairs *pairs)
{
	geo_array_free(&pairs->v, sizeof(struct pair));
	geo_table_fini(&pairs->table);
}

struct overlay {
	struct layer *under, *over, *both;
	struct pairs pairs;
};

static uint32_t overlay_facts(void *arg, uint32_t under, uint32_t over)
{
	struct overlay *o = arg;
	struct geo_facts facts;
	struct pair *pair;
	bool is_new;

	pair = pairs_find(&o->pairs, under, over, &is_new);
	if (is_new) {
		memcpy(&facts, facts_at(o->under, under), sizeof(facts));
		geo_facts_add(&facts, facts_at(o->over, over));
		pair->value = layer_add(o->both, &facts);
	}
	return pair->value;
}

/* Adds to `under` what only `over` knows; consumes what `over` has. */
static void layer_overlay(struct layer *under, struct layer *over)
{
	struct layer both;
	struct overlay o = {under, over, &both, {{0}, {0}}};

	if (under->facts.n == 1) { /* nothing is known yet */
		layer_fini(under);
		*under = *over;
		return;
	}
	layer_init(&both);
	both.ranges = geo_ranges_join(under->ranges, over->ranges, overlay_facts, &o);
	pairs_fini(&o.pairs);
	layer_fini(under);
	layer_fini(over);
	*under = both;
}

static uint32_t record_facts(void *arg, const struct geo_facts *facts)
{
	return layer_add(arg, facts);
}

/* False with the reason in `diag`. */
static bool layer_load(struct layer *layer, const struct geo_db *db, struct geo_database *database,
		       struct cfg_place place, struct diag *diag)
{
	struct geo_walk walk = {.record = record_facts, .arg = layer, .to = geo_builder_create()};

	layer_init(layer);
	if (!geo_db_walk(db, &walk, place, diag)) {
		geo_builder_destroy(&walk.to);
		return false;
	}
	layer->ranges = geo_builder_finish(&walk.to);
	database->networks = walk.networks;
	if (layer->facts.n > 1)
		return true;
	diag_add(diag, place,
		 "geo database %s: no record of this %s database has coordinates, a country, a "
		 "continent or an AS number; a City, Country or ASN database is needed",
		 database->path, database->type);
	return false;
}

static struct geo_place place_of(const struct cfg_geo *geo, const struct geo_overrides *overrides,
				 const struct geo_facts *facts, uint32_t by_network)
{
	const struct geo_country *country = geo_country_find(facts->country);
	const struct cfg_override *item = NULL;
	struct geo_place p = {.asn = facts->asn, .override = by_network};

	memcpy(p.country, facts->country, sizeof(p.country));
	memcpy(p.continent, facts->continent, sizeof(p.continent));
	if (p.continent[0] == '\0' && country != NULL)
		memcpy(p.continent, country->continent, sizeof(p.continent));
	if (p.override == 0)
		p.override = geo_overrides_match(overrides, p.asn, p.country, p.continent);
	if (p.override > 0)
		item = &geo->overrides[p.override - 1];
	p.located = true;
	if (item != NULL && item->location.set) {
		p.source = GEO_SOURCE_OVERRIDE;
		p.latitude = item->location.latitude;
		p.longitude = item->location.longitude;
	} else if (facts->located) {
		p.source = GEO_SOURCE_DATABASE;
		p.latitude = facts->latitude;
		p.longitude = facts->longitude;
	} else if (country != NULL) {
		p.source = GEO_SOURCE_COUNTRY;
		p.latitude = country->latitude;
		p.longitude = country->longitude;
	} else if (geo->unknown.set) {
		p.latitude = geo->unknown.latitude;
		p.longitude = geo->unknown.longitude;
	} else {
		p.located = false;
	}
	return p;
}

static bool same_place(const void *arg, uint32_t index)
{
	const struct geo_array *places = arg;
	const struct geo_place *v = places->v;

	return memcmp(&v[index], &v[places->n], sizeof(*v)) == 0;
}

_Static_assert(sizeof(struct geo_place) == 32, "places are compared by their bytes: no padding");

static uint32_t intern_place(struct geo_array *places, struct geo_table *table,
			     const struct geo_place *place)
{
	struct geo_place *to = geo_array_next(places, sizeof(*to));
	uint32_t index;

	*to = *place;
	index = geo_table_find_or_add(table, XXH3_64bits(to, sizeof(*to)), same_place, places,
				      (uint32_t)places->n);
	places->n += index == places->n;
	return index;
}

/* Numbers of places in place of those of pairs of facts and override; takes the ranges. */
static void make_places(struct geo_places *p, const struct cfg_geo *geo, const struct layer *layer,
			const struct pairs *pairs, struct geo_ranges **ranges)
{
	struct geo_overrides *overrides = geo_overrides_create(geo);
	struct geo_array to = {0};
	struct geo_table table = {0};
	size_t n = pairs == NULL ? layer->facts.n : pairs->v.n;
	bool same = true;
	struct geo_place place = place_of(geo, overrides, facts_at(layer, 0), 0);

	intern_place(&p->places, &table, &place);
	for (size_t i = 0; i < n; i++) {
		const struct pair *pair = pairs == NULL ? NULL : (struct pair *)pairs->v.v + i;
		uint32_t *number = geo_array_next(&to, sizeof(*number));

		place =
		    place_of(geo, overrides, facts_at(layer, pair == NULL ? (uint32_t)i : pair->a),
			     pair == NULL ? 0 : pair->b);
		*number = intern_place(&p->places, &table, &place);
		same = same && *number == i;
		to.n++;
	}
	p->ranges = same ? TAKE(ranges) : geo_ranges_map(*ranges, to.v, n);
	geo_ranges_free(ranges);
	geo_array_trim(&p->places, sizeof(struct geo_place));
	geo_array_free(&to, sizeof(uint32_t));
	geo_table_fini(&table);
	geo_overrides_destroy(&overrides);
}

static uint32_t pair_override(void *arg, uint32_t facts, uint32_t item)
{
	bool is_new;
	struct pair *pair = pairs_find(arg, facts, item, &is_new);

	if (is_new)
		pair->value = (uint32_t)(pair - (struct pair *)((struct pairs *)arg)->v.v);
	return pair->value;
}

/* Lays the overrides by network over what the databases say, and makes places of it. */
static void finish(struct geo_places *p, const struct cfg_geo *geo, struct layer *layer,
		   const struct geo_ranges *networks)
{
	struct pairs pairs = {0};
	struct geo_ranges *ranges = TAKE(&layer->ranges), *under = ranges;

	if (networks == NULL) {
		make_places(p, geo, layer, NULL, &ranges);
		return;
	}
	ranges = geo_ranges_join(under, networks, pair_override, &pairs);
	geo_ranges_free(&under);
	make_places(p, geo, layer, &pairs, &ranges);
	pairs_fini(&pairs);
}

static void write_strings(FILE *to, const struct cfg_strings *strings)
{
	fwrite(&strings->n, sizeof(strings->n), 1, to);
	for (unsigned i = 0; i < strings->n; i++)
		fwrite(strings->v[i], strlen(strings->v[i]) + 1, 1, to);
}

static void write_coords(FILE *to, const struct cfg_coords *c)
{
	double values[] = {c->set, c->latitude, c->longitude};

	fwrite(values, sizeof(values), 1, to);
}

/* Everything but the databases that places are made of. Edges of overrides are none of it: their
 * numbers may have changed, the number of the override has not. */
static void write_options(FILE *to, const struct cfg_geo *geo)
{
	write_strings(to, &geo->databases);
	write_coords(to, &geo->unknown);
	for (unsigned i = 0; i < geo->n_overrides; i++) {
		const struct cfg_override *item = &geo->overrides[i];

		fwrite(&item->networks.n, sizeof(item->networks.n), 1, to);
		if (item->networks.n > 0)
			fwrite(item->networks.v, sizeof(*item->networks.v), item->networks.n, to);
		fwrite(&item->asns.n, sizeof(item->asns.n), 1, to);
		if (item->asns.n > 0)
			fwrite(item->asns.v, sizeof(*item->asns.v), item->asns.n, to);
		write_strings(to, &item->countries);
		write_strings(to, &item->continents);
		write_coords(to, &item->location);
	}
}

static XXH128_hash_t digest_of(const struct cfg_geo *geo, struct geo_db *const *dbs)
{
	XXH128_hash_t digest;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		check_out_of_memory(sizeof(*to));
	write_options(to, geo);
	for (unsigned i = 0; i < geo->databases.n; i++) {
		digest = geo_db_digest(dbs[i]);
		fwrite(&digest, sizeof(digest), 1, to);
	}
	if (fclose(to) != 0)
		check_out_of_memory(size);
	digest = XXH3_128bits(text, size);
	free(text);
	return digest;
}

static bool load_layers(struct geo_places *p, const struct cfg_geo *geo, struct geo_db **dbs,
			struct layer *all, struct diag *diag)
{
	bool good = true;

	for (unsigned i = 0; i < p->n_databases; i++) {
		struct geo_database *database = &p->databases[i];
		struct layer layer;

		database->path = xstrdup(geo->databases.v[i]);
		database->type = printable(geo_db_type(dbs[i]));
		database->build_epoch = geo_db_build_epoch(dbs[i]);
		good = layer_load(&layer, dbs[i], database, geo->place, diag) && good;
		geo_db_close(&dbs[i]);
		if (good)
			layer_overlay(all, &layer);
		else
			layer_fini(&layer);
	}
	return good;
}

/* Before any database: nothing is known of any address. */
static void layer_empty(struct layer *layer)
{
	struct geo_builder *b = geo_builder_create();

	layer_init(layer);
	layer->ranges = geo_builder_finish(&b);
}

static struct geo_places *build(const struct cfg_geo *geo, struct geo_db **dbs,
				XXH128_hash_t digest, struct diag *diag)
{
	struct geo_places *p = xcalloc(1, sizeof(*p));
	unsigned before = diag_count(diag);
	struct geo_ranges *networks = geo_overrides_networks(geo, diag);
	struct layer layer;
	bool good = diag_count(diag) == before;

	p->references = 1;
	p->digest = digest;
	p->generation = atomic_fetch_add(&generations, 1) + 1;
	p->n_databases = geo->databases.n;
	p->databases = xcalloc(p->n_databases + 1, sizeof(*p->databases));
	layer_empty(&layer);
	good = load_layers(p, geo, dbs, &layer, diag) && good;
	if (good)
		finish(p, geo, &layer, networks);
	layer_fini(&layer);
	geo_ranges_free(&networks);
	if (!good)
		geo_places_unref((const struct geo_places **)&p);
	return p;
}

const struct geo_places *geo_places_load(const struct cfg_geo *geo, const struct geo_places *before,
					 struct diag *diag)
{
	unsigned n = geo->databases.n;
	struct geo_db **dbs = xcalloc(n + 1, sizeof(struct geo_db *));
	const struct geo_places *places = NULL;
	XXH128_hash_t digest;
	bool good = true;

	for (unsigned i = 0; i < n; i++) {
		dbs[i] = geo_db_open(geo->databases.v[i], geo->place, diag);
		good = good && dbs[i] != NULL;
	}
	if (good) {
		digest = digest_of(geo, dbs);
		if (before != NULL && XXH128_isEqual(digest, before->digest))
			places = geo_places_ref(before);
		else
			places = build(geo, dbs, digest, diag);
	}
	for (unsigned i = 0; i < n; i++)
		geo_db_close(&dbs[i]);
	free(dbs);
	return places;
}

/* Only the count of a reader's places is not const. */
static struct geo_places *counted(const struct geo_places *places)
{
	return (struct geo_places *)places;
}

uint64_t geo_places_generation(const struct geo_places *places)
{
	return places->generation;
}

const struct geo_places *geo_places_ref(const struct geo_places *places)
{
	atomic_fetch_add(&counted(places)->references, 1);
	return places;
}

void geo_places_unref(const struct geo_places **placesp)
{
	struct geo_places *p = counted(TAKE(placesp));

	if (p == NULL || atomic_fetch_sub(&p->references, 1) > 1)
		return;
	for (unsigned i = 0; i < p->n_databases; i++) {
		free((char *)p->databases[i].path);
		free((char *)p->databases[i].type);
	}
	free(p->databases);
	geo_array_free(&p->places, sizeof(struct geo_place));
	geo_ranges_free(&p->ranges);
	free(p);
}

uint32_t geo_places_n(const struct geo_places *p)
{
	return (uint32_t)p->places.n;
}

const struct geo_place *geo_places_get(const struct geo_places *p, uint32_t number)
{
	CHECK(number < p->places.n);
	return (const struct geo_place *)p->places.v + number;
}

const struct geo_ranges *geo_places_ranges(const struct geo_places *p)
{
	return p->ranges;
}

const struct geo_database *geo_places_databases(const struct geo_places *p, unsigned *n)
{
	*n = p->n_databases;
	return p->databases;
}

size_t geo_places_bytes(const struct geo_places *p)
{
	return sizeof(*p) + p->places.n * sizeof(struct geo_place) + geo_ranges_bytes(p->ranges);
}

const char *geo_source_text(enum geo_source source)
{
	switch (source) {
	case GEO_SOURCE_NONE:
		return "unknown";
	case GEO_SOURCE_DATABASE:
		return "database";
	case GEO_SOURCE_COUNTRY:
		return "middle of the country";
	case GEO_SOURCE_OVERRIDE:
		return "override";
	}
	return "?";
}
