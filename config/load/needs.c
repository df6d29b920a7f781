/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether anything that edges are to do depends on where clients are, by the option table: lists of
 * countries and the like, and texts with variables. Any thread.
 */
#include <string.h>

#include "config/fleet.h"
#include "config/options/options.h"
#include "config/types/template.h"
#include "config/types/types.h"

static bool needs(const struct cfg_option *table, const char *base);

static bool text_needs(const char *text)
{
	struct cfg_template_part part;

	while (text != NULL && cfg_template_next(&text, &part)) {
		if (part.is_variable && (part.variable == CFG_VAR_CLIENT_COUNTRY ||
					 part.variable == CFG_VAR_CLIENT_CONTINENT ||
					 part.variable == CFG_VAR_CLIENT_ASN))
			return true;
	}
	return false;
}

/* All types of texts with variables are called the same, but for that of a log's lines. */
static bool is_text(const struct cfg_option *o)
{
	return o->type == &cfg_type_log_format ||
	       strcmp(o->type->name, cfg_type_template.name) == 0;
}

static bool is_of_places(const struct cfg_option *o)
{
	return o->type == &cfg_type_country || o->type == &cfg_type_continent ||
	       strcmp(o->key, "asns") == 0;
}

static bool values_need(const struct cfg_option *o, const struct cfg_array *list)
{
	if (is_of_places(o))
		return list->n > 0;
	for (unsigned i = 0; is_text(o) && i < list->n; i++) {
		if (text_needs(((const char *const *)list->v)[i]))
			return true;
	}
	return false;
}

static bool items_need(const struct cfg_option *o, const struct cfg_array *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (needs(o->children, (const char *)list->v + i * o->size))
			return true;
	}
	return false;
}

static bool option_needs(const struct cfg_option *o, const char *at)
{
	switch (o->shape) {
	case CFG_VALUE:
		return is_text(o) && text_needs(*(const char *const *)at);
	case CFG_VALUES:
		return values_need(o, (const void *)at);
	case CFG_SECTION:
		return needs(o->children, at);
	case CFG_NAMED:
	case CFG_ITEMS:
		return items_need(o, (const void *)at);
	case CFG_PAIRS:
		break;
	}
	return false;
}

static bool needs(const struct cfg_option *table, const char *base)
{
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		if (option_needs(o, base + o->offset))
			return true;
	}
	return false;
}

bool cfg_needs_places(const struct cfg_fleet *fleet)
{
	if (needs(cfg_http_options, (const char *)&fleet->http))
		return true;
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		if (needs(cfg_site_options, (const char *)&fleet->sites[i]))
			return true;
	}
	return false;
}
