/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses of the exchange to HTTP/2: heads become header sections, a WebSocket's 101 a 200 (RFC
 * 8441 section 5); content and its pace are h2_write.c's. Worker's loop only.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/websocket.h"
#include "edge/h2/h2_internal.h"

/* Nearly all heads have fewer fields, and are put together on the stack. */
#define SMALL_SECTION 40

/* Header sections */

struct section {
	nghttp2_nv *v; /* `few`, or malloc'd */
	size_t n, cap;
	nghttp2_nv few[SMALL_SECTION];
	char status[3];
	char length[HTTP_DIGITS_MAX];
};

/* Room for so many; false when memory is gone. */
static bool section_init(struct section *section, size_t cap)
{
	section->v = section->few;
	section->n = 0;
	section->cap = cap;
	if (cap > SMALL_SECTION)
		section->v = calloc(cap, sizeof(*section->v));
	return section->v != NULL;
}

static void section_fini(struct section *section)
{
	if (section->v != section->few)
		free(section->v);
}

/* nghttp2 copies it, with the name in lower case. */
static void put(struct section *section, struct span name, struct span value)
{
	CHECK(section->n < section->cap);
	section->v[section->n++] = (nghttp2_nv){
	    .name = (uint8_t *)name.p,
	    .namelen = name.n,
	    .value = (uint8_t *)value.p,
	    .valuelen = value.n,
	};
}

static void put_fields(struct section *section, const struct http_fields *fields)
{
	for (unsigned i = 0; i < fields->n; i++)
		put(section, fields->v[i].name, fields->v[i].value);
}

static bool says_length(const struct http_head *head)
{
	return head->framing == HTTP_FRAMING_LENGTH ||
	       (head->framing == HTTP_FRAMING_NONE && head->length_declared);
}

/* False when memory is gone. */
static bool section_of(struct section *section, const struct http_head *head)
{
	if (!section_init(section, head->fields.n + 2))
		return false;
	for (int i = 2, status = head->status; i >= 0; i--, status /= 10)
		section->status[i] = (char)('0' + status % 10);
	put(section, SPAN(":status"), (struct span){section->status, 3});
	put_fields(section, &head->fields);
	if (says_length(head))
		put(section, SPAN("content-length"),
		    http_digits(head->content_length, section->length));
	return true;
}

/* nghttp2's word on what was submitted. */
static void submitted(struct h2_stream *s, int rv)
{
	if (rv == 0)
		h2_defer(s->conn);
	else if (nghttp2_is_fatal(rv))
		h2_end(s->conn, REASON_LIMIT, EDGE_CLOSE_BREAK);
	else
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, REASON_LIMIT);
}

static ssize_t read_content(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	return h2_write_offer(source->ptr, length, flags);
}

static void submit(struct h2_stream *s, const struct http_head *head, bool end)
{
	nghttp2_data_provider provider = {.source.ptr = s, .read_callback = read_content};
	struct section section;
	int rv = NGHTTP2_ERR_NOMEM;

	if (section_of(&section, head)) {
		rv = nghttp2_submit_response(s->conn->session, s->id, section.v, section.n,
					     end ? NULL : &provider);
		section_fini(&section);
	}
	submitted(s, rv);
}

/* From the exchange */

static struct h2_stream *of_sink(struct flow_sink *sink)
{
	struct h2_stream *s = CONTAINER_OF(sink, struct h2_stream, sink);

	MAGIC_CHECK(s, H2_STREAM_MAGIC);
	return s;
}

static bool is_unheard(const struct h2_stream *s)
{
	return s->closed || s->response_side == H2_RESPONSE_MUTED;
}

static void inform(struct h2_stream *s, const struct http_head *head)
{
	struct section section;
	int rv;

	/* Without memory it is left out: the final one is what counts. */
	if (!section_of(&section, head))
		return;
	rv = nghttp2_submit_headers(s->conn->session, NGHTTP2_FLAG_NONE, s->id, NULL, section.v,
				    section.n, NULL);
	section_fini(&section);
	if (rv == 0 && head->status == 100) {
		s->informed = true;
		h2_pace_update(s);
	}
	submitted(s, rv);
}

/* The origin speaks WebSocket: 200 says so here, without the fields of HTTP/1.1. */
static void begin_tunnel(struct h2_stream *s, struct http_head *head)
{
	const struct http_field *accept =
	    http_fields_find(&head->fields, SPAN("Sec-WebSocket-Accept"), NULL);

	if (accept == NULL || !websocket_is_accepted(s->websocket_key, accept->value)) {
		s->leg.response->ops->stop(s->leg.response, REASON_ORIGIN_MALFORMED);
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, REASON_ORIGIN_MALFORMED);
		return;
	}
	http_fields_remove(&head->fields, SPAN("Sec-WebSocket-Accept"));
	http_fields_remove(&head->fields, SPAN("Upgrade"));
	head->status = 200;
	s->response_side = H2_RESPONSE_TUNNEL;
	if (s->request_side == H2_REQUEST_ASKED)
		s->request_side = H2_REQUEST_TUNNEL;
	s->last_in = s->last_out = h2_now(s->conn);
	s->conn->up_waits = true;
	submit(s, head, false);
}

static void response_ended(struct h2_stream *s)
{
	s->response_side = H2_RESPONSE_ENDED;
	h2_write_resume(s);
}

static void sink_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct h2_stream *s = of_sink(sink);

	if (is_unheard(s))
		return;
	if (head->framing == HTTP_FRAMING_TUNNEL) {
		begin_tunnel(s, head);
		return;
	}
	if (head->status < 200) {
		inform(s, head);
		return;
	}
	/* A success would say that the tunnel is there (RFC 8441 section 5). */
	if (s->websocket_key[0] != '\0' && head->status < 300) {
		s->leg.response->ops->stop(s->leg.response, REASON_ORIGIN_MALFORMED);
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, REASON_ORIGIN_MALFORMED);
		return;
	}
	if (s->request_side == H2_REQUEST_ASKED)
		s->request_side = H2_REQUEST_UNWANTED;
	s->bodiless = s->request->method_id == HTTP_METHOD_HEAD;
	s->response_side = H2_RESPONSE_CONTENT;
	h2_pace_answered(s);
	submit(s, head, end || s->bodiless);
	if (end)
		s->response_side = H2_RESPONSE_ENDED;
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct h2_stream *s = of_sink(sink);

	if (is_unheard(s))
		return;
	s->granted -= MIN(s->granted, slice.n); /* an answer of the exchange's own is not granted */
	if (s->response_side == H2_RESPONSE_TUNNEL)
		s->last_out = h2_now(s->conn);
	if (end)
		s->response_side = H2_RESPONSE_ENDED;
	if (!s->bodiless && slice.n > 0)
		h2_write_push(s, slice);
	if (end)
		response_ended(s);
	else if (!is_unheard(s))
		h2_write_grant(s);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct h2_stream *s = of_sink(sink);

	if (is_unheard(s))
		return;
	if (trailers->n > 0 && !s->bodiless)
		s->response_trailers = trailers;
	response_ended(s);
}

/* The client must see that something is missing. */
static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	struct h2_stream *s = of_sink(sink);

	if (is_unheard(s))
		return;
	h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, reason);
}

const struct flow_sink_ops h2_sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};

int h2_response_trailers(struct h2_stream *s)
{
	struct section section;
	int rv;

	if (!section_init(&section, s->response_trailers->n))
		return NGHTTP2_ERR_NOMEM;
	put_fields(&section, s->response_trailers);
	rv = nghttp2_submit_trailer(s->conn->session, s->id, section.v, section.n);
	section_fini(&section);
	return rv;
}
