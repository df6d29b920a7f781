/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What nghttp2 is told of us and tells of frames: the table of its callbacks, from which everything
 * goes on to the file that deals with it. Here too is what counts as a flood. nghttp2 keeps the
 * rules of RFC 9113 on frames, streams and HPACK, and answers what breaks them. Worker's loop only.
 */
#define LOG_MODULE LOG_HTTP
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/h2/h2_internal.h"
#include "edge/node/view.h"

/* What a connection may send before the exchanges have taken it: as much as several streams.
 * Another edge's: before it was read. */
#define CONNECTION_WINDOW (1024 * 1024)
/* The largest head that an origin's limits let through. */
#define SECTION_MAX (2 * 1024 * 1024)
/* Frames that make up the largest header section that is let in, and some that are not full. */
#define CONTINUATIONS 8
#define FRAME_MAX 16384

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	if (s != NULL)
		MAGIC_CHECK(s, H2_STREAM_MAGIC);
	return s;
}

static struct edge_h2 *conn_of(void *arg)
{
	struct edge_h2 *c = arg;

	MAGIC_CHECK(c, H2_MAGIC);
	return c;
}

/* Floods */

static void count(struct edge_h2 *c, enum h2_flood kind, unsigned burst)
{
	/* An edge speaks for all its clients, and is no stranger. */
	if (!h2_guard_count(&c->guard, kind, 1, burst, h2_now(c)) && !c->conn->client.is_edge)
		h2_flooded(c, kind);
}

/* Frames that do no work, by what their headers say. */
static void watch_frame(struct edge_h2 *c, const nghttp2_frame_hd *hd)
{
	unsigned burst = h2_http(c)->h2.frames;

	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
			count(c, H2_FLOOD_EMPTY, burst);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION: /* nghttp2 bounds those of a section */
		break;
	case NGHTTP2_PRIORITY:
	case NGHTTP2_PRIORITY_UPDATE:
		count(c, H2_FLOOD_PRIORITY, burst);
		break;
	case NGHTTP2_RST_STREAM:
		count(c, H2_FLOOD_RESET, h2_http(c)->h2.resets);
		break;
	case NGHTTP2_SETTINGS:
		count(c, H2_FLOOD_SETTINGS, burst);
		break;
	case NGHTTP2_PING:
		count(c, H2_FLOOD_PING, burst);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		count(c, H2_FLOOD_WINDOW_UPDATE, burst);
		break;
	default:
		count(c, H2_FLOOD_UNKNOWN, burst);
		break;
	}
}

/* What nghttp2 lets pass, though it is a fault of the connection. */

/* RFC 9113 section 5.1.1: a stream that was passed over is closed, and must not be opened any more.
 * nghttp2 takes it for one that it has forgotten. Of what was passed over the last is remembered:
 * clients do not do this at all. */
static bool opens_passed_over(struct edge_h2 *c, int32_t id)
{
	if (id > c->highest) {
		if (id > c->highest + 2) {
			c->passed_from = c->highest + 1;
			c->passed_to = id - 1;
		}
		c->highest = id;
		return false;
	}
	return id >= c->passed_from && id <= c->passed_to;
}

static bool is_fault(struct edge_h2 *c, const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_HEADERS:
		return opens_passed_over(c, hd->stream_id);
	case NGHTTP2_PRIORITY:
		/* RFC 9113 section 6.3. */
		return hd->stream_id == 0;
	default:
		return false;
	}
}

/* What comes in */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct edge_h2 *c = conn_of(arg);

	watch_frame(c, hd);
	c->update.n = 0;
	if (is_fault(c, hd))
		h2_terminate(c, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_MALFORMED);
	return 0;
}

/* By a GOAWAY that may still be waiting to be written: the client will take it that such a request
 * was not acted upon, and send it to somebody else, whatever its method (RFC 9113 section 6.8). */
static bool comes_too_late(const struct edge_h2 *c, int32_t id)
{
	return c->leaving == H2_GONE && id > c->last;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct edge_h2 *c = conn_of(arg);
	struct h2_stream *s;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		c->in_head = stream_of(session, frame->hd.stream_id);
		return 0;
	}
	s = comes_too_late(c, frame->hd.stream_id) ? NULL : h2_stream_open(c, frame->hd.stream_id);
	if (s == NULL) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_REFUSED_STREAM);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	c->in_head = s;
	CHECK(nghttp2_session_set_stream_user_data(session, s->id, s) == 0);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);

	if (s != NULL)
		h2_request_field(s, (struct span){(const char *)name, name_len},
				 (struct span){(const char *)value, value_len});
	/* nghttp2 looks at every byte of every field that it tells of, and a byte can stand for one
	 * of 4 KiB: when the connection is over it is not to go on. */
	return s != NULL && conn_of(arg)->leaving != H2_OVER
		   ? 0
		   : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 would leave such a field out: for us the request is malformed. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
			     const uint8_t *name, size_t name_len, const uint8_t *value,
			     size_t value_len, uint8_t flags, void *arg)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void headers_are_whole(struct edge_h2 *c, struct h2_stream *s, bool end)
{
	c->in_head = NULL;
	if (s->request_side == H2_REQUEST_HEAD)
		h2_request_head(s, end);
	else if (end)
		h2_request_end(s);
}

