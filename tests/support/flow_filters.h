/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Filters for tests of whatever speaks core/http/flow.h. Each stands between two neighbours for
 * both messages of an exchange, and owns only what it holds back:
 *
 *  - seam: changes nothing, and CHECKs that both neighbours keep the rules of the flow;
 *  - digest: changes nothing, and computes the SHA-256 of the content that passes;
 *  - rechunk: takes content on credit of its own, holds it back, and passes it on in other pieces.
 *
 * What is behind a filter is opened with filter_ends(), then what is in front of it gets
 * filter_leg(). Loop of the exchange.
 */
#pragma once

#include <gnutls/crypto.h>

#include "core/http/flow.h"
#include "core/loop/loop.h"

/* What a filter shows to both sides. */
struct flow_ends filter_ends(struct flow_filter *request, struct flow_filter *response,
			     const struct flow_ends *front);
struct flow_leg filter_leg(struct flow_filter *request, struct flow_filter *response,
			   const struct flow_leg *behind);

/* Nothing but flow_pass_*(). */
void pass_init(struct flow_filter *request, struct flow_filter *response);

enum seam_state {
	SEAM_HEAD,    /* the final head is to come */
	SEAM_CONTENT, /* so is content, and an end */
	SEAM_ENDED,   /* nothing is */
};

struct seam_way {
	struct flow_filter filter;
	struct seam_way *other; /* the other message's */
	bool is_response;
	enum seam_state state;
	enum http_framing framing; /* of the final head */
	bool granting, stopped;
	bool clean; /* ended, and not by reset() */
	uint64_t granted, passed;
	unsigned informational;
};

struct seam {
	struct seam_way request, response;
};

void seam_init(struct seam *seam);

struct digest_way {
	struct flow_filter filter;
	gnutls_hash_hd_t hash; /* NULL: ended */
	uint8_t sum[32];       /* of all content, once it has ended well */
};

struct digest {
	struct digest_way request, response;
};

void digest_init(struct digest *d);
void digest_fini(struct digest *d);

/* The most that a rechunk holds of one message. */
#define RECHUNK_WINDOW 64
#define RECHUNK_SLICES 64

struct rechunk_way {
	struct flow_filter filter;
	struct loop *loop;
	struct loop_task task; /* pushes, and grants */
	size_t piece;          /* the most that is pushed at once */
	struct slice held[RECHUNK_SLICES];
	unsigned n_held;
	size_t credit;   /* of what is behind */
	size_t to_grant; /* to what is in front */
	/* the end of the message, behind what is held */
	bool end, stopped;
	struct http_fields *trailers;
};

struct rechunk {
	struct rechunk_way request, response;
};

void rechunk_init(struct rechunk *r, struct loop *loop, size_t request_piece,
		  size_t response_piece);
void rechunk_fini(struct rechunk *r);
