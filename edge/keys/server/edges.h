/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The edges as perigee-keys has met them, by name: how many connections each has, how much it may
 * have signed, and what it has asked for. They outlive all configurations, so that a reload gives
 * nobody more than his rate. Numbers are any thread's; the rest is the control loop's.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include <jansson.h>

#include "config/limit.h"
#include "core/base/log.h"
#include "edge/keys/signer_message.h"
#include "edge/keys/signing/rate.h"

struct keys_edge {
	char *name;
	struct signer_rate rate;
	struct log_limit log_limit; /* an edge's lines do not take the place of another's */
	atomic_uint n_connections;
	_Atomic uint64_t by_status[SIGNER_N_STATUS]; /* of what was to be signed */
};

struct keys_edges {
	void *by_name; /* a tree */
};

/* The one of that name, which has that rate if it is new. */
struct keys_edge *keys_edges_get(struct keys_edges *edges, const char *name, struct cfg_rate rate);
/* No connection is left. */
void keys_edges_fini(struct keys_edges *edges);
/* What it is counted as; a new reference. */
json_t *keys_edge_status(const struct keys_edge *edge);
