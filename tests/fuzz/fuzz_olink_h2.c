/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes an HTTP/2 session with an origin: frames, sound or not, into the whole of it over a real
 * socket, and requests over it that are sent, granted and closed as the bytes say, at any moment.
 * nghttp2 and the stream are the real ones.
 *
 * What must hold: what is told is in order and no more than was granted, exactly one end is told of
 * each, what comes out is a row of whole frames of a lawful size, what is kept is counted, and is
 * told once it is granted; at the end nothing is left over. Time does not go by, but what silence
 * would do may be done at any moment.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/h2/h2_internal.h"
#include "tests/support/flow_chain.h"

#define FRAME_MAX 16384
#define HEADER 9
#define ASKS 6

static struct {
	struct loop_group *group;
	struct stream_buffers *buffers;
} program;

struct ask {
	struct origin_h2_stream stream;
	struct arena arena;
	struct http_head head;
	struct http_fields trailers;
	struct http_field trailer;
	bool in_use, sending, waits;
	bool has_head, over;
	size_t granted;
};

/* One input's. */
static struct {
	struct decisions d;
	struct origin_h2 *h2;
	struct ask asks[ASKS];
	unsigned depth;
	int origin; /* the other end of the connection's socket */
	bool greeted;
	uint8_t out[HEADER];
	size_t have, skip; /* of a frame's header; of its content, still to come */
} play;

static const struct h1_limits limits = {.head_bytes = 2048, .fields = 8};

/* The requests */

static void act_ask(struct ask *a);

/* Anything may be done inside what is told. */
static void told(struct ask *a)
{
	if (play.depth == 3)
		return;
	play.depth++;
	while (decide(&play.d, 4) == 3)
		act_ask(decide(&play.d, 2) ? a : &play.asks[decide(&play.d, ASKS)]);
	play.depth--;
}

static struct ask *ask_of(struct origin_h2_stream *s)
{
	struct ask *a = CONTAINER_OF(s, struct ask, stream);

	CHECK(a->in_use && !a->over);
	return a;
}

static void head_cb(struct origin_h2_stream *s, struct http_head *head, bool end)
{
	struct ask *a = ask_of(s);

	CHECK(!a->has_head);
	CHECK(head->status >= 100 && head->status != 101);
	CHECK(head->status >= 200 || !end);
	CHECK(head->fields.n <= limits.fields);
	a->has_head = head->status >= 200;
	a->over = end;
	told(a);
}

static void content_cb(struct origin_h2_stream *s, struct slice slice, bool end)
{
	struct ask *a = ask_of(s);

	CHECK(a->has_head && slice.n <= a->granted && (slice.n > 0 || end));
	a->granted -= slice.n;
	a->over = end;
	told(a);
}

static void trailers_cb(struct origin_h2_stream *s, struct http_fields *trailers)
{
	struct ask *a = ask_of(s);

	CHECK(a->has_head && trailers->n > 0 && trailers->n <= limits.fields);
	a->over = true;
	told(a);
}

static void drained_cb(struct origin_h2_stream *s)
{
	struct ask *a = CONTAINER_OF(s, struct ask, stream);

	CHECK(a->in_use && a->waits);
	a->waits = false;
	told(a);
}

static void died_cb(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	struct ask *a = ask_of(s);

	CHECK(death->reason != REASON_NONE);
	CHECK(!death->unacted || !a->has_head);
	a->over = true;
	told(a);
}

static const struct origin_h2_stream_ops stream_ops = {
    .head = head_cb,
    .content = content_cb,
    .trailers = trailers_cb,
    .drained = drained_cb,
    .died = died_cb,
};

