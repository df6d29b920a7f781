/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See guard.h. Each use of a client's key has a key of its own among the rates.
 */
#include "edge/limit/guard.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* Of the table of counts: only where it is all but full it takes as many. */
#define PROBES_MAX 64
#define GUARD_MAGIC 0x47726464u

/* Any two numbers: the key is one that nobody can guess. */
#define FOR_CONNECTIONS UINT64_C(0x636f6e6e65637473)
#define FOR_HANDSHAKES UINT64_C(0x68616e647368616b)
#define FOR_EDGES UINT64_C(0x656467657373686b)
#define FOR_REQUESTS UINT64_C(0x7265717565737473)

struct edge_guard *edge_guard_create(unsigned tracked)
{
	struct edge_guard *g = xcalloc(1, sizeof(*g));

	g->magic = GUARD_MAGIC;
	g->rates = edge_rates_create(tracked);
	g->tally = edge_tally_create(tracked);
	g->counts = xcalloc(EDGE_LIMITS_COUNTED, sizeof(g->counts[0]));
	CHECK(gnutls_rnd(GNUTLS_RND_KEY, g->seed.bytes, sizeof(g->seed.bytes)) == 0);
	return g;
}

void edge_guard_destroy(struct edge_guard **guardp)
{
	struct edge_guard *g = TAKE(guardp);

	if (g == NULL)
		return;
	MAGIC_CHECK(g, GUARD_MAGIC);
	g->magic = MAGIC_DEAD;
	edge_rates_destroy(&g->rates);
	edge_tally_destroy(&g->tally);
	free(g->counts);
	free(g);
}

uint64_t edge_guard_key(const struct edge_guard *g, const void *data, size_t n)
{
	return siphash(&g->seed, data, n);
}

struct edge_limit_counts *edge_guard_counts(const struct edge_guard *g, uint64_t identity)
{
	for (unsigned i = 0; i < PROBES_MAX; i++) {
		struct edge_limit_counts *c = &g->counts[(identity + i) % EDGE_LIMITS_COUNTED];
		uint64_t other = atomic_load_explicit(&c->identity, memory_order_relaxed);

		/* Who fails has lost it to another limit, or to its own. */
		if (other == 0 &&
		    atomic_compare_exchange_strong_explicit(
			&c->identity, &other, identity, memory_order_relaxed, memory_order_relaxed))
			return c;
		if (other == identity)
			return c;
	}
	return NULL;
}

struct edge_rate edge_rate_of(const struct cfg_rate *rate, unsigned burst)
{
	return (struct edge_rate){DUR_NS(rate->per.ns / rate->count), burst};
}

bool edge_guard_is_needed(const struct cfg_per_client *limits)
{
	return (limits->connections | limits->requests | limits->connection_rate.count |
		limits->request_rate.count) != 0;
}

static uint64_t key_of(const struct edge_guard *g, struct edge_client *client)
{
	struct net_prefix network;

	if (client->key == 0) {
		network = edge_client_network(&client->addr);
		/* All of it: its low bits say where it is kept. One that is 0 is found again. */
		client->key = edge_guard_key(g, &network, sizeof(network));
	}
	return client->key;
}

static struct edge_rate_state take(struct edge_guard *g, const struct cfg_rate *rate, uint64_t key,
				   mono_time now)
{
	struct edge_rate r = edge_rate_of(rate, rate->count);

	return edge_rates_take(g->rates, key, &r, now);
}

/* Connections */

enum edge_guard_verdict edge_guard_enter(struct edge_guard *g, const struct cfg_per_client *limits,
					 struct edge_client *client, mono_time now)
{
	if (limits->connection_rate.count > 0 &&
	    !take(g, &limits->connection_rate, key_of(g, client) ^ FOR_CONNECTIONS, now).allowed)
		return EDGE_GUARD_TOO_FAST;
	/* For its requests too, which then find it counted. */
	if (limits->connections + limits->requests > 0 &&
	    edge_tally_open(g->tally, key_of(g, client), limits->connections, &client->counted) ==
		EDGE_TALLY_OVER)
		return EDGE_GUARD_TOO_MANY;
	return EDGE_GUARD_PASSES;
}

/* Handshakes */

bool edge_guard_shake(struct edge_guard *g, const struct cfg_rate *rate, struct edge_client *client,
		      mono_time now)
{
	return take(g, rate, key_of(g, client) ^ FOR_HANDSHAKES, now).allowed;
}

bool edge_guard_shake_edge(struct edge_guard *g, const struct cfg_rate *rate, unsigned more,
			   struct edge_client *client, mono_time now)
{
	struct edge_rate r = edge_rate_of(rate, rate->count + more);

	return edge_rates_take(g->rates, key_of(g, client) ^ FOR_EDGES, &r, now).allowed;
}

void edge_guard_unshake_edge(struct edge_guard *g, const struct cfg_rate *rate,
			     struct edge_client *client)
{
	struct edge_rate r = edge_rate_of(rate, rate->count);

	edge_rates_give_back(g->rates, key_of(g, client) ^ FOR_EDGES, &r);
}

void edge_guard_leave(struct edge_client *client)
{
	edge_tally_close(&client->counted);
}

/* Requests */

/* False: it has as many as it may. */
static bool count_in(struct edge_guard *g, unsigned max, struct edge_client *client,
		     struct edge_guard_hold *hold)
{
	hold->counted = client->counted;
	/* One that came before there was a limit, or that a trusted proxy speaks for. */
	if (hold->counted == NULL) {
		hold->own = edge_tally_open(g->tally, key_of(g, client), 0, &hold->counted) ==
			    EDGE_TALLY_COUNTED;
		if (!hold->own)
			return true;
	}
	if (edge_tally_begin(hold->counted, max))
		return true;
	if (hold->own)
		edge_tally_close(&hold->counted);
	*hold = (struct edge_guard_hold){.counted = NULL};
	return false;
}

enum edge_guard_verdict edge_guard_begin(struct edge_guard *g, const struct cfg_per_client *limits,
					 struct edge_client *client, mono_time now,
					 struct edge_guard_hold *hold, duration *wait)
{
	struct edge_rate_state state = {.allowed = true};

	*hold = (struct edge_guard_hold){.counted = NULL};
	if (limits->request_rate.count > 0)
		state = take(g, &limits->request_rate, key_of(g, client) ^ FOR_REQUESTS, now);
	*wait = state.wait;
	if (!state.allowed)
		return EDGE_GUARD_TOO_FAST;
	if (limits->requests > 0 && !count_in(g, limits->requests, client, hold))
		return EDGE_GUARD_TOO_MANY;
	return EDGE_GUARD_PASSES;
}

void edge_guard_end(struct edge_guard_hold *hold)
{
	if (hold->counted == NULL)
		return;
	edge_tally_end(hold->counted);
	if (hold->own)
		edge_tally_close(&hold->counted);
	*hold = (struct edge_guard_hold){.counted = NULL};
}
