/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Forwarding: hop-by-hop fields go, Via, CDN-Loop and the Forwarded family come. What a stranger
 * says about where a request comes from is dropped: origins believe these fields. So are names with
 * underscores, and others that some origins take for a name that matters. What the edge knows of
 * the client's certificate comes in fields that nobody else may send.
 */
#include "edge/exchange/forward.h"

#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/relay_field.h"
#include "edge/facts/facts.h"

/* Our own name may stand in Via and in CDN-Loop once: a request that an origin sends back to us for
 * another path is legal. More than that is a circle. */
#define SELF_MAX 1
/* Networks in CDN-Loop (RFC 8586), each hop of them counted. A fleet whose edges send requests to
 * each other has as many names as edges, so that a circle of them could take long to come by here
 * twice; nobody has so many networks in a row on purpose. */
#define NETWORKS_MAX 8

/* Client-Cert and Client-Cert-Chain (RFC 9440), and the edge's own like them. */
#define CLIENT_CERT "client-cert"

static char *put(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

/* The lengths that the names of fields have, as bits. Of the many names that are looked for here
 * most messages have none, and this says so without a look at each field for each of them. */
static uint32_t name_lengths(const struct http_fields *fields)
{
	uint32_t lengths = 0;

	for (unsigned i = 0; i < fields->n; i++)
		lengths |= UINT32_C(1) << MIN(fields->v[i].name.n, 31);
	return lengths;
}

/* `name` is one of fewer than 31 bytes. */
static inline bool may_have(uint32_t lengths, struct span name)
{
	return (lengths >> name.n & 1) != 0;
}

/* `lengths` are those of what was received. */
static inline bool append_to_list(struct http_head *head, uint32_t lengths, struct span name,
				  struct span member)
{
	return may_have(lengths, name)
		   ? http_fields_append(&head->fields, head->arena, name, member)
		   : http_fields_add(&head->fields, head->arena, name, member);
}

/* RFC 9110 section 7.6.3: by which version the message came to us. */
static bool add_via(struct http_head *head, uint32_t lengths, bool http2, struct span pseudonym)
{
	struct span version = http2 ? SPAN("2.0 ") : head->minor == 0 ? SPAN("1.0 ") : SPAN("1.1 ");
	char *text = arena_alloc(head->arena, 4 + pseudonym.n);

	if (text == NULL)
		return false;
	put(put(text, version), pseudonym);
	return append_to_list(head, lengths, SPAN("Via"), (struct span){text, 4 + pseudonym.n});
}

/* The name in a member of Via: "1.1 name (comment)". */
static struct span via_name(struct span member)
{
	const char *p = member.p, *end = member.p + member.n;
	struct span name;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	name.p = p;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	name.n = (size_t)(p - name.p);
	return name;
}

/* The name in a member of CDN-Loop: "name; parameter=value". */
static struct span network_name(struct span member)
{
	const char *semicolon = memchr(member.p, ';', member.n);

	if (semicolon != NULL)
		member.n = (size_t)(semicolon - member.p);
	return http_trim(member);
}

struct hops {
	unsigned all, self;
};

/* Those in the list `field`, by the name of each member. Every comma divides, also one in a quote
 * or a comment: who opens one and never closes it must not hide what comes after. */
static struct hops hops_of(const struct http_fields *fields, struct span name,
			   struct span (*name_of)(struct span member), struct span self)
{
	const struct http_field *field;
	struct hops hops = {0};
	unsigned from = 0;

	while ((field = http_fields_find(fields, name, &from)) != NULL) {
		struct span rest = field->value;

		while (rest.n > 0) {
			const char *comma = memchr(rest.p, ',', rest.n);
			size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
			struct span who = name_of((struct span){rest.p, n});

			hops.all += who.n > 0;
			hops.self += span_equal_nocase(who, self);
			n += comma != NULL;
			rest.p += n;
			rest.n -= n;
		}
	}
	return hops;
}

static bool goes_in_circles(const struct http_fields *fields, uint32_t lengths, struct span self)
{
	struct hops networks = {0}, vias = {0};

	if (may_have(lengths, SPAN("CDN-Loop")))
		networks = hops_of(fields, SPAN("CDN-Loop"), network_name, self);
	if (may_have(lengths, SPAN("Via")))
		vias = hops_of(fields, SPAN("Via"), via_name, self);
	return networks.self > SELF_MAX || networks.all >= NETWORKS_MAX || vias.self > SELF_MAX;
}

static char *put_quoted(char *p, struct span s)
{
	*p++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			*p++ = '\\';
		*p++ = s.p[i];
	}
	*p++ = '"';
	return p;
}

