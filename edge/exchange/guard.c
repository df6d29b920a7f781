/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who a request is from, whether that client may come where it wants to, and whether it is within
 * the limits; what the response tells of these. Worker's loop only. The health answer is for
 * everybody: whoever checks whether we serve must not find that we do not.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "config/fleet.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/facts/forwarded.h"
#include "edge/limit/access.h"
#include "edge/limit/buckets.h"
#include "edge/node/view.h"
#include "edge/route/route.h"

/* For how long a client is told to wait that has too many requests under way. */
#define BUSY_WAIT DUR_S(1)

/* The client */

/* One that differs from that of the connection by its address, and by what that tells. */
static struct edge_client *client_for(struct edge_exchange *x, const struct net_addr *addr)
{
	struct edge_client *client = arena_alloc(&x->arena, sizeof(*client));

	if (client == NULL)
		return NULL;
	*client = *x->client;
	client->addr = *addr;
	net_addr_format_ip(addr, client->ip);
	client->looked_up = 0;
	client->key = 0;
	client->counted = NULL;
	return client;
}

bool exchange_know_client(struct edge_exchange *x)
{
	const struct cfg_prefixes *trusted = &x->view->fleet->http.trusted_proxies;
	struct net_addr addr;

	x->person = x->client;
	x->client_is_trusted = x->client->is_edge || edge_is_trusted(trusted, &x->client->addr);
	if (x->client_is_trusted && edge_forwarded_client(&x->received, trusted, &addr))
		x->person = client_for(x, &addr);
	if (x->person == NULL)
		return false;
	x->facts.client = x->person;
	x->facts.place = edge_client_place(x->person, x->view->places);
	return true;
}

/* Access */

static unsigned counter_of(enum edge_access_verdict verdict)
{
	switch (verdict) {
	case EDGE_ACCESS_DENIED_ASN:
		return EDGE_DENIED_ASN;
	case EDGE_ACCESS_DENIED_COUNTRY:
		return EDGE_DENIED_COUNTRY;
	case EDGE_ACCESS_DENIED_CONTINENT:
		return EDGE_DENIED_CONTINENT;
	case EDGE_ACCESS_DENIED_JA4:
		return EDGE_DENIED_JA4;
	default:
		return EDGE_DENIED_NETWORK;
	}
}

static bool is_let_in(struct edge_exchange *x, const struct edge_access *const *lists, unsigned n)
{
	static const char *const names[] = {"http.access", "site.access", "route.access"};
	struct net_prefix address = net_prefix_of(&x->person->addr);

	for (unsigned i = 0; i < n; i++) {
		enum edge_access_verdict verdict =
		    edge_access_ask(lists[i], &address, x->facts.place, x->client->ja4);

		if (verdict == EDGE_ACCESS_GRANTED)
			continue;
		edge_count(x->worker, counter_of(verdict), 1);
		x->facts.refused_by = span_of(names[i]);
		exchange_respond(x, 403, REASON_CLIENT_DENIED);
		return false;
	}
	return true;
}

/* Limits */

static void refuse(struct edge_exchange *x, const char *by, unsigned counter, int status,
		   duration wait)
{
	x->facts.refused_by = span_of(by);
	edge_count(x->worker, counter, 1);
	x->retry_after = edge_limit_retry_after(wait, &x->arena);
	exchange_respond(x, status, REASON_CLIENT_LIMITED);
}

static bool is_within_its_own(struct edge_exchange *x)
{
	const struct cfg_per_client *limits = &x->view->fleet->http.per_client;
	duration wait;

	switch (edge_guard_begin(x->worker->common->guard, limits, x->person,
				 loop_now(x->worker->loop), &x->hold, &wait)) {
	case EDGE_GUARD_TOO_MANY:
		refuse(x, "per_client.requests", EDGE_REQUESTS_TOO_MANY, 429, BUSY_WAIT);
		return false;
	case EDGE_GUARD_TOO_FAST:
		refuse(x, "per_client.request_rate", EDGE_REQUESTS_TOO_FAST, 429, wait);
		return false;
	case EDGE_GUARD_PASSES:
		break;
	}
	return true;
}

static bool is_within(struct edge_exchange *x, const struct edge_buckets *const *lists, unsigned n)
{
	struct edge_limit_report report = {.refused = NULL};
	bool within = true;

	for (unsigned i = 0; i < n && within; i++)
		within = edge_buckets_take(lists[i], x->worker->common->guard, &x->facts, &x->arena,
					   loop_now(x->worker->loop), &report);
	/* Without room nothing is told. */
	if (report.n_told > 0 &&
	    !edge_limit_fields(&report, &x->arena, &x->limit_policy, &x->limit_left))
		x->limit_policy = x->limit_left = SPAN("");
	if (!within) {
		log_debug("%s: over limit %s", net_addr_shown(&x->person->addr),
			  report.refused->name);
		refuse(x, report.refused->name, EDGE_REQUESTS_LIMITED, (int)report.refused->status,
		       report.wait);
	}
	return within;
}

bool exchange_guard(struct edge_exchange *x, const struct edge_site *site)
{
	const struct edge_route *route = x->route;
	const struct edge_access *access[] = {x->view->access, site ? site->access : NULL,
					      route ? route->access : NULL};
	const struct edge_buckets *limits[] = {x->view->buckets, site ? site->buckets : NULL,
					       route ? route->buckets : NULL};

	if ((access[0] || access[1] || access[2]) && !is_let_in(x, access, ARRAY_SIZE(access)))
		return false;
	if (edge_guard_is_needed(&x->view->fleet->http.per_client) && !is_within_its_own(x))
		return false;
	return !(limits[0] || limits[1] || limits[2]) || is_within(x, limits, ARRAY_SIZE(limits));
}

void exchange_guard_end(struct edge_exchange *x)
{
	edge_guard_end(&x->hold);
}

/* What is told */

static bool add(struct edge_exchange *x, struct span name, struct span value)
{
	return value.n == 0 || http_fields_add(&x->answer.fields, &x->arena, name, value);
}

bool exchange_tell_limits(struct edge_exchange *x)
{
	if (x->retry_after.n > 0)
		http_fields_remove(&x->answer.fields, SPAN("Retry-After"));
	return add(x, SPAN("Retry-After"), x->retry_after) &&
	       add(x, SPAN("RateLimit-Policy"), x->limit_policy) &&
	       add(x, SPAN("RateLimit"), x->limit_left);
}
