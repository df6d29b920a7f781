/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections opened ahead of need, so that the first client does not pay for them. Control loop
 * only.
 */
#pragma once

#include "origin-link/conns/lease.h"

struct warm_dial;

struct warm {
	struct olink_pool *pool;
	struct stream_buffers *buffers;
	LIST_HEAD(, warm_dial) dials;
};

void warm_init(struct warm *warm, struct olink_pool *pool, struct stream_buffers *buffers);
/* Opens what is missing of `want` idle connections of that key, each within `timeout`. What fails
 * is tried again at the next call. */
void warm_top_up(struct warm *warm, const struct pool_key *key, const struct lease_terms *terms,
		 unsigned want, duration timeout);
void warm_fini(struct warm *warm);