/* RFC 7239: for=192.0.2.1;host=www.example.com;proto=https */
static bool add_forwarded(struct http_head *head, uint32_t lengths, const struct edge_forward *f)
{
	struct span ip = span_of(f->client_ip), host = head->authority;
	/* fixed text, brackets and quotes; each byte of the host may need a backslash */
	char *text = arena_alloc(head->arena, 48 + ip.n + 2 * host.n + head->scheme.n);
	char *p = text;

	if (text == NULL)
		return false;
	p = put(p, SPAN("for="));
	if (f->client_is_ipv6)
		p = put(put(put(p, SPAN("\"[")), ip), SPAN("]\""));
	else
		p = put(p, ip);
	if (host.n > 0) {
		p = put(p, SPAN(";host="));
		p = http_chars_are(host, HTTP_CHAR_TOKEN) ? put(p, host) : put_quoted(p, host);
	}
	p = put(put(p, SPAN(";proto=")), head->scheme);
	return append_to_list(head, lengths, SPAN("Forwarded"),
			      (struct span){text, (size_t)(p - text)});
}

/* How many bytes of both are the same. */
static size_t common_length(struct span name, const char *other)
{
	size_t n = 0;

	while (n < name.n && other[n] != '\0' &&
	       http_name_folded(name.p[n]) == http_name_folded(other[n]))
		n++;
	return n;
}

static bool begins_with(struct span name, const char *prefix)
{
	return prefix[common_length(name, prefix)] == '\0';
}

static bool is_same(struct span name, const char *other)
{
	size_t n = common_length(name, other);

	return n == name.n && other[n] == '\0';
}

static bool is_one_of(struct span name, const struct cfg_strings *names)
{
	for (unsigned i = 0; i < names->n; i++) {
		if (is_same(name, names->v[i]))
			return true;
	}
	return false;
}

/* Says who the client is, or something else that only our own proxies are believed. */
static bool is_claim(struct span name, const struct cfg_strings *trusted)
{
	/* Origins know X-Forwarded-Port, -Server, -Prefix and more. */
	return begins_with(name, "x-forwarded-") || is_same(name, "forwarded") ||
	       begins_with(name, CLIENT_CERT) || is_one_of(name, trusted);
}

/* A name that only becomes one of the edge's own by folding: those themselves are gone, or are
 * written by the edge alone. */
static const char *const own[] = {
    "content-length", "transfer-encoding", "keep-alive", "proxy-connection", RELAY_FIELD,
};

static bool frames(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (is_same(name, own[i]))
			return true;
	}
	return false;
}

/* What a name begins with, as a bit. */
static uint32_t first_byte(char c)
{
	return UINT32_C(1) << (http_name_folded(c) & 31);
}

/* What a name must begin with to be a claim or to frame: most fields need no closer look. */
static uint32_t first_bytes(const struct edge_forward *f)
{
	uint32_t firsts = first_byte(CLIENT_CERT[0]);

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		firsts |= first_byte(own[i][0]);
	if (f->client_is_trusted)
		return firsts;
	for (unsigned i = 0; i < f->trusted_fields->n; i++)
		firsts |= first_byte(f->trusted_fields->v[i][0]);
	return firsts | first_byte('x') | first_byte('f');
}

static bool is_dropped(struct span name, const struct edge_forward *f, uint32_t firsts)
{
	if (f->underscores == CFG_UNDERSCORES_DROP && memchr(name.p, '_', name.n) != NULL)
		return true;
	if ((firsts & first_byte(name.p[0])) == 0)
		return false;
	return frames(name) || (!f->client_is_trusted && is_claim(name, f->trusted_fields)) ||
	       (f->certificates != NULL && begins_with(name, CLIENT_CERT));
}

static void drop_fields(struct http_fields *fields, const struct edge_forward *f)
{
	uint32_t firsts = first_bytes(f);
	unsigned kept = 0;

	for (unsigned i = 0; i < fields->n; i++) {
		if (!is_dropped(fields->v[i].name, f, firsts))
			fields->v[kept++] = fields->v[i];
	}
	fields->n = kept;
}

void edge_forward_strip(struct http_fields *fields, const struct cfg_strings *names)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < fields->n; i++) {
		if (!is_one_of(fields->v[i].name, names))
			fields->v[kept++] = fields->v[i];
	}
	fields->n = kept;
}

static inline bool add_if_missing(struct http_head *head, uint32_t lengths, struct span name,
				  struct span value)
{
	return (may_have(lengths, name) && http_fields_find(&head->fields, name, NULL) != NULL) ||
	       http_fields_add(&head->fields, head->arena, name, value);
}

/* RFC 9110 section 7.6.2. 0, or 200 when this node is the one that is asked; 431: no room. */
static int count_down(struct http_head *head)
{
	const struct http_field *field =
	    http_fields_find(&head->fields, SPAN("Max-Forwards"), NULL);
	char space[HTTP_DIGITS_MAX];
	struct span text;
	uint64_t left = 0;

	/* Not a number of a sensible size: the field is for others to judge. */
	if (field == NULL || field->value.n == 0 || field->value.n > 8)
		return 0;
	for (size_t i = 0; i < field->value.n; i++) {
		if (!http_char_is_digit(field->value.p[i]))
			return 0;
		left = left * 10 + (uint64_t)(field->value.p[i] - '0');
	}
	if (left == 0)
		return 200;
	text = http_digits(left - 1, space);
	text.p = arena_copy(head->arena, text.p, text.n);
	return text.p && http_fields_set(&head->fields, head->arena, SPAN("Max-Forwards"), text)
		   ? 0
		   : 431;
}

