/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether anything that edges are to do depends on where clients are, or on what their TLS looks
 * like, by the option table: lists of countries and the like, and texts with variables. Any thread.
 */
#include <string.h>

#include "config/fleet.h"
#include "config/options/options.h"
#include "config/types/template.h"
#include "config/types/types.h"

/* What is asked about. */
struct need {
	bool (*is_variable)(enum cfg_variable variable);
	bool (*is_list)(const struct cfg_option *option);
};

static bool needs(const struct need *need, const struct cfg_option *table, const char *base);

static bool text_needs(const struct need *need, const char *text)
{
	struct cfg_template_part part;

	while (text != NULL && cfg_template_next(&text, &part)) {
		if (part.is_variable && need->is_variable(part.variable))
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

static bool values_need(const struct need *need, const struct cfg_option *o,
			const struct cfg_array *list)
{
	if (need->is_list(o))
		return list->n > 0;
	for (unsigned i = 0; is_text(o) && i < list->n; i++) {
		if (text_needs(need, ((const char *const *)list->v)[i]))
			return true;
	}
	return false;
}

static bool items_need(const struct need *need, const struct cfg_option *o,
		       const struct cfg_array *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (needs(need, o->children, (const char *)list->v + i * o->size))
			return true;
	}
	return false;
}

static bool option_needs(const struct need *need, const struct cfg_option *o, const char *at)
{
	switch (o->shape) {
	case CFG_VALUE:
		return is_text(o) && text_needs(need, *(const char *const *)at);
	case CFG_VALUES:
		return values_need(need, o, (const void *)at);
	case CFG_SECTION:
		return needs(need, o->children, at);
	case CFG_NAMED:
	case CFG_ITEMS:
		return items_need(need, o, (const void *)at);
	case CFG_PAIRS:
		break;
	}
	return false;
}

static bool needs(const struct need *need, const struct cfg_option *table, const char *base)
{
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		if (option_needs(need, o, base + o->offset))
			return true;
	}
	return false;
}

static bool fleet_needs(const struct need *need, const struct cfg_fleet *fleet)
{
	if (needs(need, cfg_http_options, (const char *)&fleet->http))
		return true;
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		if (needs(need, cfg_origin_options, (const char *)&fleet->origins[i]))
			return true;
	}
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		if (needs(need, cfg_site_options, (const char *)&fleet->sites[i]))
			return true;
	}
	return false;
}

static bool is_of_places(const struct cfg_option *o)
{
	return o->type == &cfg_type_country || o->type == &cfg_type_continent ||
	       strcmp(o->key, "asns") == 0;
}

bool cfg_needs_places(const struct cfg_fleet *fleet)
{
	static const struct need places = {cfg_variable_is_of_place, is_of_places};

	return fleet_needs(&places, fleet);
}

static bool is_ja4(enum cfg_variable variable)
{
	return variable == CFG_VAR_TLS_JA4;
}

static bool is_of_ja4(const struct cfg_option *o)
{
	return o->type == &cfg_type_ja4;
}

bool cfg_needs_ja4(const struct cfg_fleet *fleet)
{
	static const struct need ja4 = {is_ja4, is_of_ja4};
	const struct cfg_access_log *log = &fleet->http.access_log;

	return (strcmp(log->format, CFG_LOG_JSON) == 0 && log->output[0] != '\0') ||
	       fleet_needs(&ja4, fleet);
}
