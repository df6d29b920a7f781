/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See edges.h. There are never more than configurations have named.
 */
#include "edge/keys/server/edges.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct keys_edge *)a)->name, ((const struct keys_edge *)b)->name);
}

struct keys_edge *keys_edges_get(struct keys_edges *edges, const char *name, struct cfg_rate rate)
{
	struct keys_edge sought = {.name = (char *)name}, *edge, **found;

	found = tfind(&sought, &edges->by_name, by_name);
	if (found != NULL)
		return *found;
	edge = xcalloc(1, sizeof(*edge));
	edge->name = xstrdup(name);
	signer_rate_init(&edge->rate, rate.count, (uint32_t)(rate.per.ns / 1000000000));
	CHECK(tsearch(edge, &edges->by_name, by_name) != NULL);
	return edge;
}

static void free_edge(void *arg)
{
	struct keys_edge *edge = arg;

	signer_rate_fini(&edge->rate);
	free(edge->name);
	free(edge);
}

void keys_edges_fini(struct keys_edges *edges)
{
	tdestroy(edges->by_name, free_edge);
	edges->by_name = NULL;
}

static json_int_t counted(const struct keys_edge *edge, enum signer_status status)
{
	return (json_int_t)atomic_load(&edge->by_status[status]);
}

json_t *keys_edge_status(const struct keys_edge *edge)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
			 (json_int_t)atomic_load(&edge->n_connections), "signatures",
			 counted(edge, SIGNER_OK), "refused", counted(edge, SIGNER_REFUSED),
			 "limited", counted(edge, SIGNER_LIMITED), "unknown",
			 counted(edge, SIGNER_UNKNOWN), "failed", counted(edge, SIGNER_FAILED));
}
