/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A session with an origin: its life, the way of bytes between its stream and nghttp2, and what is
 * done when the origin is silent. One loop. It owns the stream and nghttp2's session, and refers to
 * the streams of its users, who own those.
 *
 * Every end goes through origin_h2_end(); the streams are told at the end of the turn, the owner
 * after them.
 */
#define LOG_MODULE LOG_POOL
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/h2/h2_internal.h"

/* After so much silence the origin is asked by a PING whether it is there: as soon as the kernel
 * asks (KEEP_ALIVE_IDLE in connector.c), but this finds a program that hangs too. */
#define QUIET DUR_S(10)
/* Who is there answers at once, whatever its requests take; with three losses on a long way that is
 * 5 s. */
#define ANSWERS_WITHIN DUR_S(10)
/* A gRPC server ends a connection after three PINGs that come within 5 minutes of each other while
 * it has nothing to say. So when it goes on being silent it is asked again only after that. */
#define ASKED_AGAIN DUR_S(310)
/* Frames that wait to be written, beside the heads of requests: while the origin does not take
 * them, nothing more is read that would lead to others. */
#define UNSENT_FRAMES_MAX 256
/* What the origin may take to read our last words. */
#define LINGER DUR_S(1)

mono_time origin_h2_now(const struct origin_h2 *h)
{
	return loop_now(h->loop);
}

void origin_h2_defer(struct origin_h2 *h)
{
	loop_defer(h->loop, &h->turn);
}

void origin_h2_note(struct origin_h2 *h)
{
	h->changed = true;
	origin_h2_defer(h);
}

/* All zero for a socket that is not TCP's, or has failed. */
static struct tcp_info tcp_info_of(const struct origin_h2 *h)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(stream_fd(h->stream), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return (struct tcp_info){0};
	return info;
}

duration origin_h2_rtt(const struct origin_h2 *h)
{
	return DUR_NS((int64_t)tcp_info_of(h).tcpi_rtt * 1000);
}

uint64_t origin_h2_acked(const struct origin_h2 *h)
{
	return tcp_info_of(h).tcpi_bytes_acked;
}

/* States */

