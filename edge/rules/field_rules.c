/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules over the fields of a message, applied in place. Pure but for the arena of the message;
 * called by the thread that owns the exchange.
 */
#include "edge/rules/field_rules.h"

static bool set(struct http_fields *fields, struct arena *arena, struct span name,
		struct span value)
{
	unsigned kept = 0;
	bool is_set = false;

	for (unsigned i = 0; i < fields->n; i++) {
		if (!span_equal_nocase(fields->v[i].name, name)) {
			fields->v[kept++] = fields->v[i];
		} else if (!is_set) {
			fields->v[kept++] = (struct http_field){name, value};
			is_set = true;
		}
	}
	fields->n = kept;
	return is_set || http_fields_add(fields, arena, name, value);
}

bool field_rules_apply(const struct field_rule *rules, unsigned n, struct http_fields *fields,
		       struct arena *arena)
{
	for (unsigned i = 0; i < n; i++) {
		switch (rules[i].action) {
		case FIELD_SET:
			if (!set(fields, arena, rules[i].name, rules[i].value))
				return false;
			break;
		case FIELD_ADD:
			if (!http_fields_add(fields, arena, rules[i].name, rules[i].value))
				return false;
			break;
		case FIELD_REMOVE:
			http_fields_remove(fields, rules[i].name);
			break;
		}
	}
	return true;
}
