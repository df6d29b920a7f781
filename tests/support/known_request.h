/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A request of which all is known, for tests of what looks at it.
 */
#pragma once

#include "core/http/path.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"

struct known_request {
	struct arena arena;
	struct http_head request, response;
	struct http_path path;
	struct edge_client client;
	struct geo_place place;
	struct edge_facts facts;
};

/* GET of `target`, which outlives it, at www.example.com; the answer is 404. */
void known_request_init(struct known_request *k, const char *target);
void known_request_fini(struct known_request *k);
/* To the request, or to the response. */
void known_request_add(struct http_head *head, const char *name, const char *value);
