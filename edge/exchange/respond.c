/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own responses: the body is one line for whoever looks at it with curl. Names of statuses are
 * the registry's, in core/http.
 */
#include "edge/exchange/respond.h"

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/route/content.h"

/* The longest name and the longest explanation have half of it. */
#define BODY_MAX 256

/* What a person should know beside the status and its name; NULL: nothing. */
static const char *explanation_of(int status)
{
	switch (status) {
	case 400:
		return "this is not proper HTTP, or its path can be read in different ways";
	case 403:
		return "this client may not come here";
	case 404:
		return "no such path is served here";
	case 408:
		return "the request did not arrive in time";
	case 417:
		return "only 100-continue is known";
	case 421:
		return "no such host is served here, or not on this connection";
	case 425:
		return "this came as early data, which may be sent again by others, and is not "
		       "taken here";
	case 429:
		return "this client asks too often, or for too much at once";
	case 502:
		return "the origin gave no proper response";
	case 503:
		return "it cannot be served now";
	case 504:
		return "the origin did not respond in time";
	case 508:
		return "the request has come by here before";
	default:
		return NULL;
	}
}

/* One line: "404 Not Found: no such ..."; what has no name in the registry goes without. */
static bool write_body(struct arena *arena, int status, struct span *body)
{
	const char *name = http_status_text(status), *why = explanation_of(status);
	char text[BODY_MAX];
	int n;

	if (status == 200) {
		*body = SPAN("ok\n");
		return true;
	}
	n = snprintf(text, sizeof(text), "%d%s%s%s%s\n", status, *name ? " " : "", name,
		     why ? ": " : "", why ? why : "");
	CHECK(n > 0 && n < BODY_MAX);
	*body = (struct span){arena_copy(arena, text, (size_t)n), (size_t)n};
	return body->p != NULL;
}

static bool begin(struct http_head *head, struct arena *arena, int status, struct span date)
{
	char *own_date = arena_copy(arena, date.p, date.n);

	http_head_init(head, arena);
	head->status = status;
	head->minor = 1;
	head->keep_alive = true;
	head->reason_phrase = span_of(http_status_text(status));
	head->framing = HTTP_FRAMING_LENGTH;
	return own_date != NULL &&
	       http_fields_add(&head->fields, arena, SPAN("Date"), (struct span){own_date, date.n});
}

static bool add(struct http_head *head, struct span name, struct span value)
{
	return http_fields_add(&head->fields, head->arena, name, value);
}