static const char *state_text(enum origin_h2_state state)
{
	static const char *const texts[] = {
	    [ORIGIN_H2_OPEN] = "open",
	    [ORIGIN_H2_LEAVING] = "leaving",
	    [ORIGIN_H2_OVER] = "over",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void set_state(struct origin_h2 *h, enum origin_h2_state state)
{
	if (h->state == state)
		return;
	log_debug("%s h2 fd %d: %s, now %s, %u streams", loop_name(h->loop), stream_fd(h->stream),
		  state_text(h->state), state_text(state), h->n_streams);
	h->state = state;
	origin_h2_note(h);
}

void origin_h2_end(struct origin_h2 *h, enum reason reason, const char *detail)
{
	if (h->state == ORIGIN_H2_OVER)
		return;
	h->end_reason = reason;
	h->end_detail = detail;
	deadline_clear(&h->quiet);
	deadline_clear(&h->look);
	set_state(h, ORIGIN_H2_OVER);
	log_debug("%s h2 fd %d: %s%s%s", loop_name(h->loop), stream_fd(h->stream),
		  reason_text(reason), detail ? ": " : "", detail ? detail : "");
	origin_h2_streams_end(h);
}

void origin_h2_terminate(struct origin_h2 *h, uint32_t code, enum reason reason, const char *detail)
{
	if (h->state == ORIGIN_H2_OVER || h->says_why)
		return;
	h->says_why = true;
	h->end_reason = reason;
	h->end_detail = detail;
	if (nghttp2_session_terminate_session(h->session, code) != 0)
		origin_h2_end(h, REASON_LIMIT, NULL);
	origin_h2_defer(h);
}

void origin_h2_flooded(struct origin_h2 *h, enum h2_flood kind)
{
	log_debug("%s h2 fd %d: a flood (%s)", loop_name(h->loop), stream_fd(h->stream),
		  h2_flood_text(kind));
	origin_h2_terminate(h, NGHTTP2_ENHANCE_YOUR_CALM, REASON_ORIGIN_MALFORMED,
			    "a flood of HTTP/2 frames");
}

void origin_h2_leave(struct origin_h2 *h)
{
	if (h->state == ORIGIN_H2_OPEN)
		set_state(h, ORIGIN_H2_LEAVING);
}

void origin_h2_vanished(struct origin_h2 *h, const char *detail)
{
	h->vanished = true;
	origin_h2_end(h, REASON_ORIGIN_CONNECT_TIMEOUT, detail);
}

/* Bytes */

/* What the fault of the connection is called. */
static enum reason reason_of(enum stream_fault fault)
{
	switch (fault) {
	case STREAM_FAULT_NONE:
	case STREAM_FAULT_CLOSED:
		return REASON_ORIGIN_CLOSED;
	case STREAM_FAULT_RESET:
	case STREAM_FAULT_MALFORMED:
	case STREAM_FAULT_HANDSHAKE:
	case STREAM_FAULT_CERTIFICATE:
		return REASON_ORIGIN_RESET;
	case STREAM_FAULT_TIMED_OUT:
		return REASON_ORIGIN_HEAD_TIMEOUT;
	case STREAM_FAULT_STALLED:
		return REASON_ORIGIN_STALLED;
	case STREAM_FAULT_NO_MEMORY:
		break;
	}
	return REASON_LIMIT;
}

static void broken(struct origin_h2 *h)
{
	enum stream_fault fault = stream_fault(h->stream);

	origin_h2_end(h, reason_of(fault),
		      fault != STREAM_FAULT_NONE ? stream_fault_detail(h->stream) : NULL);
}

static void fed(struct origin_h2 *h, ssize_t rv)
{
	switch (rv) {
	case NGHTTP2_ERR_FLOODED:
		origin_h2_flooded(h, H2_FLOOD_PING);
		break;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		origin_h2_flooded(h, H2_FLOOD_CONTINUATION);
		break;
	case NGHTTP2_ERR_NOMEM:
		origin_h2_end(h, REASON_LIMIT, NULL);
		break;
	default:
		origin_h2_end(h, REASON_ORIGIN_MALFORMED, nghttp2_strerror((int)rv));
		break;
	}
}

static void feed(struct origin_h2 *h, const char *bytes, size_t n)
{
	ssize_t rv;

	h->feeding = true;
	rv = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, n);
	h->feeding = false;
	if (rv < 0)
		fed(h, rv);
}

static bool wants_bytes(const struct origin_h2 *h)
{
	if (h->state == ORIGIN_H2_OVER || h->says_why)
		return false;
	return !h->write_waits || nghttp2_session_get_outbound_queue_size(h->session) <=
				      UNSENT_FRAMES_MAX + h->n_streams;
}

/* Reads once; false when there is nothing more for now. */
static bool read_once(struct origin_h2 *h)
{
	char *buf = h->buffers->plain;
	ssize_t n = stream_read(h->stream, buf, STREAM_READ_MAX);

	if (n == STREAM_AGAIN)
		return false;
	if (n <= 0) {
		broken(h);
		return false;
	}
	h->heard = origin_h2_now(h);
	feed(h, buf, (size_t)n);
	return true;
}

static void on_readable(void *arg)
{
	struct origin_h2 *h = arg;

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	while (wants_bytes(h) && read_once(h))
		;
	origin_h2_defer(h);
}

static void on_drained(void *arg)
{
	struct origin_h2 *h = arg;

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	h->write_waits = false;
	origin_h2_defer(h);
}

/* What the origin has sent before is still there to be read. */
static void on_failed(void *arg)
{
	struct origin_h2 *h = arg;
	enum stream_fault fault;

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	fault = stream_fault(h->stream);
	h->write_waits = true;
	if (fault != STREAM_FAULT_STALLED && fault != STREAM_FAULT_NO_MEMORY) {
		while (wants_bytes(h) && read_once(h))
			;
	}
	if (h->state != ORIGIN_H2_OVER)
		broken(h);
}

static const struct stream_ops stream_ops = {
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

static void update_reading(struct origin_h2 *h)
{
	bool wanted = wants_bytes(h);

	if (h->reading == wanted || h->state == ORIGIN_H2_OVER)
		return;
	h->reading = wanted;
	if (wanted)
		stream_resume(h->stream);
	else
		stream_pause(h->stream);
}

/* Silence */

static duration left_of(duration whole, mono_time since, mono_time now)
{
	return DUR_NS(MAX(whole.ns - mono_since(now, since).ns, 0));
}

/* Nothing but PINGs has come since the last one of ours: it is not to be asked too often. */
static duration left_until_asked(const struct origin_h2 *h, mono_time now)
{
	duration left = left_of(QUIET, h->heard, now);

	if (h->asked.ns != 0 && h->worked.ns <= h->asked.ns)
		left.ns = MAX(left.ns, left_of(ASKED_AGAIN, h->asked, now).ns);
	return left;
}

static void ask(struct origin_h2 *h, mono_time now)
{
	static const uint8_t opaque[8] = "present?";

	if (nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, opaque) != 0) {
		origin_h2_end(h, REASON_LIMIT, NULL);
		return;
	}
	h->asked = now;
	h->awaits_word = true;
	deadline_set(&h->quiet, ANSWERS_WITHIN);
	origin_h2_defer(h);
}

/* The PING has got there, and requests are under way: a program that does one thing at a time is
 * about one of them. How long that may take their own limits say; others are better off elsewhere.
 */
static bool may_be_busy(const struct origin_h2 *h)
{
	struct tcp_info info = tcp_info_of(h);

	return h->n_streams > 0 && info.tcpi_unacked == 0;
}

static void on_quiet(struct deadline *deadline)
{
	struct origin_h2 *h = CONTAINER_OF(deadline, struct origin_h2, quiet);
	mono_time now = origin_h2_now(h);
	duration left;

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	/* Any word will do; and what is not read cannot be heard. */
	if (h->heard.ns >= h->asked.ns || !h->reading)
		h->awaits_word = false;
	if (h->awaits_word && may_be_busy(h)) {
		origin_h2_leave(h);
		deadline_set(&h->quiet, ANSWERS_WITHIN);
		return;
	}
	if (h->awaits_word) {
		origin_h2_vanished(h, "it does not answer a PING");
		return;
	}
	left = left_until_asked(h, now);
	if (left.ns > 0 || !h->reading)
		deadline_set(&h->quiet, left.ns > 0 ? left : QUIET);
	else
		ask(h, now);
}

/* A server that has vanished from the network */

/* Below it a lost segment that is sent again (200 ms, Linux's TCP_RTO_MIN) or a delayed
 * acknowledgement would look like that. */
#define LOOK_MIN DUR_MS(250)

static duration patience_of(const struct origin_h2 *h)
{
	return DUR_NS(MAX(h->patience.ns, LOOK_MIN.ns));
}

void origin_h2_watch(struct origin_h2 *h)
{
	if (h->look.at.ns != 0)
		return;
	h->moved = origin_h2_now(h);
	deadline_set(&h->look, patience_of(h));
}

static bool is_word_awaited(const struct origin_h2 *h)
{
	const struct origin_h2_stream *s;

	TAILQ_FOREACH (s, &h->streams, link) {
		if (s->response == ORIGIN_H2_AWAITS)
			return true;
	}
	return false;
}

/* Something was sent, and sent again, and neither it nor anything else was acknowledged for as long
 * as a server may take to accept a connection. */
static void on_look(struct deadline *deadline)
{
	struct origin_h2 *h = CONTAINER_OF(deadline, struct origin_h2, look);
	mono_time now = origin_h2_now(h);
	struct tcp_info info = tcp_info_of(h);
	duration patience = patience_of(h);

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	if (info.tcpi_bytes_acked != h->acked || info.tcpi_unacked == 0)
		h->moved = now;
	h->acked = info.tcpi_bytes_acked;
	if (info.tcpi_retransmits > 0 && mono_since(now, h->moved).ns >= patience.ns &&
	    DUR_MS(info.tcpi_last_ack_recv).ns >= patience.ns)
		origin_h2_vanished(h, "it does not acknowledge what was sent");
	else if (is_word_awaited(h))
		deadline_set(&h->look, DUR_NS(MAX(patience.ns / 4, LOOK_MIN.ns)));
}

/* The end of a turn */

static void tell_ready(struct origin_h2 *h)
{
	struct origin_h2_stream *s;

	while ((s = TAILQ_FIRST(&h->ready)) != NULL) {
		TAILQ_REMOVE(&h->ready, s, ready_link);
		s->is_ready = false;
		origin_h2_stream_tell(s);
	}
}

/* Ids have run out, or one of the sides has said that there are to be no more streams. */
static void check_leaving(struct origin_h2 *h)
{
	if (h->state == ORIGIN_H2_OPEN && !nghttp2_session_check_request_allowed(h->session))
		origin_h2_leave(h);
}

static bool has_ended(const struct origin_h2 *h)
{
	return h->says_why ||
	       (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session));
}

