/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Filters in a row, with a seam between any two neighbours that CHECKs the rules of the flow, built
 * as the bytes of a fuzzer's input say. Loop of the exchange.
 */
#pragma once

#include "tests/support/flow_filters.h"

/* What an input is read as. */
struct decisions {
	const uint8_t *next, *end;
};

/* A number below `below`; 0 once there are no more bytes. */
unsigned decide(struct decisions *d, unsigned below);
/* A size that is worth a try: few, or around what something holds, or much. */
size_t decide_size(struct decisions *d);

#define CHAIN_FILTERS_MAX 3

struct chain_filter {
	struct flow_filter *request, *response; /* its two ways, in one of these */
	struct flow_filter pass[2];
	struct digest digest;
	bool has_digest;
	struct rechunk rechunk;
	bool has_rechunk;
};

struct chain {
	unsigned n;
	struct chain_filter filters[CHAIN_FILTERS_MAX];
	struct seam seams[CHAIN_FILTERS_MAX + 1]; /* before each filter, and behind the last */
};

void chain_init(struct chain *chain, struct decisions *d, struct loop *loop);
/* As filter_ends() and filter_leg(). */
struct flow_ends chain_ends(struct chain *chain, const struct flow_ends *front);
struct flow_leg chain_leg(struct chain *chain, const struct flow_leg *behind);
void chain_fini(struct chain *chain);
