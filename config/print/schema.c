/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The option table as JSON Schema, for editors (yaml-language-server) and for CI of people's
 * configuration repositories. What only a whole fleet can tell (references, order of limits) is
 * left to `perigeectl check`.
 */
#include <stdlib.h>
#include <string.h>

#include "config/options/options.h"
#include "config/print/print.h"
#include "config/types/types.h"
#include "config/units.h"
#include "core/base/check.h"

static json_t *types_of(unsigned json)
{
	json_t *types = json_array();

	if (json & CFG_JSON_STRING)
		json_array_append_new(types, json_string("string"));
	if (json & CFG_JSON_INTEGER)
		json_array_append_new(types, json_string("integer"));
	if (json & CFG_JSON_BOOLEAN)
		json_array_append_new(types, json_string("boolean"));
	if (json & CFG_JSON_NUMBER)
		json_array_append_new(types, json_string("number"));
	return types;
}

/* A choice as a text, and as what YAML 1.1 takes the text for. */
static void add_choice(json_t *all, const char *choice)
{
	bool yes;

	json_array_append_new(all, json_string(choice));
	if (cfg_parse_bool(choice, &yes))
		json_array_append_new(all, json_boolean(yes));
}

/* One value, or a text with an environment variable in it. */
static json_t *value_schema(const struct cfg_option *o)
{
	json_t *own = json_pack("{s:o}", "type", types_of(o->type->json));

	if (o->type->pattern != NULL)
		json_object_set_new(own, "pattern", json_string(o->type->pattern));
	if (o->type->json == CFG_JSON_INTEGER) {
		json_object_set_new(own, "minimum", json_integer(o->min));
		json_object_set_new(own, "maximum", json_integer(o->max));
	}
	if (o->choices != NULL) {
		json_t *all = json_array();

		for (unsigned i = 0; o->choices[i] != NULL; i++)
			add_choice(all, o->choices[i]);
		json_object_del(own, "type"); /* that of its members */
		json_object_set_new(own, "enum", all);
	}
	return json_pack("{s:[o, {s:s}]}", "anyOf", own, "$ref", "#/$defs/environment");
}

/* A list, or one that stands for a list of one. Takes `item` over. */
static json_t *list_schema(const struct cfg_option *o, json_t *item)
{
	json_t *list = json_pack("{s:s, s:O}", "type", "array", "items", item);

	if (o->required)
		json_object_set_new(list, "minItems", json_integer(1));
	return json_pack("{s:[o, o]}", "anyOf", item, list);
}

/* As YAML reads the text, so that an editor can offer it. */
static json_t *default_value(const struct cfg_option *o)
{
	const char *rest = o->fallback;
	uint64_t number;
	json_t *list;
	char *item;
	bool yes;

	if (o->shape == CFG_VALUES && strstr(rest, ", ") != NULL) {
		list = json_array();
		while ((item = cfg_option_next_default(o, &rest)) != NULL) {
			json_array_append_new(list, json_string(item));
			free(item);
		}
		return list;
	}
	if (o->type->json == CFG_JSON_INTEGER && cfg_parse_uint(o->fallback, &number))
		return json_integer((json_int_t)number);
	if ((o->type->json & CFG_JSON_BOOLEAN) != 0 && cfg_parse_bool(o->fallback, &yes))
		return json_boolean(yes);
	return json_string(o->fallback);
}

static char *description(const struct cfg_option *o)
{
	char *range = cfg_type_range(o);
	char *owner = cfg_option_belongs_to(o);
	char *text = xasprintf("%s%s%s%s%s%s%s%s", o->prose, range != NULL ? " Range: " : "",
			       range != NULL ? range : "", range != NULL ? "." : "",
			       owner != NULL ? " Only with " : "", owner != NULL ? owner : "",
			       owner != NULL ? "." : "",
			       o->reload == CFG_RESTART ? " Takes effect at the next start." : "");

	free(owner);
	free(range);
	return text;
}

static json_t *map_schema(const struct cfg_option *table);

/* A map, or what may stand for it. Takes `map` over. */
static json_t *shorthand_schema(const struct cfg_option *o, json_t *map)
{
	if (o->shorthand == NULL)
		return map;
	return json_pack("{s:[o, o]}", "anyOf", map,
			 value_schema(cfg_option_find(o->children, o->shorthand)));
}

