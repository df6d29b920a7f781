/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own responses: the body is one line for whoever looks at it with curl. Names of statuses are
 * the registry's, in core/http.
 */
#include "edge/exchange/respond.h"

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"

/* The longest name and the longest explanation have half of it. */
#define BODY_MAX 256

/* What a person should know beside the status and its name; NULL: nothing. */
static const char *explanation_of(int status)
{
	switch (status) {
	case EDGE_REDIRECT_STATUS:
		return "this is served by https only";
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

bool edge_respond(struct http_head *head, struct arena *arena, int status, struct span date,
		  struct span *body)
{
	char *own_date = arena_copy(arena, date.p, date.n);

	http_head_init(head, arena);
	head->status = status;
	head->minor = 1;
	head->keep_alive = true;
	head->reason_phrase = span_of(http_status_text(status));
	if (!write_body(arena, status, body))
		return false;
	head->framing = HTTP_FRAMING_LENGTH;
	head->content_length = body->n;
	if (own_date == NULL ||
	    !http_fields_add(&head->fields, arena, SPAN("Date"), (struct span){own_date, date.n}) ||
	    !http_fields_add(&head->fields, arena, SPAN("Content-Type"),
			     SPAN("text/plain; charset=utf-8")) ||
	    !http_fields_add(&head->fields, arena, SPAN("Cache-Control"), SPAN("no-store")))
		return false;
	if (status == 405 || status == 200)
		return http_fields_add(&head->fields, arena, SPAN("Allow"),
				       SPAN("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
	if (status == 503)
		return http_fields_add(&head->fields, arena, SPAN("Retry-After"), SPAN("5"));
	return true;
}

bool edge_respond_empty(struct http_head *head, struct arena *arena, int status, struct span date)
{
	char *own_date = arena_copy(arena, date.p, date.n);

	http_head_init(head, arena);
	head->status = status;
	head->minor = 1;
	head->keep_alive = true;
	head->reason_phrase = span_of(http_status_text(status));
	head->framing = HTTP_FRAMING_NONE;
	return own_date &&
	       http_fields_add(&head->fields, arena, SPAN("Date"), (struct span){own_date, date.n});
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
	return http_fields_add(&head->fields, head->arena, SPAN("Location"),
			       (struct span){text, (size_t)(p - text)});
}

int edge_respond_status(enum reason reason)
{
	switch (reason) {
	case REASON_ORIGIN_ALL_DOWN:
	case REASON_ORIGIN_QUEUE_FULL:
	case REASON_ORIGIN_QUEUE_TIMEOUT:
	case REASON_EDGE_NO_DESCRIPTORS:
	case REASON_EDGE_NO_PORTS:
	case REASON_LIMIT:
	case REASON_SHUTDOWN:
		return 503;
	case REASON_ORIGIN_CONNECT_TIMEOUT:
	case REASON_ORIGIN_HEAD_TIMEOUT:
	case REASON_ORIGIN_BODY_TIMEOUT:
	case REASON_ORIGIN_WRITE_TIMEOUT:
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
