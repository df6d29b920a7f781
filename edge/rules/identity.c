/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Identities of requests. A request id is a UUID of version 7 (RFC 9562), so that ids sort by time;
 * one that a proxy of ours sends may be anything that can stand in a log.
 *
 * The edge records no spans, so a traceparent that is there goes on as it is (W3C Trace Context,
 * section 3.2): with a parent id of its own it would name a span that nobody ever sees. One that
 * begins here has a parent id all the same, since there must be one.
 */
#include "edge/rules/identity.h"

#include <string.h>

#include <gnutls/crypto.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/facts/facts.h"

/* A UUID is 36; longer ones than this are no use in a log. */
#define REQUEST_ID_MAX 128
#define UUID_LENGTH 36
/* "00-", the trace id, "-", the parent id, "-01". */
#define TRACEPARENT_LENGTH 55
#define TRACE_ID_AT 3
#define TRACE_ID_LENGTH 32
#define PARENT_ID_AT 36
#define PARENT_ID_LENGTH 16
#define FLAGS_AT 53

static void take_random(struct edge_randomness *r, unsigned char *out, size_t n)
{
	CHECK(n <= sizeof(r->bytes));
	if (r->left < n) {
		/* It fails when the system has no randomness, which it had for every handshake. */
		CHECK(gnutls_rnd(GNUTLS_RND_NONCE, r->bytes, sizeof(r->bytes)) == 0);
		r->left = sizeof(r->bytes);
	}
	r->left -= n;
	memcpy(out, r->bytes + r->left, n);
	/* What one request was named by does not name another, nor tell it. */
	memset(r->bytes + r->left, 0, n);
}

static char *put_hex(char *p, const unsigned char *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*p++ = hex[bytes[i] >> 4];
		*p++ = hex[bytes[i] & 15];
	}
	return p;
}

/* RFC 9562 section 5.7: 48 bits of milliseconds, version and variant, 74 random bits. */
static struct span make_uuid(struct edge_randomness *randomness, wall_time now, struct arena *arena)
{
	char *text = arena_alloc(arena, UUID_LENGTH), *p = text;
	uint64_t ms = (uint64_t)(now.ns / 1000000);
	unsigned char uuid[16];

	if (!text)
		return (struct span){NULL, 0};
	take_random(randomness, uuid + 6, 10);
	for (int i = 0; i < 6; i++)
		uuid[i] = (unsigned char)(ms >> (40 - 8 * i));
	uuid[6] = (unsigned char)(0x70 | (uuid[6] & 0x0f));
	uuid[8] = (unsigned char)(0x80 | (uuid[8] & 0x3f));
	for (unsigned i = 0; i < sizeof(uuid); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p = put_hex(p, &uuid[i], 1);
	}
	return (struct span){text, UUID_LENGTH};
}

/* Visible, and without what would end it in some log. */
static bool is_request_id(struct span id)
{
	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] <= ' ' || id.p[i] >= 0x7f || strchr("\"\\,;", id.p[i]))
			return false;
	}
	return id.n > 0 && id.n <= REQUEST_ID_MAX;
}

static bool find_request_id(const struct cfg_request_id *cfg, bool trusted, wall_time now,
			    struct edge_randomness *randomness, struct edge_facts *facts,
			    struct arena *arena)
{
	const struct http_field *field = NULL;

	if (trusted && cfg->from == CFG_REQUEST_ID_TRUSTED)
		field = http_fields_only(&facts->request->fields, span_of(cfg->field));
	if (field && is_request_id(field->value)) {
		facts->request_id = field->value;
		return true;
	}
	facts->request_id = make_uuid(randomness, now, arena);
	return facts->request_id.p != NULL;
}

/* Lower case only, as the recommendation has it. */
static bool is_hex(struct span text, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++) {
		char c = text.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static bool is_zero(struct span text, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++) {
		if (text.p[i] != '0')
			return false;
	}
	return true;
}

/* Section 3.2: of a version that is not known, what version 00 has is read. */
static bool is_traceparent(struct span text)
{
	bool is_first = text.n >= 2 && text.p[0] == '0' && text.p[1] == '0';

	return text.n >= TRACEPARENT_LENGTH && is_hex(text, 0, 2) &&
	       !(text.p[0] == 'f' && text.p[1] == 'f') && text.p[2] == '-' &&
	       is_hex(text, TRACE_ID_AT, TRACE_ID_LENGTH) && text.p[PARENT_ID_AT - 1] == '-' &&
	       is_hex(text, PARENT_ID_AT, PARENT_ID_LENGTH) && text.p[FLAGS_AT - 1] == '-' &&
	       is_hex(text, FLAGS_AT, 2) && !is_zero(text, TRACE_ID_AT, TRACE_ID_LENGTH) &&
	       !is_zero(text, PARENT_ID_AT, PARENT_ID_LENGTH) &&
	       (text.n == TRACEPARENT_LENGTH || (!is_first && text.p[TRACEPARENT_LENGTH] == '-'));
}

static struct span make_traceparent(const struct cfg_trace *cfg, struct edge_randomness *randomness,
				    struct arena *arena)
{
	char *text = arena_alloc(arena, TRACEPARENT_LENGTH), *p = text;
	unsigned char ids[24];

	if (!text)
		return (struct span){NULL, 0};
	take_random(randomness, ids, sizeof(ids));
	/* Neither may be all zero. */
	ids[0] |= 1;
	ids[16] |= 1;
	p = mempcpy(p, "00-", 3);
	p = put_hex(p, ids, 16);
	*p++ = '-';
	p = put_hex(p, ids + 16, 8);
	mempcpy(p, cfg->sampled ? "-01" : "-00", 3);
	return (struct span){text, TRACEPARENT_LENGTH};
}

static bool find_trace(const struct cfg_trace *cfg, bool trusted,
		       struct edge_randomness *randomness, struct edge_facts *facts,
		       struct arena *arena)
{
	const struct http_field *field = NULL;
	struct span parent;

	if (trusted || cfg->start != CFG_TRACE_UNTRUSTED)
		field = http_fields_only(&facts->request->fields, SPAN("traceparent"));
	if (field && is_traceparent(field->value)) {
		parent = field->value;
	} else if (cfg->start != CFG_TRACE_NEVER) {
		parent = make_traceparent(cfg, randomness, arena);
		if (!parent.p)
			return false;
		facts->traceparent = parent;
	} else {
		return true;
	}
	facts->trace_id = (struct span){parent.p + TRACE_ID_AT, TRACE_ID_LENGTH};
	return true;
}

bool edge_identify(const struct cfg_http *http, bool trusted, wall_time now,
		   struct edge_randomness *randomness, struct edge_facts *facts,
		   struct arena *arena)
{
	return (!http->request_id.enabled ||
		find_request_id(&http->request_id, trusted, now, randomness, facts, arena)) &&
	       find_trace(&http->trace, trusted, randomness, facts, arena);
}

bool edge_identity_forward(const struct cfg_http *http, const struct edge_facts *facts,
			   struct http_head *head)
{
	if (http->request_id.enabled && facts->request_id.n > 0 &&
	    !http_fields_set(&head->fields, head->arena, span_of(http->request_id.field),
			     facts->request_id))
		return false;
	if (facts->traceparent.n == 0)
		return true;
	/* Section 3.3: a state without its parent is of another trace. */
	http_fields_remove(&head->fields, SPAN("tracestate"));
	return http_fields_set(&head->fields, head->arena, SPAN("traceparent"), facts->traceparent);
}