static void ask_open(struct ask *a)
{
	static const struct span methods[] = {SPAN("GET"), SPAN("POST"), SPAN("HEAD"), SPAN("PUT")};
	unsigned which = decide(&play.d, ARRAY_SIZE(methods));
	struct origin_h2_order order = {.head = &a->head, .arena = &a->arena, .limits = &limits};

	*a = (struct ask){.in_use = true};
	arena_init(&a->arena, 64 * 1024);
	http_head_init(&a->head, &a->arena);
	a->head.method = methods[which];
	a->head.method_id = http_method_find(methods[which]);
	a->head.target = SPAN("/");
	a->head.authority = SPAN("a");
	order.connect = decide(&play.d, 8) == 7;
	if (which == 1 || which == 3 || order.connect)
		a->head.framing = order.connect ? HTTP_FRAMING_TUNNEL : HTTP_FRAMING_CHUNKED;
	order.end = a->head.framing == HTTP_FRAMING_NONE;
	a->sending = !order.end;
	http_fields_add(&a->head.fields, &a->arena, SPAN("Cookie"), SPAN("secret"));
	origin_h2_stream_init(&a->stream, &stream_ops);
	CHECK(origin_h2_stream_open(play.h2, &a->stream, &order));
}

static void ask_close(struct ask *a)
{
	origin_h2_stream_close(&a->stream);
	CHECK(!origin_h2_stream_is_open(&a->stream));
	origin_h2_stream_close(&a->stream);
	arena_fini(&a->arena);
	a->in_use = false;
}

static void ask_send(struct ask *a)
{
	static const char bytes[20000];
	size_t n = decide_size(&play.d);
	bool end = decide(&play.d, 4) == 3;

	if (!a->sending || a->waits)
		return;
	n = MIN(n, sizeof(bytes));
	a->sending = !end;
	a->waits =
	    !origin_h2_stream_send(&a->stream, (struct slice){.p = bytes, .n = MAX(n, !end)}, end);
	if (!end && decide(&play.d, 8) == 7) {
		a->trailer = (struct http_field){SPAN("X-End"), SPAN("1")};
		a->trailers = (struct http_fields){&a->trailer, 1, 1};
		origin_h2_stream_send_trailers(&a->stream, &a->trailers);
		a->sending = false;
	}
}

static void act_ask(struct ask *a)
{
	unsigned what = decide(&play.d, 8);

	if (!a->in_use) {
		if (play.h2 && what < 4 && origin_h2_room(play.h2) > 0)
			ask_open(a);
	} else if (what == 0 || (a->over && what < 6)) {
		ask_close(a);
	} else if (what < 4) {
		ask_send(a);
	} else {
		size_t n = decide_size(&play.d);

		a->granted += n;
		origin_h2_stream_grant(&a->stream, n);
	}
}

/* The session */

static void changed_cb(void *arg)
{
}

static const struct origin_h2_ops ops = {.changed = changed_cb, .said = changed_cb};

static void check_kept(void)
{
	const struct origin_h2_stream *s;
	size_t kept = 0, wide = 0;
	unsigned n = 0;

	TAILQ_FOREACH (s, &play.h2->streams, link) {
		kept += s->in.bytes;
		wide += s->window.size - ORIGIN_H2_WINDOW_MIN;
		n++;
		CHECK(s->in.bytes == 0 || s->credit == 0 || s->is_ready);
		CHECK(s->response < ORIGIN_H2_TOLD || s->in.bytes == 0);
	}
	CHECK(play.h2->wide == wide && play.h2->n_streams == n);
	CHECK(wide <= ORIGIN_H2_WIDE_MAX && kept <= wide + n * ORIGIN_H2_WINDOW_MIN);
}

static void turn(void)
{
	loop_stop_mt(program.group->control);
	loop_run(program.group->control);
	check_kept();
}

/* The origin */