static void on_turn(struct loop_task *task)
{
	struct origin_h2 *h = CONTAINER_OF(task, struct origin_h2, turn);

	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	tell_ready(h);
	origin_h2_write(h);
	check_leaving(h);
	if (h->state != ORIGIN_H2_OVER && has_ended(h)) {
		if (h->says_why)
			origin_h2_write_last(h);
		origin_h2_end(h, h->says_why ? h->end_reason : REASON_ORIGIN_CLOSED, h->end_detail);
	}
	tell_ready(h);
	update_reading(h);
	if (!h->changed)
		return;
	h->changed = false;
	h->ops->changed(h->arg);
}

/* Life */

struct origin_h2 *origin_h2_create(struct stream_buffers *b, struct stream *stream,
				   struct span scheme, duration patience,
				   const struct origin_h2_ops *ops, void *arg)
{
	struct origin_h2 *h = calloc(1, sizeof(*h));

	LOOP_ASSERT_OWNER(b->loop);
	if (h == NULL) {
		stream_destroy(&stream);
		return NULL;
	}
	h->magic = ORIGIN_H2_MAGIC;
	h->loop = b->loop;
	h->buffers = b;
	h->stream = stream;
	h->scheme = scheme;
	h->patience = patience;
	h->ops = ops;
	h->arg = arg;
	h->reading = true;
	h->turn.run = on_turn;
	h->heard = origin_h2_now(h);
	TAILQ_INIT(&h->streams);
	TAILQ_INIT(&h->ready);
	h2_window_init(&h->window, ORIGIN_H2_CONN_WINDOW, h->heard);
	h->first_window =
	    h2_window_first(origin_h2_rtt(h), ORIGIN_H2_WINDOW_MIN, ORIGIN_H2_WINDOW_FIRST);
	deadline_init(&h->quiet, h->loop, on_quiet);
	deadline_init(&h->look, h->loop, on_look);
	h->session = origin_h2_nghttp2(h);
	if (h->session == NULL) {
		h->state = ORIGIN_H2_OVER;
		origin_h2_destroy(&h);
		return NULL;
	}
	stream_hand_over(stream, &stream_ops, h);
	deadline_set(&h->quiet, QUIET);
	origin_h2_defer(h);
	return h;
}

