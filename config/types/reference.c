/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * References to edges, origins and sites by their names. A fleet has thousands of each, so there is
 * a table of them, made when one is first looked for, which is when all of them are there: what is
 * referred to comes before what refers to it. Thread: see reference.h.
 */
#include "config/types/reference.h"

#include <stdlib.h>
#include <string.h>

#include "config/suggest.h"
#include "config/types/types.h"
#include "core/base/check.h"

static void index_names(struct cfg_name_index *index, const void *array, unsigned n, size_t size)
{
	cfg_hash_fini(&index->by_name);
	for (unsigned i = 0; i < n; i++) {
		const char *const *thing = (const void *)((const char *)array + i * size);

		cfg_hash_put(&index->by_name, *thing, strlen(*thing), thing);
	}
	index->n = n;
}

void cfg_references_fini(struct cfg_references *references)
{
	cfg_hash_fini(&references->edges.by_name);
	cfg_hash_fini(&references->origins.by_name);
	cfg_hash_fini(&references->sites.by_name);
	*references = (struct cfg_references){0};
}

/* What was meant perhaps; it takes a look at all names, for which only those that read the
 * complaint have the time. */
static const char *nearest(const struct cfg_value *v, const char *text, const void *array,
			   unsigned n, size_t size)
{
	struct cfg_suggest near;

	cfg_suggest_init(&near, text);
	for (unsigned i = 0; i < n && diag_has_room(v->diag); i++)
		cfg_suggest_offer(&near, *(const char *const *)((const char *)array + i * size));
	return near.best;
}

static bool parse_reference(const struct cfg_value *v, const char *text, const char *what,
			    struct cfg_name_index *index, const void *array, unsigned n,
			    size_t size, void *out)
{
	const void *found;
	const char *near;

	if (index->n != n)
		index_names(index, array, n, size);
	found = cfg_hash_get(&index->by_name, text, strlen(text));
	if (found != NULL) {
		*(const void **)out = found;
		return true;
	}
	near = nearest(v, text, array, n, size);
	if (near != NULL)
		diag_add(v->diag, v->place, "%s: there is no %s \"%s\"; did you mean \"%s\"?",
			 v->path, what, text, near);
	else
		diag_add(v->diag, v->place, "%s: there is no %s \"%s\"", v->path, what, text);
	return false;
}

static char *format_reference(const struct cfg_option *option, const void *value)
{
	const char *const *thing = *(const char *const *const *)value;

	return thing != NULL ? xstrdup(*thing) : NULL;
}

static bool parse_edge_ref(const struct cfg_value *v, const char *text, void *out)
{
	return parse_reference(v, text, "edge", &v->references->edges, v->fleet->edges,
			       v->fleet->n_edges, sizeof(struct cfg_edge), out);
}

const struct cfg_type cfg_type_edge_ref = {
    .name = "edge",
    .expected = "the name of an edge",
    .pattern = "^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_edge *),
    .refers = true,
    .parse = parse_edge_ref,
    .format = format_reference,
};

static bool parse_origin_ref(const struct cfg_value *v, const char *text, void *out)
{
	return parse_reference(v, text, "origin", &v->references->origins, v->fleet->origins,
			       v->fleet->n_origins, sizeof(struct cfg_origin), out);
}

const struct cfg_type cfg_type_origin_ref = {
    .name = "origin",
    .expected = "the name of an origin",
    .pattern = "^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_origin *),
    .refers = true,
    .parse = parse_origin_ref,
    .format = format_reference,
};

static bool parse_site_ref(const struct cfg_value *v, const char *text, void *out)
{
	return parse_reference(v, text, "site", &v->references->sites, v->fleet->sites,
			       v->fleet->n_sites, sizeof(struct cfg_site), out);
}

const struct cfg_type cfg_type_site_ref = {
    .name = "site",
    .expected = "the name of a site",
    .pattern = "^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_site *),
    .refers = true,
    .parse = parse_site_ref,
    .format = format_reference,
};
