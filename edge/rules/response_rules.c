/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Response field rules in the flow. Lives in its exchange; owns nothing.
 */
#include "edge/rules/response_rules.h"

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/rules/field_rules.h"

static struct response_rules *rules_of(struct flow_sink *sink)
{
	return CONTAINER_OF(CONTAINER_OF(sink, struct flow_filter, sink), struct response_rules,
			    filter);
}

static bool apply(struct response_rules *r, struct http_head *head)
{
	static const enum field_action actions[] = {
	    [CFG_FIELD_SET] = FIELD_SET,
	    [CFG_FIELD_ADD] = FIELD_ADD,
	    [CFG_FIELD_REMOVE] = FIELD_REMOVE,
	};

	for (unsigned i = 0; i < r->route->n_response_fields; i++) {
		const struct cfg_field_rule *said = &r->route->response_fields[i];
		struct field_rule rule = {
		    .name = span_of(said->name),
		    .action = actions[said->action],
		    .value = span_of(said->value),
		};

		if (!field_rules_apply(&rule, 1, &head->fields, r->arena))
			return false;
	}
	return true;
}

/* A text of the configuration must not be seen after the configuration has gone: in a tunnel the
 * head has been written by then, and in every other exchange the view stays pinned. */
static void rules_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct response_rules *r = rules_of(sink);

	if (r->broken)
		return;
	if ((head->status >= 200 || head->framing == HTTP_FRAMING_TUNNEL) && !apply(r, head)) {
		r->broken = true;
		r->filter.before->ops->stop(r->filter.before, REASON_LIMIT);
		flow_pass_reset(sink, REASON_LIMIT);
		return;
	}
	flow_pass_head(sink, head, end);
}

static void rules_body(struct flow_sink *sink, struct slice slice, bool end)
{
	if (!rules_of(sink)->broken)
		flow_pass_body(sink, slice, end);
}

static const struct flow_sink_ops sink_ops = {
    .head = rules_head,
    .body = rules_body,
    .trailers = flow_pass_trailers,
    .reset = flow_pass_reset,
};

static const struct flow_source_ops source_ops = {
    .grant = flow_pass_grant,
    .stop = flow_pass_stop,
};

void response_rules_init(struct response_rules *rules, const struct cfg_route *route,
			 struct arena *arena, struct flow_source *before, struct flow_sink *after)
{
	*rules = (struct response_rules){
	    .filter = {.sink.ops = &sink_ops,
		       .source.ops = &source_ops,
		       .before = before,
		       .after = after},
	    .route = route,
	    .arena = arena,
	};
}
