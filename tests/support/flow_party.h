/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One end of an exchange for tests of the flow: pushes one message and takes the other, does what
 * it is told as far as the rules allow it at that moment, and CHECKs what it is given. Content is a
 * pattern that depends on the place of each byte, so that what arrives is checked without being
 * kept. Loop of the exchange.
 */
#pragma once

#include "core/http/flow.h"

enum party_state {
	PARTY_HEAD,    /* the final head has still to be pushed, or to come */
	PARTY_CONTENT, /* so have content and an end */
	PARTY_ENDED,   /* nothing has */
};

struct party {
	struct flow_source source; /* of its own message */
	struct flow_sink sink;     /* for the other one's */
	struct flow_sink *to;      /* where its own goes */
	struct flow_source *from;  /* where the other comes from */
	/* Called at the end of each push into `sink`, where anything may be done; may be NULL. */
	void (*pushed)(struct party *party);
	void *arg;    /* the user's */
	bool answers; /* its own message is the response */

	/* its own message */
	enum party_state out;
	bool out_clean, out_stopped;
	enum http_framing framing;
	size_t credit;
	uint64_t sent,
	    sent_max; /* sent_max: content is of no more than this; with LENGTH exactly */
	struct http_fields trailers;
	struct http_field trailer;
	bool out_trailers;

	/* the other one */
	enum party_state in;
	bool in_head, in_clean, in_stopped; /* in_head: the final one has come */
	enum http_framing in_framing;
	enum reason in_reset;
	int status; /* of the final head */
	unsigned informational;
	uint64_t received;
	bool in_trailers;
	bool any_content; /* it is not another party's pattern */
};

/* The byte of its content at that place. */
uint8_t party_pattern(bool answers, uint64_t at);

void party_init(struct party *p, bool answers);

/* Each does nothing when it is not the time for it. */
void party_push_head(struct party *p, struct http_head *head, bool end);
void party_push_informational(struct party *p, struct http_head *head);
/* At most `n` bytes, as far as there is credit; `owned`: in a slice that has an owner. */
void party_push_body(struct party *p, size_t n, bool owned, bool end);
void party_push_trailers(struct party *p);
void party_push_reset(struct party *p, enum reason reason);
void party_grant(struct party *p, size_t n);
void party_stop(struct party *p, enum reason reason);

/* Owners of slices that were pushed and not yet released, of all parties of this thread. */
unsigned party_owners(void);
