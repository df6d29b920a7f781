/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules over the fields of a message, applied in place. What a condition has captured holds for its
 * own rule only.
 */
#include "edge/rules/field_rules.h"

#include <stdlib.h>

#include "config/change.h"
#include "core/base/check.h"
#include "edge/facts/facts.h"
#include "edge/facts/match.h"
#include "edge/facts/template.h"

struct rule {
	struct span name; /* SET, ADD and APPEND write it as it is here */
	enum cfg_field_action action;
	struct edge_template *value; /* NULL with CFG_FIELD_REMOVE */
	struct edge_match *when;     /* NULL: always */
};

struct field_rules {
	enum field_rules_of of;
	unsigned n;
	struct rule v[];
};

struct field_rules *field_rules_create(const struct cfg_field_rule *cfg, unsigned n,
				       enum field_rules_of of)
{
	struct field_rules *rules;

	if (n == 0)
		return NULL;
	rules = xcalloc(1, sizeof(*rules) + n * sizeof(rules->v[0]));
	rules->of = of;
	rules->n = n;
	for (unsigned i = 0; i < n; i++) {
		rules->v[i] = (struct rule){
		    .name = span_of(cfg[i].name),
		    .action = cfg[i].action,
		    .when = edge_match_create(&cfg[i].when),
		};
		if (cfg[i].action != CFG_FIELD_REMOVE)
			rules->v[i].value = edge_template_create(cfg[i].value, EDGE_TEXT_FIELD);
	}
	return rules;
}

void field_rules_destroy(struct field_rules **rulesp)
{
	struct field_rules *rules = TAKE(rulesp);

	if (!rules)
		return;
	for (unsigned i = 0; i < rules->n; i++) {
		edge_template_destroy(&rules->v[i].value);
		edge_match_destroy(&rules->v[i].when);
	}
	free(rules);
}

static bool is_meant(enum field_rules_of of, struct span name, struct span other)
{
	return of == FIELD_RULES_OF_REQUESTS ? http_name_reads_as(name, other)
					     : span_equal_nocase(name, other);
}

/* All fields of that name go, but for the first when there is a value to put in its place. Whether
 * that was so. */
static bool replace(enum field_rules_of of, struct http_fields *fields, struct span name,
		    const struct span *value)
{
	unsigned kept = 0;
	bool is_set = false;

	for (unsigned i = 0; i < fields->n; i++) {
		if (!is_meant(of, fields->v[i].name, name)) {
			fields->v[kept++] = fields->v[i];
		} else if (value && !is_set) {
			fields->v[kept++] = (struct http_field){name, *value};
			is_set = true;
		}
	}
	fields->n = kept;
	return is_set;
}

static bool apply(const struct field_rules *rules, const struct rule *rule,
		  struct http_fields *fields, const struct edge_facts *facts, struct arena *arena)
{
	struct span value = {NULL, 0};
	bool is_empty;

	if (rule->action == CFG_FIELD_REMOVE) {
		replace(rules->of, fields, rule->name, NULL);
		return true;
	}
	if (!edge_template_expand(rule->value, facts, arena, &value))
		return false;
	is_empty = value.n == 0 && edge_template_has_variables(rule->value);
	switch (rule->action) {
	case CFG_FIELD_SET:
		return replace(rules->of, fields, rule->name, is_empty ? NULL : &value) ||
		       is_empty || http_fields_add(fields, arena, rule->name, value);
	case CFG_FIELD_ADD:
		return is_empty || http_fields_add(fields, arena, rule->name, value);
	case CFG_FIELD_APPEND:
		return is_empty || http_fields_append(fields, arena, rule->name, value);
	case CFG_FIELD_REMOVE:
		break;
	}
	return true;
}

static enum field_rules_result apply_if(const struct field_rules *rules, const struct rule *rule,
					struct http_fields *fields, struct edge_facts *facts,
					struct arena *arena)
{
	switch (edge_match_judge(rule->when, facts)) {
	case EDGE_MATCH_NO:
		return FIELD_RULES_DONE;
	case EDGE_MATCH_UNSURE:
		return rules->of == FIELD_RULES_OF_REQUESTS ? FIELD_RULES_UNSURE : FIELD_RULES_DONE;
	case EDGE_MATCH_YES:
		break;
	}
	return apply(rules, rule, fields, facts, arena) ? FIELD_RULES_DONE : FIELD_RULES_NO_ROOM;
}

enum field_rules_result field_rules_apply(const struct field_rules *rules,
					  struct http_fields *fields, struct edge_facts *facts,
					  struct arena *arena)
{
	enum field_rules_result result = FIELD_RULES_DONE;

	for (unsigned i = 0; i < rules->n && result == FIELD_RULES_DONE; i++) {
		const struct rule *rule = &rules->v[i];
		struct edge_facts own;

		if (!edge_match_path(rule->when)) {
			result = apply_if(rules, rule, fields, facts, arena);
			continue;
		}
		own = *facts;
		result = apply_if(rules, rule, fields, &own, arena);
	}
	return result;
}

void field_rules_clean_trailers(const struct field_rules *rules, struct http_fields *trailers)
{
	for (unsigned i = 0; rules && i < rules->n; i++) {
		if (rules->v[i].action == CFG_FIELD_SET || rules->v[i].action == CFG_FIELD_REMOVE)
			replace(rules->of, trailers, rules->v[i].name, NULL);
	}
}