void origin_h2_destroy(struct origin_h2 **hp)
{
	struct origin_h2 *h = TAKE(hp);

	if (h == NULL)
		return;
	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	LOOP_ASSERT_OWNER(h->loop);
	CHECK(h->n_streams == 0);
	if (h->state != ORIGIN_H2_OVER && !h->says_why &&
	    nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR) == 0)
		origin_h2_write_last(h);
	h->state = ORIGIN_H2_OVER;
	nghttp2_session_del(h->session);
	loop_task_cancel(h->loop, &h->turn);
	deadline_fini(&h->quiet);
	deadline_fini(&h->look);
	if (stream_fault(h->stream) == STREAM_FAULT_NONE && !h->vanished)
		stream_close(&h->stream, LINGER);
	else
		stream_destroy(&h->stream);
	h->magic = MAGIC_DEAD;
	free(h);
}

/* What is known of it */

unsigned origin_h2_streams_max(const struct origin_h2 *h)
{
	uint32_t theirs = nghttp2_session_get_remote_settings(
	    h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return MIN(theirs, ORIGIN_H2_STREAMS_MAX);
}

unsigned origin_h2_streams(const struct origin_h2 *h)
{
	return h->n_streams;
}

unsigned origin_h2_room(const struct origin_h2 *h)
{
	unsigned max = origin_h2_streams_max(h);

	return h->state == ORIGIN_H2_OPEN && !h->says_why && h->n_streams < max ? max - h->n_streams
										: 0;
}

bool origin_h2_is_leaving(const struct origin_h2 *h)
{
	return h->state != ORIGIN_H2_OPEN || h->says_why;
}

bool origin_h2_is_over(const struct origin_h2 *h)
{
	return h->state == ORIGIN_H2_OVER;
}

bool origin_h2_takes_connect(const struct origin_h2 *h)
{
	return h->has_settings && nghttp2_session_get_remote_settings(
				      h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool origin_h2_has_settings(const struct origin_h2 *h)
{
	return h->has_settings;
}

void origin_h2_set_wants_h1(struct origin_h2 *h)
{
	h->wants_h1 = true;
	h->ops->said(h->arg);
	origin_h2_note(h);
}

bool origin_h2_wants_h1(const struct origin_h2 *h)
{
	return h->wants_h1;
}

struct stream *origin_h2_bytes(const struct origin_h2 *h)
{
	return h->stream;
}