/* Without the hop-by-hop fields; but who asks for another protocol, or agrees to it, says so to the
 * next hop as well (RFC 9110 section 7.8). False: no room. */
static bool keep_end_to_end(struct http_head *head)
{
	const struct http_field *upgrade =
	    head->framing == HTTP_FRAMING_TUNNEL
		? http_fields_find(&head->fields, SPAN("Upgrade"), NULL)
		: NULL;
	struct span protocol = upgrade != NULL ? upgrade->value : SPAN("");

	http_fields_remove_hop_by_hop(&head->fields);
	return upgrade == NULL ||
	       http_fields_add(&head->fields, head->arena, SPAN("Upgrade"), protocol);
}

/* What is known of the certificate, and is to be told. */
static bool add_certificate(struct http_head *head, const struct edge_forward *f)
{
	static const struct span names[CFG_CLIENT_FIELDS] = {
	    [CFG_CLIENT_FIELD_CERTIFICATE] = SPAN("Client-Cert"),
	    [CFG_CLIENT_FIELD_CHAIN] = SPAN("Client-Cert-Chain"),
	    [CFG_CLIENT_FIELD_SUBJECT] = SPAN("Client-Cert-Subject"),
	    [CFG_CLIENT_FIELD_ISSUER] = SPAN("Client-Cert-Issuer"),
	    [CFG_CLIENT_FIELD_SERIAL] = SPAN("Client-Cert-Serial"),
	    [CFG_CLIENT_FIELD_SANS] = SPAN("Client-Cert-Sans"),
	    [CFG_CLIENT_FIELD_FINGERPRINT] = SPAN("Client-Cert-Fingerprint"),
	    [CFG_CLIENT_FIELD_VERDICT] = SPAN("Client-Cert-Verdict"),
	};

	for (unsigned i = 0; f->certificates != NULL && i < f->certificates->fields.n; i++) {
		enum cfg_client_field which = f->certificates->fields.v[i];
		struct span value = edge_facts_client_cert(f->facts, which);

		if (value.n > 0 &&
		    !http_fields_add(&head->fields, head->arena, names[which], value))
			return false;
	}
	return true;
}

/* RFC 8470 section 5.1: once, whatever stands there. */
static bool tell_early(struct http_head *head, bool early)
{
	return !early || http_fields_set(&head->fields, head->arena, SPAN("Early-Data"), SPAN("1"));
}

/* Who the client is, and what it wanted. */
static bool add_client(struct http_head *head, uint32_t lengths, const struct edge_forward *f)
{
	return append_to_list(head, lengths, SPAN("X-Forwarded-For"), span_of(f->client_ip)) &&
	       add_if_missing(head, lengths, SPAN("X-Forwarded-Proto"), head->scheme) &&
	       add_if_missing(head, lengths, SPAN("X-Forwarded-Host"), head->authority) &&
	       add_forwarded(head, lengths, f) && add_certificate(head, f);
}

int edge_forward_request(struct http_head *head, const struct edge_forward *f)
{
	uint32_t lengths = name_lengths(&head->fields);
	bool trailers;

	if (goes_in_circles(&head->fields, lengths, f->pseudonym))
		return 508;
	if (head->method_id == HTTP_METHOD_OPTIONS) {
		int status = count_down(head);

		if (status != 0)
			return status;
	}
	/* RFC 9110 section 10.1.4. What else TE may name is for the codings of this connection. */
	trailers = may_have(lengths, SPAN("TE")) &&
		   http_fields_list_has(&head->fields, SPAN("TE"), SPAN("trailers"));
	if (!keep_end_to_end(head) || (trailers && !http_fields_add(&head->fields, head->arena,
								    SPAN("TE"), SPAN("trailers"))))
		return 431;
	drop_fields(&head->fields, f);
	/* RFC 9110 section 10.1.1: from an HTTP/1.0 client the expectation is ignored. */
	if (head->minor == 0) {
		http_fields_remove(&head->fields, SPAN("Expect"));
		head->expect_continue = false;
	}
	if ((f->is_relayed || add_client(head, lengths, f)) &&
	    add_via(head, lengths, f->client_speaks_http2, f->pseudonym) &&
	    append_to_list(head, lengths, SPAN("CDN-Loop"), f->pseudonym) &&
	    tell_early(head, f->is_early))
		return 0;
	return 431;
}

void edge_forward_trailers(struct http_fields *trailers, const struct edge_forward *f)
{
	drop_fields(trailers, f);
}

bool edge_forward_response(struct http_head *head, const struct edge_forward *f, struct span date)
{
	uint32_t lengths = name_lengths(&head->fields);

	if (!keep_end_to_end(head))
		return false;
	/* Whoever says it now is none of ours: what an edge has said was taken in. */
	if (may_have(lengths, SPAN(RELAY_FIELD)))
		http_fields_remove(&head->fields, SPAN(RELAY_FIELD));
	/* Origins are asked by HTTP/1.1. RFC 9110 section 6.6.1: who forwards a response without a
	 * date gives it one. */
	return add_if_missing(head, lengths, SPAN("Date"), date) &&
	       add_via(head, lengths, false, f->pseudonym);
}
