/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compression of what somebody else can steer a part of tells the rest by its length, to those who
 * see no more than that (BREACH). So what may hold secrets is left alone, unless the operator has
 * said that it does not matter.
 */
#include "edge/filter/coding_choice.h"

#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "edge/filter/encoder.h"

static bool has(const struct http_head *head, struct span name)
{
	return http_fields_find(&head->fields, name, NULL) != NULL;
}

/* What the client takes */

/* qvalue, RFC 9110 section 12.4.2, in thousandths; -1: it is none. */
static int quality(struct span text)
{
	int value = 0;

	if (text.n == 0 || text.n > 5 || (text.p[0] != '0' && text.p[0] != '1') ||
	    (text.n > 1 && text.p[1] != '.'))
		return -1;
	value = 1000 * (text.p[0] - '0');
	for (size_t i = 2, unit = 100; i < text.n; i++, unit /= 10) {
		if (!http_char_is_digit(text.p[i]))
			return -1;
		value += (int)unit * (text.p[i] - '0');
	}
	return value <= 1000 ? value : -1;
}

/* `member` is "gzip;q=0.5": its coding, and the quality, or -1 when it makes no sense. */
static int split_quality(struct span member, struct span *coding)
{
	const char *semicolon = memchr(member.p, ';', member.n);
	struct span weight;

	*coding = member;
	if (!semicolon)
		return 1000;
	coding->n = (size_t)(semicolon - member.p);
	weight = http_trim((struct span){semicolon + 1, member.n - coding->n - 1});
	*coding = http_trim(*coding);
	if (weight.n < 2 || (*weight.p | 0x20) != 'q' || weight.p[1] != '=')
		return -1;
	return quality((struct span){weight.p + 2, weight.n - 2});
}

/* Of a coding by that name, and not by "*"; -1 when nothing is said of it. */
static int said_of(const struct http_head *request, struct span name)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(&request->fields, SPAN("Accept-Encoding"), &from))) {
		struct span rest = field->value, member, coding;

		while (http_list_next(&rest, &member)) {
			int q = split_quality(member, &coding);

			if (q >= 0 && span_equal_nocase(coding, name))
				return q;
		}
	}
	return -1;
}

static int quality_of(const struct http_head *request, enum cfg_coding coding)
{
	int q = said_of(request, edge_coding_name(coding));

	/* RFC 9110 section 8.4.1.3: its old name. */
	if (q < 0 && coding == CFG_CODING_GZIP)
		q = said_of(request, SPAN("x-gzip"));
	return q >= 0 ? q : said_of(request, SPAN("*"));
}

/* False: it goes out as it is. */
static bool negotiate(const struct cfg_compression *cfg, const struct http_head *request,
		      enum cfg_coding *coding)
{
	int best = 0, identity;

	if (!has(request, SPAN("Accept-Encoding")))
		return false;
	for (unsigned i = 0; i < cfg->n_formats; i++) {
		int q = quality_of(request, cfg->formats[i]);

		if (q > best) {
			best = q;
			*coding = cfg->formats[i];
		}
	}
	identity = said_of(request, SPAN("identity"));
	return best > 0 && best >= identity;
}

/* What the response is */

static bool type_matches(const char *pattern, struct span type)
{
	const char *star = strchr(pattern, '*');
	struct span head = span_of(pattern), tail = {0};

	if (!star)
		return span_equal_nocase(type, head);
	head.n = (size_t)(star - pattern);
	tail = span_of(star + 1);
	return type.n >= head.n + tail.n &&
	       span_equal_nocase((struct span){type.p, head.n}, head) &&
	       span_equal_nocase((struct span){type.p + type.n - tail.n, tail.n}, tail);
}

static bool has_type(const struct cfg_compression *cfg, const struct http_head *response)
{
	const struct http_field *field = http_fields_only(&response->fields, SPAN("Content-Type"));
	const char *semicolon;
	struct span type;

	if (!field)
		return false;
	type = field->value;
	semicolon = type.n > 0 ? memchr(type.p, ';', type.n) : NULL;
	if (semicolon)
		type = http_trim((struct span){type.p, (size_t)(semicolon - type.p)});
	for (unsigned i = 0; i < cfg->n_types; i++) {
		if (type_matches(cfg->types[i], type))
			return true;
	}
	return false;
}

/* It has a coding already, is a part of something, must stay as it is, or somebody would miss the
 * very bytes that were summed up. */