bool edge_respond(struct http_head *head, struct arena *arena, int status, struct span date,
		  struct span *body)
{
	if (!begin(head, arena, status, date) || !write_body(arena, status, body))
		return false;
	head->content_length = body->n;
	if (!add(head, SPAN("Content-Type"), SPAN("text/plain; charset=utf-8")) ||
	    !add(head, SPAN("Cache-Control"), SPAN("no-store")))
		return false;
	if (status == 405 || status == 200)
		return add(head, SPAN("Allow"),
			   SPAN("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
	if (status == 503)
		return add(head, SPAN("Retry-After"), SPAN("5"));
	return true;
}

bool edge_respond_only_read(struct http_head *head)
{
	http_fields_remove(&head->fields, SPAN("Allow"));
	return add(head, SPAN("Allow"), SPAN("GET, HEAD"));
}

bool edge_respond_empty(struct http_head *head, struct arena *arena, int status, struct span date)
{
	bool begun = begin(head, arena, status, date);

	head->framing = HTTP_FRAMING_NONE;
	return begun;
}

bool edge_respond_location(struct http_head *head, const struct http_head *request)
{
	struct span host, port, target = request->target;
	char *text, *p;

	/* It was valid as a whole when it was parsed. */
	CHECK(http_authority_split(request->authority, &host, &port));
	if (span_equal(target, SPAN("*")))
		target = SPAN("/");
	p = text = arena_alloc(head->arena, sizeof("https://") + host.n + target.n);
	if (!text)
		return false;
	p = mempcpy(p, "https://", 8);
	p = mempcpy(p, host.p, host.n);
	p = mempcpy(p, target.p, target.n);
	return add(head, SPAN("Location"), (struct span){text, (size_t)(p - text)});
}

bool edge_respond_redirect(struct http_head *head, struct arena *arena, int status,
			   struct span date, struct span location, struct span *body)
{
	if (!begin(head, arena, status, date) || !write_body(arena, status, body))
		return false;
	head->content_length = body->n;
	return add(head, SPAN("Location"), location) &&
	       add(head, SPAN("Content-Type"), SPAN("text/plain; charset=utf-8"));
}

bool edge_respond_content(struct http_head *head, struct arena *arena, int status, struct span date,
			  const struct edge_content *content)
{
	if (!begin(head, arena, status, date))
		return false;
	if (http_status_has_no_content(status))
		head->framing = HTTP_FRAMING_NONE;
	else
		head->content_length = content->bytes.n;
	if (content->bytes.n > 0 && !add(head, SPAN("Content-Type"), content->type))
		return false;
	return status == 200 ? add(head, SPAN("ETag"), span_of(content->etag))
			     : add(head, SPAN("Cache-Control"), SPAN("no-store"));
}

/* RFC 9110 section 13.1.2: by the weak comparison. */
static bool is_named(const struct http_fields *fields, struct span etag)
{
	const struct http_field *field;
	struct span rest, member;
	unsigned from = 0;

	while ((field = http_fields_find(fields, SPAN("If-None-Match"), &from))) {
		rest = field->value;
		while (http_list_next(&rest, &member)) {
			if (member.n > 2 && memcmp(member.p, "W/", 2) == 0)
				member.p += 2, member.n -= 2;
			if (span_equal(member, etag) || span_equal(member, SPAN("*")))
				return true;
		}
	}
	return false;
}

bool edge_respond_unchanged(struct http_head *head, const struct http_head *request)
{
	const struct http_field *etag = http_fields_find(&head->fields, SPAN("ETag"), NULL);

	if (!etag || !is_named(&request->fields, etag->value))
		return false;
	head->status = 304;
	head->reason_phrase = span_of(http_status_text(304));
	head->framing = HTTP_FRAMING_NONE;
	head->content_length = 0;
	http_fields_remove(&head->fields, SPAN("Content-Type"));
	return true;
}

bool edge_respond_page(struct http_head *head, const struct edge_content *page)
{
	/* What is said of the content that was there before (RFC 9110 section 8, RFC 9530). */
	static const char *const of_content[] = {
	    "Content-Type",  "Content-Encoding", "Content-Language", "Content-Location",
	    "Content-Range", "Content-MD5",      "Content-Digest",   "Repr-Digest",
	    "ETag",          "Last-Modified",    "Accept-Ranges",    "Content-Disposition",
	    "Trailer",
	};

	for (size_t i = 0; i < ARRAY_SIZE(of_content); i++)
		http_fields_remove(&head->fields, span_of(of_content[i]));
	head->framing = HTTP_FRAMING_LENGTH;
	head->length_declared = false;
	head->content_length = page->bytes.n;
	return page->bytes.n == 0 || add(head, SPAN("Content-Type"), page->type);
}

int edge_respond_status(enum reason reason)
{
	switch (reason) {
	case REASON_ORIGIN_ALL_DOWN:
	case REASON_ORIGIN_BREAKER_OPEN:
	case REASON_ORIGIN_QUEUE_FULL:
	case REASON_ORIGIN_QUEUE_TIMEOUT:
	case REASON_EDGE_NO_DESCRIPTORS:
	case REASON_EDGE_NO_PORTS:
	case REASON_LIMIT:
	case REASON_SHUTDOWN:
		return 503;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
	case REASON_ORIGIN_HANDSHAKE_TIMEOUT:
	case REASON_ORIGIN_HEAD_TIMEOUT:
	case REASON_ORIGIN_BODY_TIMEOUT:
	case REASON_ORIGIN_WRITE_TIMEOUT:
	case REASON_ORIGIN_TOTAL_TIMEOUT:
	case REASON_EDGE_DEADLINE:
		return 504;
	case REASON_CLIENT_CONTENT_LIMIT:
		return 413;
	case REASON_CLIENT_BODY_TIMEOUT:
	case REASON_CLIENT_TOO_SLOW:
		return 408;
	case REASON_CLIENT_MALFORMED:
		return 400;
	case REASON_CLIENT_MISDIRECTED:
		return 421;
	default:
		return 502;
	}
}
