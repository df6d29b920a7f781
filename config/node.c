/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nodes by name.
 */
#include "config/node.h"

#include "config/diag.h"
#include "config/fleet.h"
#include "config/suggest.h"

static void complain(const struct cfg_fleet *fleet, const char *kind,
		     const struct cfg_suggest *near, struct diag *diag)
{
	const struct cfg_place place = {.file = fleet->file};

	if (near->best != NULL)
		diag_add(diag, place, "there is no %s \"%s\"; did you mean \"%s\"?", kind,
			 near->written, near->best);
	else
		diag_add(diag, place, "there is no %s \"%s\"", kind, near->written);
}

static void offer_edges(struct cfg_suggest *near, const struct cfg_fleet *fleet)
{
	for (unsigned i = 0; i < fleet->n_edges; i++)
		cfg_suggest_offer(near, fleet->edges[i].name);
}

static void offer_nameservers(struct cfg_suggest *near, const struct cfg_fleet *fleet)
{
	for (unsigned i = 0; i < fleet->n_nameservers; i++)
		cfg_suggest_offer(near, fleet->nameservers[i].name);
}

const struct cfg_edge *cfg_expect_edge(const struct cfg_fleet *fleet, const char *name,
				       struct diag *diag)
{
	const struct cfg_edge *edge = cfg_find_edge(fleet, name);
	struct cfg_suggest near;

	if (edge != NULL)
		return edge;
	cfg_suggest_init(&near, name);
	offer_edges(&near, fleet);
	complain(fleet, "edge", &near, diag);
	return NULL;
}

const struct cfg_nameserver *cfg_expect_nameserver(const struct cfg_fleet *fleet, const char *name,
						   struct diag *diag)
{
	const struct cfg_nameserver *nameserver = cfg_find_nameserver(fleet, name);
	struct cfg_suggest near;

	if (nameserver != NULL)
		return nameserver;
	cfg_suggest_init(&near, name);
	offer_nameservers(&near, fleet);
	complain(fleet, "name server", &near, diag);
	return NULL;
}

struct cfg_node cfg_expect_node(const struct cfg_fleet *fleet, const char *name, struct diag *diag)
{
	struct cfg_node node = {cfg_find_edge(fleet, name), cfg_find_nameserver(fleet, name)};
	struct cfg_suggest near;

	if (node.edge != NULL || node.nameserver != NULL)
		return node;
	cfg_suggest_init(&near, name);
	offer_edges(&near, fleet);
	offer_nameservers(&near, fleet);
	complain(fleet, "node", &near, diag);
	return node;
}
