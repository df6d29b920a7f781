/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Our own responses, from a table: the body is one line for whoever looks at it with curl.
 */
#include "edge/exchange/respond.h"

#include "core/base/check.h"

static const struct {
	int status;
	struct span body;
} bodies[] = {
#define BODY(status, text)                                                                         \
	{                                                                                          \
		status,                                                                            \
		{                                                                                  \
			"" text "\n", sizeof(text "\n") - 1                                        \
		}                                                                                  \
	}
    BODY(200, "ok"),
    BODY(EDGE_REDIRECT_STATUS, "308 Permanent Redirect: this is served by https only"),
    BODY(400,
	 "400 Bad Request: this is not proper HTTP, or its path can be read in different ways"),
    BODY(404, "404 Not Found: no such site or path is served here"),
    BODY(405, "405 Method Not Allowed"),
    BODY(408, "408 Request Timeout: the request did not arrive in time"),
    BODY(414, "414 URI Too Long"),
    BODY(417, "417 Expectation Failed: only 100-continue is known"),
    BODY(431, "431 Request Header Fields Too Large"),
    BODY(501, "501 Not Implemented"),
    BODY(502, "502 Bad Gateway: the origin gave no proper response"),
    BODY(503, "503 Service Unavailable: nothing is up to serve this"),
    BODY(504, "504 Gateway Timeout: the origin did not respond in time"),
    BODY(505, "505 HTTP Version Not Supported"),
    BODY(508, "508 Loop Detected: the request has come by here before"),
};

static struct span body_of(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		if (bodies[i].status == status)
			return bodies[i].body;
	}
	CHECK(!"a status that is in the table");
	return SPAN("");
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
	*body = body_of(status);
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
