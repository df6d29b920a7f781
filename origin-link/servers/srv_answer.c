/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From an answer's bytes to SRV records. c-ares 1.18 tells no time to live with them, and what 1.34
 * has for that is not there in 1.18; names are what both expand. Owners are not looked at: c-ares
 * has seen to it that the answer is to the question, and what is behind an alias counts too. The
 * additional section is not looked at either: whoever uses a target looks its name up.
 */
#include "origin-link/servers/srv_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ares.h>

#include "core/base/addr.h"
#include "core/base/check.h"

#define HEADER 12
/* More than an answer of 64 KiB can have. */
#define LOOKED_AT_MAX 4096

struct reader {
	const unsigned char *wire, *at, *end;
};

static unsigned get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

static size_t left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* Into `out`, unless that is NULL. False: it is none, or too long. */
static bool read_name(struct reader *r, char out[SRV_TARGET_TEXT])
{
	char *text;
	long len;
	bool fits;

	if (left(r) == 0 ||
	    ares_expand_name(r->at, r->wire, (int)(r->end - r->wire), &text, &len) != ARES_SUCCESS)
		return false;
	fits = len > 0 && (size_t)len <= left(r) && strlen(text) < SRV_TARGET_TEXT;
	if (fits && out)
		strcpy(out, text);
	ares_free_string(text);
	r->at += fits ? len : 0;
	return fits;
}

/* One record; *is_srv: it is one, and in *out. */
static bool read_record(struct reader *r, struct srv_record *out, uint32_t *ttl, bool *is_srv)
{
	const unsigned char *fixed, *rest;
	unsigned len;

	if (!read_name(r, NULL) || left(r) < 10)
		return false;
	fixed = r->at;
	len = get16(fixed + 8);
	r->at += 10;
	if (left(r) < len)
		return false;
	rest = r->at + len;
	*ttl = (uint32_t)get16(fixed + 4) << 16 | get16(fixed + 6);
	*is_srv = get16(fixed) == SRV_TYPE && get16(fixed + 2) == SRV_CLASS;
	if (*is_srv) {
		struct reader name = {.wire = r->wire, .end = r->end};

		if (len < 7)
			return false;
		out->priority = (uint16_t)get16(r->at);
		out->weight = (uint16_t)get16(r->at + 2);
		out->port = (uint16_t)get16(r->at + 4);
		name.at = r->at + 6;
		if (!read_name(&name, out->target) || name.at != rest)
			return false;
	}
	r->at = rest;
	return true;
}

static int by_place(const struct srv_record *a, const struct srv_record *b)
{
	int c = strcasecmp(a->target, b->target);

	return c ? c : (int)a->port - (int)b->port;
}

static int by_priority(const void *left, const void *right)
{
	const struct srv_record *a = left, *b = right;
	int c = (int)a->priority - (int)b->priority;

	if (!c)
		c = by_place(a, b);
	return c ? c : (int)b->weight - (int)a->weight;
}

static bool is_known(const struct srv_answer *out, const struct srv_record *record)
{
	for (unsigned i = 0; i < out->n; i++) {
		if (by_place(&out->v[i], record) == 0)
			return true;
	}
	return false;
}

/* A host's name, which no letter makes an address or a path: "unix:/run/docker.sock" can be written
 * as a name too, and nobody's name server is to have us connect there. */
static bool is_host(const char *target)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	struct net_addr addr;

	return *target != '\0' && target[strspn(target, letters)] == '\0' &&
	       !net_addr_parse(target, 1, &addr);
}

static void choose(struct srv_record *v, unsigned n, struct srv_answer *out)
{
	qsort(v, n, sizeof(*v), by_priority);
	for (unsigned i = 0; i < n && out->n < SRV_RECORDS_MAX; i++) {
		bool usable = is_host(v[i].target) && v[i].port != 0;

		if (usable && !is_known(out, &v[i]))
			out->v[out->n++] = v[i];
	}
}

bool srv_answer_parse(const unsigned char *wire, size_t len, struct srv_answer *out)
{
	struct reader r = {.wire = wire, .at = wire + HEADER, .end = wire + len};
	unsigned questions, answers, n = 0, n_none = 0;
	struct srv_record *all;
	uint32_t lowest = INT32_MAX; /* RFC 2181 section 8 */
	bool ok = len >= HEADER;

	*out = (struct srv_answer){.ttl = -1};
	if (!ok)
		return false;
	questions = get16(wire + 4);
	answers = MIN(get16(wire + 6), LOOKED_AT_MAX);
	for (; ok && questions > 0; questions--) {
		ok = read_name(&r, NULL) && left(&r) >= 4;
		r.at += ok ? 4 : 0;
	}
	/* A record has no less than 12 bytes. */
	all = reallocarray(NULL, MIN(answers, len / 12) + 1, sizeof(*all));
	ok &= all != NULL;
	for (; ok && answers > 0; answers--) {
		uint32_t ttl;
		bool is_srv;

		ok = read_record(&r, &all[n], &ttl, &is_srv);
		if (!ok)
			break;
		lowest = MIN(lowest, ttl);
		n_none += is_srv && *all[n].target == '\0';
		n += is_srv;
	}
	if (ok && n > 0) {
		choose(all, n, out);
		out->ttl = (int32_t)lowest;
		out->no_service = n == n_none;
	}
	free(all);
	return ok;
}
