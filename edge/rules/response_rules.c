/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Response field rules, from the configuration's words to edge/rules/field_rules.h.
 */
#include "edge/rules/response_rules.h"

#include "config/fleet.h"
#include "edge/rules/field_rules.h"

bool response_rules_apply(const struct cfg_route *route, struct http_head *head)
{
	static const enum field_action actions[] = {
	    [CFG_FIELD_SET] = FIELD_SET,
	    [CFG_FIELD_ADD] = FIELD_ADD,
	    [CFG_FIELD_REMOVE] = FIELD_REMOVE,
	};

	for (unsigned i = 0; i < route->n_response_fields; i++) {
		const struct cfg_field_rule *said = &route->response_fields[i];
		struct field_rule rule = {
		    .name = span_of(said->name),
		    .action = actions[said->action],
		    .value = span_of(said->value),
		};

		if (!field_rules_apply(&rule, 1, &head->fields, head->arena))
			return false;
	}
	return true;
}