static bool is_untouchable(const struct http_head *request, const struct http_head *response)
{
	static const struct span telling[] = {
	    SPAN("Content-Encoding"), SPAN("Content-Range"), SPAN("Content-Digest"),
	    SPAN("Repr-Digest"),      SPAN("Digest"),        SPAN("Content-MD5"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(telling); i++) {
		if (has(response, telling[i]))
			return true;
	}
	return response->status == 206 ||
	       http_fields_list_has(&response->fields, SPAN("Cache-Control"),
				    SPAN("no-transform")) ||
	       http_fields_list_has(&request->fields, SPAN("Cache-Control"), SPAN("no-transform"));
}

static bool is_private(const struct http_head *request, const struct http_head *response,
		       bool identified)
{
	if (has(response, SPAN("Set-Cookie")) ||
	    http_fields_list_has(&response->fields, SPAN("Cache-Control"), SPAN("private")) ||
	    http_fields_list_has(&response->fields, SPAN("Cache-Control"), SPAN("no-store")))
		return true;
	return (identified || has(request, SPAN("Cookie")) ||
		has(request, SPAN("Authorization"))) &&
	       !http_fields_list_has(&response->fields, SPAN("Cache-Control"), SPAN("public"));
}

/* To GET it would have content that is large enough, as far as one can tell. */
static bool has_size(const struct cfg_compression *cfg, const struct http_head *request,
		     const struct http_head *response)
{
	switch (response->framing) {
	case HTTP_FRAMING_LENGTH:
		return response->content_length >= cfg->min_size;
	case HTTP_FRAMING_CHUNKED:
	case HTTP_FRAMING_CLOSE:
		return true;
	case HTTP_FRAMING_NONE:
		return request->method_id == HTTP_METHOD_HEAD &&
		       !http_status_has_no_content(response->status) &&
		       (!response->length_declared || response->content_length >= cfg->min_size);
	case HTTP_FRAMING_TUNNEL:
		break;
	}
	return false;
}

static const struct http_field *strong_tag(const struct http_head *response)
{
	const struct http_field *tag = http_fields_find(&response->fields, SPAN("ETag"), NULL);

	return tag && tag->value.n > 0 && tag->value.p[0] == '"' ? tag : NULL;
}

/* The weak form of the response's strong tag is what the client asked about. */
static bool has_weak_tag(const struct http_head *request, const struct http_head *response)
{
	const struct http_field *tag = strong_tag(response), *field;
	unsigned from = 0;

	if (!tag)
		return false;
	while ((field = http_fields_find(&request->fields, SPAN("If-None-Match"), &from))) {
		struct span rest = field->value, member;

		while (http_list_next(&rest, &member)) {
			if (member.n == tag->value.n + 2 && memcmp(member.p, "W/", 2) == 0 &&
			    memcmp(member.p + 2, tag->value.p, tag->value.n) == 0)
				return true;
		}
	}
	return false;
}

struct edge_coding_choice edge_coding_choose(const struct cfg_compression *cfg,
					     const struct http_head *request,
					     const struct http_head *response, bool identified)
{
	struct edge_coding_choice choice = {0};

	if (is_untouchable(request, response))
		return choice;
	if (response->status == 304) {
		/* Of the content it says no more than the tag. */
		choice.varies = true;
		choice.weaken = has_weak_tag(request, response);
		return choice;
	}
	if (!has_size(cfg, request, response) || !has_type(cfg, response))
		return choice;
	choice.varies = true;
	choice.has_content = request->method_id != HTTP_METHOD_HEAD;
	/* HTTP/1.0: who says nothing of Vary may stand between. */
	choice.encode = request->minor > 0 &&
			(cfg->secrets || !is_private(request, response, identified)) &&
			negotiate(cfg, request, &choice.coding);
	return choice;
}

/* What that changes */

static bool weaken_tag(struct http_head *response)
{
	const struct http_field *tag = strong_tag(response);
	size_t n = tag ? tag->value.n : 0;
	char *weak;

	if (!tag)
		return true;
	weak = arena_alloc(response->arena, n + 2);
	if (!weak)
		return false;
	memcpy(weak, "W/", 2);
	memcpy(weak + 2, tag->value.p, n);
	response->fields.v[tag - response->fields.v].value = (struct span){weak, n + 2};
	return true;
}

bool edge_coding_apply(struct edge_coding_choice choice, struct http_head *response)
{
	struct http_fields *fields = &response->fields;

	if (choice.varies && !http_fields_vary(fields, response->arena, SPAN("Accept-Encoding")))
		return false;
	if ((choice.encode || choice.weaken) && !weaken_tag(response))
		return false;
	if (!choice.encode)
		return true;
	/* Ranges of it would be of what the origin has. */
	http_fields_remove(fields, SPAN("Accept-Ranges"));
	response->content_length = 0;
	response->length_declared = false;
	response->framing = choice.has_content ? HTTP_FRAMING_CHUNKED : HTTP_FRAMING_NONE;
	return http_fields_add(fields, response->arena, SPAN("Content-Encoding"),
			       edge_coding_name(choice.coding));
}
