/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filter that keeps a route's rules for the fields of responses: it changes the final head, and
 * lets everything else pass. The message's loop.
 */
#pragma once

#include "core/http/flow.h"

struct cfg_route;

struct response_rules {
	struct flow_filter filter;
	const struct cfg_route *route; /* looked at until the final head has passed */
	struct arena *arena;
	bool broken; /* no room for what they say: nothing passes any more */
};

/* Between `before` and `after`; the new fields go into `arena`. When there is no room for them the
 * response is reset with REASON_LIMIT, and `before` stopped. */
void response_rules_init(struct response_rules *rules, const struct cfg_route *route,
			 struct arena *arena, struct flow_source *before, struct flow_sink *after);
