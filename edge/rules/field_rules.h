/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes to the fields of a message that the configuration asks for: set, add, append, remove,
 * with texts that have variables, and on conditions. Compiled with the view and immutable then;
 * applied in the exchange's loop. Which names may be changed at all was decided when the
 * configuration was read.
 */
#pragma once

#include "core/http/message.h"

struct cfg_field_rule;
struct edge_facts;
struct field_rules;

/* In requests a name stands for all that an origin may take for it ("X.User" for "X-User"): what is
 * set or removed is not to be said by the client in another spelling. */
enum field_rules_of { FIELD_RULES_OF_REQUESTS, FIELD_RULES_OF_RESPONSES };

/* NULL when there are none. `cfg` must outlive them. */
struct field_rules *field_rules_create(const struct cfg_field_rule *cfg, unsigned n,
				       enum field_rules_of of);
void field_rules_destroy(struct field_rules **rules);

enum field_rules_result {
	FIELD_RULES_DONE,
	FIELD_RULES_NO_ROOM, /* in the arena, or a text is too long: some were applied */
	FIELD_RULES_UNSURE, /* a condition holds for some who read the request: some were applied */
};

/* In their order. Names and texts without variables are kept, not copied: the rules must outlive
 * the fields. A text of variables that are all empty is no value: then "set" removes the field, and
 * "add" and "append" do nothing. For responses an unsure condition does not hold. */
enum field_rules_result field_rules_apply(const struct field_rules *rules,
					  struct http_fields *fields, struct edge_facts *facts,
					  struct arena *arena);
/* What the rules have set or removed in the head is not to come after the content. `rules` may be
 * NULL. */
void field_rules_clean_trailers(const struct field_rules *rules, struct http_fields *trailers);