static void send_bytes(const void *data, size_t n)
{
	/* What does not fit is lost: then the bytes are no frames, and that is as good. */
	if (play.origin >= 0)
		(void)!send(play.origin, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_out(const uint8_t *p, size_t n)
{
	const size_t preface = 24;

	if (!play.greeted && n > 0) {
		CHECK(n >= preface && memcmp(p, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", preface) == 0);
		play.greeted = true;
		p += preface;
		n -= preface;
	}
	while (n > 0) {
		size_t step = MIN(n, play.skip > 0 ? play.skip : HEADER - play.have);

		if (play.skip > 0) {
			play.skip -= step;
		} else {
			memcpy(play.out + play.have, p, step);
			play.have += step;
		}
		p += step;
		n -= step;
		if (play.have < HEADER)
			continue;
		play.have = 0;
		play.skip = (size_t)play.out[0] << 16 | (size_t)play.out[1] << 8 | play.out[2];
		CHECK(play.skip <= FRAME_MAX);
		CHECK(play.out[3] <= 9 && play.out[3] != 5);
	}
}

static void receive(size_t most)
{
	uint8_t buf[65536];
	ssize_t n;

	if (play.origin < 0)
		return;
	n = recv(play.origin, buf, MIN(MAX(most, 24), sizeof(buf)), MSG_DONTWAIT);
	if (n > 0)
		take_out(buf, (size_t)n);
}

static void send_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t n)
{
	uint8_t frame[HEADER + FRAME_MAX] = {
	    0,
	    (uint8_t)(n >> 8),
	    (uint8_t)n,
	    type,
	    flags,
	    (uint8_t)(stream >> 24),
	    (uint8_t)(stream >> 16),
	    (uint8_t)(stream >> 8),
	    (uint8_t)stream,
	};

	CHECK(n <= FRAME_MAX);
	if (n > 0)
		memcpy(frame + HEADER, data, n);
	send_bytes(frame, HEADER + n);
}

/* Sound responses and others, in HPACK without a dynamic table. */
static void send_head(uint32_t stream)
{
	static const struct {
		const char *block;
		size_t n;
	} heads[] = {
#define BLOCK(text) {text, sizeof(text) - 1}
	    BLOCK("\x88"), /* 200 */
	    BLOCK("\x89"), /* 204 */
	    BLOCK("\x88\x0f\x0d\x01"
		  "5"), /* with a length */
	    BLOCK("\x08\x03"
		  "100"),
	    BLOCK("\x08\x03"
		  "103\x00\x04link\x04</a>"),
	    BLOCK("\x08\x03"
		  "101"),
	    BLOCK("\x8b"), /* 304 */
	    BLOCK("\x00\x0bgrpc-status\x01"
		  "0"),
	    BLOCK("\x88\x00\x0a"
		  "connection\x05"
		  "close"),
	    BLOCK("\x88\x0f\x0d\x01"
		  "5\x0f\x0d\x01"
		  "5"),
#undef BLOCK
	};
	unsigned which = decide(&play.d, ARRAY_SIZE(heads));

	send_frame(1, 4 | (decide(&play.d, 2) ? 1 : 0), stream, heads[which].block, heads[which].n);
}

static void act_origin(void)
{
	static const uint8_t content[FRAME_MAX];
	struct decisions *d = &play.d;
	uint32_t stream = 2 * decide(d, 16) + 1;
	unsigned what = decide(d, 18), flags = decide(d, 2);
	size_t n = decide(d, 64), size;
	uint8_t kind;

	n = MIN(n, (size_t)(d->end - d->next));
	switch (what) {
	case 0:
	case 1:
	case 2:
	case 3:
		send_head(stream);
		break;
	case 4:
	case 5:
	case 6:
		size = decide_size(d);
		send_frame(0, (uint8_t)flags, stream, content, MIN(size, sizeof(content)));
		break;
	case 7: /* WINDOW_UPDATE */
		send_frame(8, 0, decide(d, 2) ? stream : 0, (uint8_t[]){0, 1, (uint8_t)n, 1}, 4);
		break;
	case 8: /* RST_STREAM */
		send_frame(3, 0, stream, (uint8_t[]){0, 0, 0, (uint8_t)decide(d, 14)}, 4);
		break;
	case 9: /* a frame of any kind and content */
		kind = (uint8_t)decide(d, 20);
		flags = decide(d, 256);
		stream = decide(d, 4) ? stream : 0;
		n = MIN(n, (size_t)(d->end - d->next));
		send_frame(kind, (uint8_t)flags, stream, d->next, n);
		d->next += n;
		break;
	case 10: /* anything */
		send_bytes(d->next, n);
		d->next += n;
		break;
	case 11: /* SETTINGS: the initial window, small or large; or the streams that may be open */
		send_frame(4, 0, 0,
			   (uint8_t[]){0, flags ? 4 : 3, 0, 0, flags ? (uint8_t)n : 0, (uint8_t)n},
			   6);
		break;
	case 12: /* GOAWAY */
		if (decide(d, 4) == 0)
			send_frame(7, 0, 0, (uint8_t[]){0, 0, 0, (uint8_t)stream, 0, 0, 0, 0}, 8);
		break;
	case 13:
		if (play.origin >= 0 && decide(d, 8) == 0) {
			close(play.origin);
			play.origin = -1;
		}
		break;
	default:
		receive(decide_size(d) * 8 + 1);
		break;
	}
}

/* What silence does. */
static void act_time(void)
{
	struct origin_h2 *h = play.h2;
	const duration long_time = DUR_S(400);

	if (h->state == ORIGIN_H2_OVER)
		return;
	h->heard.ns -= long_time.ns;
	h->worked.ns -= long_time.ns;
	h->asked.ns -= h->asked.ns != 0 ? long_time.ns : 0;
	deadline_clear(&h->quiet);
	h->quiet.fire(&h->quiet);
}

static void act_owner(void)
{
	unsigned what = decide(&play.d, 8);

	if (what < 4)
		act_time();
	else if (what == 4)
		origin_h2_leave(play.h2);
	else if (what == 5)
		origin_h2_vanished(play.h2, "gone");
}

static void begin(void)
{
	const int little = 4096;
	struct stream *stream;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	/* Some origins take little before what is written has to wait. */
	if (decide(&play.d, 2))
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	play.origin = fds[1];
	stream = stream_create(program.buffers, fds[0], NULL, NULL);
	CHECK(stream);
	play.h2 = origin_h2_create(program.buffers, stream, SPAN("https"), DUR_S(5), &ops, NULL);
	CHECK(play.h2);
	turn();
	if (decide(&play.d, 16) != 15)
		send_frame(4, 0, 0, NULL, 0);
}

/* What is open is closed, from whatever state. */
static void end(void)
{
	turn();
	for (unsigned i = 0; i < ASKS; i++) {
		if (play.asks[i].in_use)
			ask_close(&play.asks[i]);
	}
	CHECK(play.h2->wide == 0 && TAILQ_EMPTY(&play.h2->ready));
	if (decide(&play.d, 2))
		turn();
	origin_h2_destroy(&play.h2);
	if (play.origin >= 0)
		close(play.origin);
	for (int i = 0; i < 1000 && stream_closing_is_owed(program.buffers); i++) {
		loop_stop_mt(program.group->control);
		loop_run(program.group->control);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (program.group == NULL) {
		log_set_level(LOG_LEVEL_ERROR);
		program.group = loop_group_create(0);
		program.buffers = stream_buffers_create(program.group->control);
	}
	memset(&play, 0, sizeof(play));
	play.d = (struct decisions){data, data + size};
	begin();
	while (play.d.next < play.d.end) {
		unsigned what = decide(&play.d, 8);

		if (what < 4)
			act_origin();
		else if (what < 6)
			act_ask(&play.asks[decide(&play.d, ASKS)]);
		else if (what == 6 && decide(&play.d, 4) == 3)
			act_owner();
		else
			turn();
	}
	end();
	return 0;
}