/* Priorities, which nghttp2 heeds when it writes; but their frames it is not to see: it keeps a
 * stream that is named before it is open in a list of idle ones, does not take it off that when it
 * is opened (1.52), and so aborts at a GOAWAY, or follows a stream that is no more. */

static void set_priority(struct h2_stream *s, unsigned urgency, bool incremental)
{
	nghttp2_extpri priority = {.urgency = urgency, .inc = incremental};
	struct edge_h2 *c = s->conn;

	h2_write_set_urgency(s, urgency);
	/* From now on nghttp2 is not to heed the request's field, which it would do once we have
	 * the head. Without memory the stream is in no queue any more, and would never be written.
	 */
	if (nghttp2_is_fatal(
		nghttp2_session_change_extpri_stream_priority(c->session, s->id, &priority, 1)))
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
}

void h2_session_take_early_priority(struct h2_stream *s)
{
	for (unsigned i = 0; i < H2_EARLY_MAX; i++) {
		struct h2_early_priority *early = &s->conn->early[i];

		if (early->id == s->id) {
			early->id = 0;
			set_priority(s, early->urgency, early->incremental);
		}
	}
}

static void remember_priority(struct edge_h2 *c, struct h2_early_priority early)
{
	for (unsigned i = 0; i < H2_EARLY_MAX; i++) {
		if (c->early[i].id == early.id) {
			c->early[i] = early;
			return;
		}
	}
	c->early[c->next_early++ % H2_EARLY_MAX] = early;
}

/* RFC 9218 section 7.1. */
static void take_update(struct edge_h2 *c, const nghttp2_frame_hd *hd)
{
	const struct h2_update *update = &c->update;
	const uint8_t *id_bytes = (const uint8_t *)update->bytes;
	struct h2_early_priority said;
	struct h2_stream *s;
	struct span value;

	if (update->n < 4) {
		h2_terminate(c, NGHTTP2_FRAME_SIZE_ERROR, REASON_CLIENT_MALFORMED);
		return;
	}
	said.id = (int32_t)((id_bytes[0] & 0x7fU) << 24 | (uint32_t)id_bytes[1] << 16 |
			    (uint32_t)id_bytes[2] << 8 | id_bytes[3]);
	if (hd->stream_id != 0 || said.id % 2 == 0) {
		h2_terminate(c, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_MALFORMED);
		return;
	}
	if (update->n > sizeof(update->bytes))
		return;
	value = (struct span){update->bytes + 4, update->n - 4};
	said.urgency = (uint8_t)h2_priority_urgency(value, H2_URGENCY_DEFAULT);
	said.incremental = h2_priority_is_incremental(value);
	s = stream_of(c->session, said.id);
	if (s != NULL)
		set_priority(s, said.urgency, said.incremental);
	else if (said.id > c->highest)
		remember_priority(c, said);
}

static int on_extension_chunk(nghttp2_session *session, const nghttp2_frame_hd *hd,
			      const uint8_t *data, size_t n, void *arg)
{
	struct h2_update *update = &conn_of(arg)->update;

	if (hd->type != NGHTTP2_PRIORITY_UPDATE)
		return 0;
	if (update->n < sizeof(update->bytes))
		memcpy(update->bytes + update->n, data, MIN(n, sizeof(update->bytes) - update->n));
	update->n += n;
	return 0;
}

