/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What nghttp2 is told of us and tells of an origin's frames: the table of its callbacks, from
 * which everything goes on to the file that deals with it. Here too is what counts as a flood.
 * nghttp2 keeps the rules of RFC 9113 on frames, streams and HPACK, and of its section 8.1.1 on
 * messages; it answers what breaks them. One loop.
 */
#define LOG_MODULE LOG_POOL
#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/h2/h2_internal.h"

/* Frames that make up the largest header section that is let in (origins.X.limit.head_bytes is
 * 1 MiB at most), and some that are not full. */
#define CONTINUATIONS 72
/* The largest head that is sent. */
#define SECTION_MAX (2 * 1024 * 1024)
/* What nghttp2 queues of answers to PING and SETTINGS: our own counts come first. */
#define ACKS_MAX (2 * ORIGIN_H2_FRAMES)

static struct origin_h2 *session_of(void *arg)
{
	struct origin_h2 *h = arg;

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	return h;
}

static struct origin_h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	struct origin_h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (s != NULL)
		MAGIC_CHECK(s, ORIGIN_H2_STREAM_MAGIC);
	return s;
}

bool origin_h2_is_fatal(struct origin_h2 *h, int rv)
{
	if (!nghttp2_is_fatal(rv))
		return false;
	origin_h2_end(h, REASON_LIMIT, NULL);
	return true;
}

/* Floods */

static void count(struct origin_h2 *h, enum h2_flood kind, unsigned burst)
{
	if (!h2_guard_count(&h->guard, kind, 1, burst, origin_h2_now(h)))
		origin_h2_flooded(h, kind);
}

/* Frames that do no work, by what their headers say. */
static void watch_frame(struct origin_h2 *h, const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
			count(h, H2_FLOOD_EMPTY, ORIGIN_H2_FRAMES);
		else
			h2_guard_forgive(&h->guard, H2_FLOOD_PING, 1, ORIGIN_H2_FRAMES);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION: /* nghttp2 bounds those of a section */
		break;
	case NGHTTP2_PRIORITY:
		count(h, H2_FLOOD_PRIORITY, ORIGIN_H2_FRAMES);
		break;
	case NGHTTP2_RST_STREAM:
		count(h, H2_FLOOD_RESET, ORIGIN_H2_RESETS);
		break;
	case NGHTTP2_SETTINGS:
		count(h, H2_FLOOD_SETTINGS, ORIGIN_H2_FRAMES);
		break;
	case NGHTTP2_PING:
		count(h, H2_FLOOD_PING, ORIGIN_H2_FRAMES);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		count(h, H2_FLOOD_WINDOW_UPDATE, ORIGIN_H2_FRAMES);
		break;
	default:
		count(h, H2_FLOOD_UNKNOWN, ORIGIN_H2_FRAMES);
		break;
	}
}

/* RFC 9113 section 8.1: an origin that has answered all that it is going to may say by RST_STREAM
 * that it does not want the rest of the request. */
static void may_be_reset(struct origin_h2 *h, const nghttp2_frame_hd *hd)
{
	const struct origin_h2_stream *s = stream_of(h->session, hd->stream_id);

	if (s != NULL && (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0 && !s->end_sent)
		h2_guard_forgive(&h->guard, H2_FLOOD_RESET, 1, ORIGIN_H2_RESETS);
}

/* What comes in */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct origin_h2 *h = session_of(arg);

	watch_frame(h, hd);
	if (hd->type == NGHTTP2_DATA) {
		h->frame_left = hd->length;
		h->frame_padded = (hd->flags & NGHTTP2_FLAG_PADDED) != 0;
	}
	if (hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS) {
		h->worked = origin_h2_now(h);
		may_be_reset(h, hd);
	}
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct origin_h2_stream *s = stream_of(session, frame->hd.stream_id);

	if (s != NULL)
		origin_h2_begin_section(s);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct origin_h2_stream *s = stream_of(session, frame->hd.stream_id);

	/* nghttp2 looks at every byte of every field that it tells of, and a byte can stand for one
	 * of 4 KiB: what is of no use any more it is not to tell. */
	return s != NULL && origin_h2_field(s, (struct span){(const char *)name, name_len},
					    (struct span){(const char *)value, value_len})
		   ? 0
		   : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 would leave such a field out: for us the response is malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
			     const uint8_t *name, size_t name_len, const uint8_t *value,
			     size_t value_len, uint8_t flags, void *arg)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void settings_came(struct origin_h2 *h)
{
	h->has_settings = true;
	h->ops->said(h->arg);
	log_debug("%s h2 fd %d: the origin lets %u streams be open", loop_name(h->loop),
		  stream_fd(h->stream), origin_h2_streams_max(h));
	origin_h2_streams_held(h);
	origin_h2_note(h);
}

