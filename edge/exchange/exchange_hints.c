/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Early hints in an exchange: what is learned of which responses, and who is told. Nothing is
 * learned of a response that may be about its client: of a request with credentials or cookies, or
 * that sets one, or is private by its own word. Worker's loop only.
 */
#define LOG_MODULE LOG_EXCHANGE
#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/route/route.h"
#include "edge/terms/hints.h"

static bool is_on(const struct edge_exchange *x)
{
	return x->route && x->route->cfg->terms.early_hints &&
	       x->received.method_id == HTTP_METHOD_GET;
}

/* The table is made when it is needed first. */
static struct edge_hints *hints_of(struct edge_exchange *x)
{
	_Atomic(struct edge_hints *) *place = &x->worker->common->hints;
	struct edge_hints *found = atomic_load(place), *made;

	if (found)
		return found;
	made = edge_hints_create();
	if (atomic_compare_exchange_strong(place, &found, made))
		return made;
	edge_hints_destroy(&made);
	return found;
}

/* Strangers cannot tell which targets share one. */
static uint64_t key_of(const struct edge_exchange *x)
{
	uint64_t seed = x->worker->common->hints_seed;
	uint64_t host =
	    XXH3_64bits_withSeed(x->received.authority.p, x->received.authority.n, seed);

	return XXH3_64bits_withSeed(x->received.target.p, x->received.target.n, seed ^ host);
}

static bool has(const struct http_fields *fields, struct span name)
{
	return http_fields_find(fields, name, NULL) != NULL;
}

static bool is_public(const struct edge_exchange *x)
{
	const struct http_fields *asked = &x->received.fields, *answered = &x->answer.fields;

	if (x->facts.user.n > 0 || x->facts.client_cert || x->auth ||
	    has(asked, SPAN("Authorization")) || has(asked, SPAN("Cookie")) ||
	    has(answered, SPAN("Set-Cookie")))
		return false;
	return !http_fields_list_has(answered, SPAN("Cache-Control"), SPAN("private")) &&
	       !http_fields_list_has(answered, SPAN("Cache-Control"), SPAN("no-store")) &&
	       !http_fields_list_has(answered, SPAN("Vary"), SPAN("*")) &&
	       !http_fields_list_has(answered, SPAN("Vary"), SPAN("Cookie")) &&
	       !http_fields_list_has(answered, SPAN("Vary"), SPAN("Authorization"));
}

void exchange_learn_hints(struct edge_exchange *x)
{
	char links[EDGE_HINT_MAX];
	size_t n;

	/* An answer of our own says nothing of what is there. */
	if (!is_on(x) || x->end != REASON_NONE || x->answer.status != 200 || !is_public(x))
		return;
	n = edge_hints_links(&x->answer.fields, links);
	edge_hints_learn(hints_of(x), key_of(x), (struct span){links, n},
			 loop_now(x->worker->loop));
}

/* A browser that goes to another page, by HTTP/2: of others some take a 103 for the response. */
static bool is_navigation(const struct edge_exchange *x)
{
	const struct http_field *mode =
	    http_fields_find(&x->received.fields, SPAN("Sec-Fetch-Mode"), NULL);

	return mode && span_equal_nocase(mode->value, SPAN("navigate")) &&
	       edge_client_speaks_http2(x->client);
}

void exchange_send_hints(struct edge_exchange *x)
{
	char links[EDGE_HINT_MAX], *copy;
	struct http_head *head;
	size_t n;

	if (!is_on(x) || x->response_side != RESPONSE_AWAITED || !is_navigation(x))
		return;
	n = edge_hints_find(hints_of(x), key_of(x), loop_now(x->worker->loop), links);
	head = n > 0 ? arena_alloc(&x->arena, sizeof(*head)) : NULL;
	copy = head ? arena_copy(&x->arena, links, n) : NULL;
	if (!copy)
		return;
	http_head_init(head, &x->arena);
	head->status = 103;
	head->reason_phrase = span_of(http_status_text(103));
	if (!http_fields_add(&head->fields, &x->arena, SPAN("Link"), (struct span){copy, n}))
		return;
	log_debug("%s: early hints: " SPAN_FMT, net_addr_shown(&x->client->addr), (int)n, copy);
	edge_count(x->worker, EDGE_EARLY_HINTS, 1);
	edge_count(x->worker, EDGE_RESPONSES_1XX, 1);
	x->out->ops->head(x->out, head, false);
}
