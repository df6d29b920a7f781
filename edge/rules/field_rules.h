/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Changes to the fields of a message that somebody has asked for: set, add, remove. Pure but for
 * the arena of the message; which rules there are, and whether a name may be changed at all, is
 * decided where they come from. Called by the thread that owns the exchange.
 */
#pragma once

#include "core/http/message.h"

enum field_action {
	FIELD_SET, /* all fields of that name become one, where the first was; else it is added */
	FIELD_ADD, /* one more field, at the end */
	FIELD_REMOVE, /* all fields of that name go; the value is not looked at */
};

struct field_rule {
	struct span name; /* compared without case; SET and ADD write it as it is here */
	enum field_action action;
	struct span value;
};

/* Applies the rules in their order. Names and values are kept, not copied: the rules' bytes must
 * outlive the fields. False when the arena is full: some of the rules were applied, others not. */
bool field_rules_apply(const struct field_rule *rules, unsigned n, struct http_fields *fields,
		       struct arena *arena);