static void goaway_came(struct origin_h2 *h, const nghttp2_goaway *goaway)
{
	log_debug("%s h2 fd %d: GOAWAY, the last stream is %d: %s", loop_name(h->loop),
		  stream_fd(h->stream), goaway->last_stream_id,
		  nghttp2_http2_strerror(goaway->error_code));
	if (goaway->error_code == NGHTTP2_HTTP_1_1_REQUIRED)
		origin_h2_set_wants_h1(h);
	origin_h2_leave(h);
	origin_h2_streams_refused(h, goaway->last_stream_id);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct origin_h2 *h = session_of(arg);
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct origin_h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		s = stream_of(session, frame->hd.stream_id);
		if (s != NULL)
			origin_h2_section(s, end);
		break;
	case NGHTTP2_DATA:
		if (frame->data.padlen > 0 && frame->data.padlen == frame->hd.length && !end)
			count(h, H2_FLOOD_EMPTY, ORIGIN_H2_FRAMES);
		s = stream_of(session, frame->hd.stream_id);
		if (s != NULL && end)
			origin_h2_end_of_content(s);
		break;
	case NGHTTP2_SETTINGS:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
			settings_came(h);
		break;
	case NGHTTP2_GOAWAY:
		goaway_came(h, &frame->goaway);
		break;
	default:
		break;
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t n, void *arg)
{
	struct origin_h2 *h = session_of(arg);
	struct origin_h2_stream *s = stream_of(session, id);
	bool last;

	h->frame_left -= MIN(n, h->frame_left);
	last = h->frame_left == 0 && !h->frame_padded && (flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (s != NULL)
		origin_h2_content(s, data, n, last);
	else
		origin_h2_consume(h, n);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct origin_h2_stream *s = stream_of(session, id);

	if (s != NULL)
		origin_h2_stream_left(s, code);
	return 0;
}

/* A type that is unknown: nothing is done with it. */
static int on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
			void *arg)
{
	return NGHTTP2_ERR_CANCEL;
}

/* What goes out */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *arg)
{
	return origin_h2_write_control(session_of(arg), data, n);
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
			size_t n, nghttp2_data_source *source, void *arg)
{
	struct origin_h2_stream *s = stream_of(session, frame->hd.stream_id);

	/* Its RST_STREAM goes before its content. */
	CHECK(s != NULL);
	origin_h2_write_content(s, header, n);
	return origin_h2_write_is_full(session_of(arg)) ? NGHTTP2_ERR_PAUSE : 0;
}

/* The origin's doing: by breaking the rules it can have streams reset as well as by RST_STREAM. */
static bool is_blame(uint32_t code)
{
	return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
	       code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR;
}

static void request_frame_went(struct origin_h2 *h, const nghttp2_frame_hd *hd)
{
	struct origin_h2_stream *s = stream_of(h->session, hd->stream_id);

	if (s == NULL)
		return;
	if (!s->was_sent)
		origin_h2_open_wide(s);
	s->was_sent = true;
	if ((hd->flags & NGHTTP2_FLAG_END_STREAM) != 0)
		s->end_sent = true;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct origin_h2 *h = session_of(arg);

	switch (frame->hd.type) {
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		request_frame_went(h, &frame->hd);
		break;
	case NGHTTP2_RST_STREAM:
		if (is_blame(frame->rst_stream.error_code))
			count(h, H2_FLOOD_MADE_RESET, ORIGIN_H2_RESETS);
		break;
	case NGHTTP2_GOAWAY:
		/* nghttp2 has found a fault of the connection. */
		if (frame->goaway.error_code != NGHTTP2_NO_ERROR && !h->says_why) {
			h->says_why = true;
			h->end_reason = REASON_ORIGIN_MALFORMED;
			h->end_detail = nghttp2_http2_strerror(frame->goaway.error_code);
		}
		break;
	default:
		break;
	}
	return 0;
}

/* A request that could not be sent: the origin has never heard of it. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *arg)
{
	struct origin_h2 *h = session_of(arg);
	struct origin_h2_stream *s;
	struct origin_h2_death death = {.reason = REASON_ORIGIN_CLOSED, .unacted = true};

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = origin_h2_stream_find(h, frame->hd.stream_id);
	if (s == NULL)
		return 0;
	if (error == NGHTTP2_ERR_FRAME_SIZE_ERROR || error == NGHTTP2_ERR_HEADER_COMP)
		death = (struct origin_h2_death){.reason = REASON_LIMIT, .spoilt = true};
	death.detail = nghttp2_strerror(error);
	s->has_left = true;
	origin_h2_stream_die(s, &death);
	return 0;
}

/* The session */

static void set_callbacks(nghttp2_session_callbacks *to)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(to, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(to, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(to, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(to, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(to, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, on_data_chunk);
	nghttp2_session_callbacks_set_unpack_extension_callback(to, on_extension);
	nghttp2_session_callbacks_set_on_stream_close_callback(to, on_stream_close);
	nghttp2_session_callbacks_set_send_callback(to, on_send);
	nghttp2_session_callbacks_set_send_data_callback(to, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(to, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(to, on_frame_not_send);
}

static void set_options(nghttp2_option *option)
{
	nghttp2_option_set_no_auto_window_update(option, 1);
	/* Frames of unknown types are seen, and so counted. */
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_option_set_max_send_header_block_length(option, SECTION_MAX);
	nghttp2_option_set_max_continuations(option, CONTINUATIONS);
	nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
}

/* The first frames: our settings, and a window for all streams. */
static int greet(nghttp2_session *session)
{
	static const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, ORIGIN_H2_WINDOW_MIN},
	};
	int rv =
	    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));

	if (rv == 0)
		rv = nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
							   ORIGIN_H2_CONN_WINDOW);
	return rv;
}

nghttp2_session *origin_h2_nghttp2(struct origin_h2 *h)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		set_callbacks(callbacks);
		set_options(option);
		if (nghttp2_session_client_new2(&session, callbacks, h, option) == 0 &&
		    greet(session) != 0) {
			nghttp2_session_del(session);
			session = NULL;
		}
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}
