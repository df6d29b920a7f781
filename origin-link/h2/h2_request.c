/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes out on a stream: a head as a header section (RFC 9113 section 8.3.1), content as DATA,
 * trailers. Content that is sent is written at once, if it can be; what cannot waits in the
 * stream's queue, and so must no longer than who sends it is told to wait. One loop.
 */
#include <stdlib.h>

#include "core/base/check.h"
#include "origin-link/h2/h2_internal.h"

/* Nearly all heads have fewer fields, and are put together on the stack. */
#define SMALL_SECTION 48
/* :method, :scheme, :path, :authority, :protocol and content-length. */
#define OWN_FIELDS 6

struct section {
	nghttp2_nv *v; /* `few`, or malloc'd */
	size_t n, cap;
	nghttp2_nv few[SMALL_SECTION];
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
static void put(struct section *section, struct span name, struct span value, uint8_t flags)
{
	CHECK(section->n < section->cap);
	section->v[section->n++] = (nghttp2_nv){
	    .name = (uint8_t *)name.p,
	    .namelen = name.n,
	    .value = (uint8_t *)value.p,
	    .valuelen = value.n,
	    .flags = flags,
	};
}

/* One connection carries what many clients have sent: none of them is to find out by the size of
 * what is compressed what others have (RFC 7541 section 7.1.3). */
static bool is_secret(struct span name)
{
	switch (name.n) {
	case 6:
		return span_equal_nocase(name, SPAN("cookie"));
	case 13:
		return span_equal_nocase(name, SPAN("authorization"));
	case 19:
		return span_equal_nocase(name, SPAN("proxy-authorization"));
	default:
		return false;
	}
}

/* RFC 9113 section 8.2.2, and what stands in a pseudo-header field or is put in by us. */
static bool is_left_out(struct span name, struct span value, bool connect)
{
	switch (name.n) {
	case 2:
		return span_equal_nocase(name, SPAN("te")) &&
		       !span_equal_nocase(value, SPAN("trailers"));
	case 4:
		return span_equal_nocase(name, SPAN("host"));
	case 7:
		return span_equal_nocase(name, SPAN("upgrade"));
	case 10:
		return span_equal_nocase(name, SPAN("connection")) ||
		       span_equal_nocase(name, SPAN("keep-alive"));
	case 14:
		return span_equal_nocase(name, SPAN("content-length")) ||
		       span_equal_nocase(name, SPAN("http2-settings"));
	case 16:
		return span_equal_nocase(name, SPAN("proxy-connection"));
	case 17:
		return span_equal_nocase(name, SPAN("transfer-encoding")) ||
		       (connect && span_equal_nocase(name, SPAN("sec-websocket-key")));
	default:
		return false;
	}
}

static void put_fields(struct section *section, const struct http_fields *fields, bool connect)
{
	for (unsigned i = 0; i < fields->n; i++) {
		const struct http_field *f = &fields->v[i];

		if (!is_left_out(f->name, f->value, connect))
			put(section, f->name, f->value,
			    is_secret(f->name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
	}
}

/* False when memory is gone. */
static bool section_of(struct section *section, const struct origin_h2 *h,
		       const struct origin_h2_order *order)
{
	const struct http_head *head = order->head;

	if (!section_init(section, head->fields.n + OWN_FIELDS))
		return false;
	put(section, SPAN(":method"), order->connect ? SPAN("CONNECT") : head->method, 0);
	if (order->connect)
		put(section, SPAN(":protocol"), SPAN("websocket"), 0);
	put(section, SPAN(":scheme"), h->scheme, 0);
	put(section, SPAN(":path"), head->target, 0);
	put(section, SPAN(":authority"), head->authority, 0);
	put_fields(section, &head->fields, order->connect);
	if (head->framing == HTTP_FRAMING_LENGTH)
		put(section, SPAN("content-length"),
		    http_digits(head->content_length, section->length), 0);
	return true;
}

static ssize_t read_content(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct origin_h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	/* Its RST_STREAM is about to go. */
	if (s == NULL)
		return NGHTTP2_ERR_DEFERRED;
	MAGIC_CHECK(s, ORIGIN_H2_STREAM_MAGIC);
	return origin_h2_offer(s, length, flags);
}

int32_t origin_h2_submit(struct origin_h2_stream *s, const struct origin_h2_order *order)
{
	const nghttp2_data_provider provider = {.read_callback = read_content};
	struct origin_h2 *h = s->session;
	int32_t id = NGHTTP2_ERR_NOMEM;
	struct section section;

	if (section_of(&section, h, order)) {
		id = nghttp2_submit_request(h->session, NULL, section.v, section.n,
					    order->end ? NULL : &provider, s);
		section_fini(&section);
	}
	return id;
}

/* Content */

static size_t at_hand(const struct origin_h2_stream *s)
{
	return s->out.bytes + s->now.n;
}

static int submit_trailers(struct origin_h2_stream *s)
{
	struct section section;
	int rv;

	if (!section_init(&section, s->request_trailers->n))
		return NGHTTP2_ERR_NOMEM;
	put_fields(&section, s->request_trailers, false);
	rv = nghttp2_submit_trailer(s->session->session, s->id, section.v, section.n);
	section_fini(&section);
	return rv;
}

ssize_t origin_h2_offer(struct origin_h2_stream *s, size_t max, uint32_t *flags)
{
	size_t n = MIN(at_hand(s), max);
	bool all = n == at_hand(s) && s->request != ORIGIN_H2_SENDS;

	if (n == 0 && !all) {
		s->is_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (all)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (all && s->request == ORIGIN_H2_TRAILS) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (submit_trailers(s) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

/* It has something to offer again. */
static void resume(struct origin_h2_stream *s)
{
	if (s->is_deferred) {
		s->is_deferred = false;
		origin_h2_is_fatal(s->session,
				   nghttp2_session_resume_data(s->session->session, s->id));
	}
	origin_h2_defer(s->session);
}

static void out_of_memory(struct origin_h2_stream *s)
{
	const struct origin_h2_death death = {.reason = REASON_LIMIT, .spoilt = true};

	origin_h2_stream_die(s, &death);
}

bool origin_h2_stream_send(struct origin_h2_stream *s, struct slice slice, bool end)
{
	struct origin_h2 *h = s->session;

	LOOP_ASSERT_OWNER(h->loop);
	if (s->request != ORIGIN_H2_SENDS || s->has_left)
		return true;
	if (end)
		s->request = ORIGIN_H2_SENT;
	s->now = slice;
	resume(s);
	/* What has no content has no hurry: it goes out with what others send in this turn. */
	if (slice.n > 0)
		origin_h2_write(h);
	slice.p = s->now.p;
	slice.n = s->now.n;
	s->now = (struct slice){0};
	if (slice.n > 0 && !s->has_left && !h2_queue_put(&s->out, slice))
		out_of_memory(s);
	s->waits = s->out.bytes > 0;
	return !s->waits;
}

void origin_h2_stream_send_trailers(struct origin_h2_stream *s, const struct http_fields *trailers)
{
	if (s->request != ORIGIN_H2_SENDS || s->has_left)
		return;
	s->request = trailers->n > 0 ? ORIGIN_H2_TRAILS : ORIGIN_H2_SENT;
	s->request_trailers = trailers;
	resume(s);
}

bool origin_h2_stream_is_sent(const struct origin_h2_stream *s)
{
	/* Not: that the connection has drained, which it never does while others are busy. */
	return s->has_left || s->out.bytes == 0;
}

uint64_t origin_h2_stream_progress(const struct origin_h2_stream *s)
{
	/* What has still to pass the stream's own window does not get on by what others send. */
	bool on_its_way = s->out.bytes == 0 || s->session->write_waits;

	return s->sent + (on_its_way ? origin_h2_acked(s->session) : 0);
}