/* Nothing is done with frames of unknown types; but they are seen, and so counted. */
static int on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
			void *arg)
{
	if (hd->type == NGHTTP2_PRIORITY_UPDATE)
		take_update(conn_of(arg), hd);
	return NGHTTP2_ERR_CANCEL;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct edge_h2 *c = conn_of(arg);
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		s = stream_of(session, frame->hd.stream_id);
		if (s != NULL)
			headers_are_whole(c, s, end);
		break;
	case NGHTTP2_DATA:
		if (frame->data.padlen > 0 && frame->data.padlen == frame->hd.length && !end)
			count(c, H2_FLOOD_EMPTY, h2_http(c)->h2.frames);
		s = stream_of(session, frame->hd.stream_id);
		if (s != NULL && end)
			h2_request_end(s);
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && c->leaving == H2_NOTICED)
			h2_leave(c);
		break;
	default:
		break;
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t n, void *arg)
{
	struct h2_stream *s = stream_of(session, id);

	/* Another edge's clients do not wait for each other: see h2_request.c. */
	if (s == NULL || conn_of(arg)->conn->client.is_edge)
		nghttp2_session_consume_connection(session, n);
	if (s != NULL)
		h2_request_content(s, data, n);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *s = stream_of(session, id);

	if (s != NULL)
		h2_stream_closed(s, code);
	else
		h2_stream_lingers_no_more(conn_of(arg), id);
	return 0;
}

/* What goes out */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *arg)
{
	return h2_write_control(conn_of(arg), data, n);
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
			size_t n, nghttp2_data_source *source, void *arg)
{
	return h2_write_content(source->ptr, header, n);
}

/* The client's doing: by breaking the rules it can have streams reset as well as by RST_STREAM
 * (CVE-2025-8671). */
static bool is_blame(uint32_t code)
{
	return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
	       code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR ||
	       code == NGHTTP2_REFUSED_STREAM;
}

static void stream_was_reset(struct edge_h2 *c, uint32_t code)
{
	if (code == NGHTTP2_REFUSED_STREAM)
		edge_count(c->worker, EDGE_H2_STREAMS_REFUSED, 1);
	if (is_blame(code))
		count(c, H2_FLOOD_MADE_RESET, h2_http(c)->h2.resets);
}

static void end_was_sent(struct edge_h2 *c, int32_t id)
{
	struct h2_stream *s = stream_of(c->session, id);

	if (s != NULL && !s->all_here)
		h2_stream_linger(s);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct edge_h2 *c = conn_of(arg);

	switch (frame->hd.type) {
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
			end_was_sent(c, frame->hd.stream_id);
		break;
	case NGHTTP2_RST_STREAM:
		stream_was_reset(c, frame->rst_stream.error_code);
		break;
	case NGHTTP2_GOAWAY:
		/* nghttp2 has found a fault of the connection. */
		if (frame->goaway.error_code != NGHTTP2_NO_ERROR && c->leaving != H2_OVER) {
			c->leaving = H2_OVER;
			c->end_reason = REASON_CLIENT_MALFORMED;
		}
		break;
	default:
		break;
	}
	return 0;
}

/* A response that cannot be sent: it is too large, say. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *arg)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_HEADERS && s != NULL)
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, REASON_LIMIT);
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
	nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(to, on_extension_chunk);
	nghttp2_session_callbacks_set_unpack_extension_callback(to, on_extension);
	nghttp2_session_callbacks_set_on_stream_close_callback(to, on_stream_close);
	nghttp2_session_callbacks_set_send_callback(to, on_send);
	nghttp2_session_callbacks_set_send_data_callback(to, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(to, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(to, on_frame_not_send);
}

static void set_options(const struct edge_h2 *c, nghttp2_option *option)
{
	const struct edge_view *view = edge_view_current(&c->worker->common->views);
	size_t head_frames = view->limits.head_bytes / FRAME_MAX;

	nghttp2_option_set_no_auto_window_update(option, 1);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_option_set_max_send_header_block_length(option, SECTION_MAX);
	nghttp2_option_set_max_continuations(option, head_frames + CONTINUATIONS);
	/* Our own counts come first: those of PING and SETTINGS, which are answered, and of resets.
	 */
	nghttp2_option_set_max_outbound_ack(option, 2 * h2_http(c)->h2.frames);
	nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
}

/* The first frames: our settings, and a window for uploads. */
static int greet(const struct edge_h2 *c, nghttp2_session *session)
{
	const struct edge_view *view = edge_view_current(&c->worker->common->views);
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2_http(c)->h2.streams},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)view->limits.head_bytes},
	    {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	int rv =
	    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));

	if (rv == 0)
		rv = nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
							   CONNECTION_WINDOW);
	return rv;
}

nghttp2_session *h2_session_create(struct edge_h2 *c)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		h2_memory_init(c);
		set_callbacks(callbacks);
		set_options(c, option);
		if (nghttp2_session_server_new3(&session, callbacks, c, option, &c->memory) == 0 &&
		    greet(c, session) != 0) {
			nghttp2_session_del(session);
			session = NULL;
		}
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}
