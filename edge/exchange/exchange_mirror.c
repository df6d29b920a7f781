/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The copies that an exchange makes of its request (edge/terms/mirror.h): which ones, and what
 * they are fed. Worker's loop only; owns those that are not sent yet.
 */
#include <xxhash.h>

#include "config/fleet.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/facts/parties.h"
#include "edge/node/view.h"
#include "edge/route/affinity.h"
#include "edge/route/route.h"
#include "edge/terms/mirror.h"
#include "origin-link/olink.h"

/* One of so many; evenly, whatever else the worker's number of the request is used for. */
static bool is_chosen(struct edge_worker *w, const struct cfg_mirror *mirror)
{
	uint64_t number = w->n_mirror_choices++;
	double share = (double)XXH3_64bits(&number, sizeof(number)) / 18446744073709551616.0;

	return share * 100 < mirror->share;
}

static void send_all(struct edge_exchange *x)
{
	for (unsigned i = 0; i < x->n_mirrors; i++) {
		if (x->mirrors[i])
			edge_mirror_send(&x->mirrors[i], x->view);
	}
	x->n_mirrors = 0;
}

/* NULL: there is no room for one. */
static struct edge_mirror *open_copy(struct edge_exchange *x, const struct cfg_mirror *mirror)
{
	struct olink_affinity affinity = edge_affinity_of(x->view->affinities, mirror->origin,
							  &x->facts, &x->arena, clock_wall(), NULL);
	struct proxy_parties client;

	if (!edge_proxy_parties(&client, x->client, &x->facts, mirror->origin, &x->arena)) {
		edge_count(x->worker, EDGE_MIRROR_DROPPED, 1);
		return NULL;
	}
	return edge_mirror_open(x->worker, mirror, &x->forwarded, &affinity, &client);
}

enum step_result exchange_step_mirror(struct edge_exchange *x)
{
	const struct cfg_terms *terms = &x->route->cfg->terms;

	if (terms->n_mirrors == 0 || x->forwarded.framing == HTTP_FRAMING_TUNNEL)
		return STEP_GO_ON;
	x->mirrors = arena_alloc(&x->arena, terms->n_mirrors * sizeof(struct edge_mirror *));
	if (!x->mirrors)
		return STEP_GO_ON;
	for (unsigned i = 0; i < terms->n_mirrors; i++) {
		const struct cfg_mirror *mirror = &terms->mirrors[i];
		struct edge_mirror *copy =
		    is_chosen(x->worker, mirror) ? open_copy(x, mirror) : NULL;

		if (copy)
			x->mirrors[x->n_mirrors++] = copy;
	}
	if (x->ending != ENDING_NONE)
		send_all(x);
	return STEP_GO_ON;
}

void exchange_mirror_content(struct edge_exchange *x, const struct slice *slice, bool end)
{
	for (unsigned i = 0; i < x->n_mirrors; i++) {
		if (x->mirrors[i])
			edge_mirror_body(&x->mirrors[i], slice);
	}
	if (end)
		send_all(x);
}

void exchange_drop_mirrors(struct edge_exchange *x)
{
	for (unsigned i = 0; i < x->n_mirrors; i++)
		edge_mirror_drop(&x->mirrors[i]);
	x->n_mirrors = 0;
}
