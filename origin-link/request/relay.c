/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is different when the candidate is another edge, a relay: it is told which origin the
 * request is for, and what it says of itself is told apart from what the origin says. Runs on the
 * request's loop; owns nothing.
 *
 * A request is never doubled by the hop in between. Where the relay says that no server has acted
 * upon it, it goes elsewhere whatever its method; where it does not say so, as of a connection that
 * broke between the two edges, the rule is the one for servers: what a server may have acted upon
 * goes again only if that does no harm.
 */
#define LOG_MODULE LOG_ORIGIN
#include "core/base/log.h"
#include "core/http/relay_field.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/transport.h"
#include "origin-link/request/request_internal.h"

bool relay_has(const struct attempt *a)
{
	return endpoint_transport(a->endpoint)->relay;
}

static bool write_order(struct olink_request *r)
{
	const struct relay_order order = {
	    .origin = span_of(r->settings.origin_name),
	    .response = r->settings.response,
	    .idle = r->settings.idle,
	    .retries = r->settings.retry.attempts,
	    .has_server = r->affinity.has_server,
	    .server = r->affinity.server,
	};
	char text[RELAY_ORDER_MAX];
	size_t n = relay_order_write(&order, text);

	r->relay_order = (struct span){arena_copy(&r->arena, text, n), n};
	return r->relay_order.p != NULL;
}

bool relay_address_head(struct attempt *a)
{
	struct olink_request *r = a->request;
	struct http_head *head = r->head;

	if (!relay_has(a)) {
		/* It may have gone to one before. */
		if (r->relay_order.n > 0)
			http_fields_remove(&head->fields, SPAN(RELAY_FIELD));
		return true;
	}
	if (r->relay_order.n == 0 && !write_order(r))
		return false;
	return http_fields_set(&head->fields, head->arena, SPAN(RELAY_FIELD), r->relay_order);
}

/* What is the relay's business only is nothing to tell a client. */
static enum reason reason_to_tell(enum reason reason)
{
	bool is_of_origin = reason >= REASON_ORIGIN_ALL_DOWN && reason <= REASON_ORIGIN_STALLED;

	return is_of_origin || reason_is_own_shortage(reason) ? reason
							      : REASON_ORIGIN_CONNECT_FAILED;
}

bool relay_answered(struct attempt *a, const struct http_head *head, enum response_end end)
{
	const struct http_field *field =
	    relay_has(a) ? http_fields_find(&head->fields, SPAN(RELAY_FIELD), NULL) : NULL;
	struct olink_request *r = a->request;
	struct relay_answer answer;

	if (!field)
		return false;
	answer = relay_answer_parse(field->value);
	REQUEST_TRACE(r, "the relay answers itself: %s%s", reason_text(answer.reason),
		      answer.unacted ? ", no server has acted" : "");
	request_refused_by_relay(r, a, reason_to_tell(answer.reason), answer.unacted, end);
	return true;
}
