/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What perigee-keys answers to an edge. It trusts none of them: each gets signatures of handshakes,
 * by keys of the sites that it serves, at its rate. What it is refused is counted and logged. Any
 * thread.
 */
#pragma once

#include <stddef.h>

#include "edge/keys/server/edges.h"
#include "edge/keys/server/table.h"

struct keys_asker {
	const struct keys_table *table;
	const struct cfg_edge *cfg;
	struct keys_edge *edge;
};

/* The size of the response, which goes into `response`, of SIGNER_MESSAGE_MAX bytes; 0: that is no
 * request, and the connection is to be ended. */
size_t keys_request_answer(const struct keys_asker *asker, const void *request, size_t n,
			   void *response);