static json_t *option_schema(const struct cfg_option *o)
{
	json_t *schema = NULL;
	char *text;

	switch (o->shape) {
	case CFG_VALUE:
		schema = value_schema(o);
		break;
	case CFG_VALUES:
		schema = list_schema(o, value_schema(o));
		break;
	case CFG_SECTION:
		schema = shorthand_schema(o, map_schema(o->children));
		break;
	case CFG_NAMED:
		schema = json_pack("{s:[s, s], s:{s:s}, s:o}", "type", "object", "null",
				   "propertyNames", "pattern", o->type->pattern,
				   "additionalProperties", map_schema(o->children));
		break;
	case CFG_PAIRS:
		schema = json_pack("{s:[s, s], s:{s:s}, s:o}", "type", "object", "null",
				   "propertyNames", "pattern", o->type->pattern,
				   "additionalProperties", value_schema(o->children));
		break;
	case CFG_ITEMS:
		schema = list_schema(o, shorthand_schema(o, map_schema(o->children)));
		break;
	}
	text = description(o);
	json_object_set_new(schema, "description", json_string(text));
	free(text);
	if (o->fallback != NULL)
		json_object_set_new(schema, "default", default_value(o));
	return schema;
}

/* Adds to `values` how a value of a decider may be written. */
static void add_spellings(json_t *values, const struct cfg_option *decider, unsigned value)
{
	static const char *const no[] = {"false", "no", "off"}, *const yes[] = {"true", "yes",
										"on"};

	if (decider->choices != NULL) {
		json_array_append_new(values, json_string(decider->choices[value]));
		return;
	}
	json_array_append_new(values, json_boolean(value != 0));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		json_array_append_new(values, json_string(value != 0 ? yes[i] : no[i]));
}

/* What a map with `o` must have beside it: a choice that it belongs to, be it by default. */
static json_t *variant_schema(const struct cfg_option *o)
{
	const struct cfg_option *decider = cfg_option_decider(o);
	json_t *values = json_array(), *schema;
	bool by_default = false;

	for (unsigned i = 0; cfg_option_choice(decider, i) != NULL; i++) {
		if (!(o->when & 1U << i))
			continue;
		by_default |= strcmp(decider->fallback, cfg_option_choice(decider, i)) == 0;
		add_spellings(values, decider, i);
	}
	schema = json_pack("{s:{s:{s:[{s:o}, {s:s}]}}}", "properties", decider->key, "anyOf",
			   "enum", values, "$ref", "#/$defs/environment");
	if (!by_default)
		json_object_set_new(schema, "required", json_pack("[s]", decider->key));
	return schema;
}

/* The map of the options of `table`. All but list items may be empty: "fra1:" alone. */
static json_t *map_schema(const struct cfg_option *table)
{
	json_t *properties = json_object(), *required = json_array(), *variants = json_object();
	json_t *schema, *types;

	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		json_object_set_new(properties, o->key, option_schema(o));
		if (o->required && o->fallback == NULL)
			json_array_append_new(required, json_string(o->key));
		if (o->choice != NULL)
			json_object_set_new(variants, o->key, variant_schema(o));
	}
	types = json_array_size(required) == 0 ? json_pack("[s, s]", "object", "null")
					       : json_pack("[s]", "object");
	schema = json_pack("{s:o, s:o, s:b}", "type", types, "properties", properties,
			   "additionalProperties", 0);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	if (json_object_size(variants) > 0)
		json_object_set(schema, "dependentSchemas", variants);
	json_decref(required);
	json_decref(variants);
	return schema;
}

json_t *cfg_schema(void)
{
	json_t *schema = map_schema(cfg_options);
	json_t *pattern = json_pack("{s:s, s:i}", "type", "string", "minLength", 1);

	json_object_set_new(
	    json_object_get(schema, "properties"), "include",
	    json_pack("{s:s, s:[O, {s:s, s:o}]}", "description",
		      "Files that are part of this one; \"*\", \"?\" and \"[...]\" as in a shell.",
		      "anyOf", pattern, "type", "array", "items", pattern));
	json_object_set_new(schema, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("perigee.yaml"));
	json_object_set_new(schema, "description", json_string("The configuration of a fleet."));
	json_object_set_new(schema, "$defs",
			    json_pack("{s:{s:s, s:s, s:s}}", "environment", "description",
				      "A text with an environment variable in it: ${NAME}.", "type",
				      "string", "pattern", "\\$\\{"));
	return schema;
}
