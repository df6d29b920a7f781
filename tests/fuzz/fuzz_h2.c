/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes an HTTP/2 client connection: frames, sound or not, into the whole of it over a real
 * socket, and exchanges behind it that push, grant, reset and stop as the bytes say. Those stand in
 * for edge/exchange, and what else of the edge it needs; nghttp2 and the stream are the real ones.
 *
 * What must hold: the rules of core/http/flow.h (each exchange CHECKs them), what comes out is a
 * row of whole frames of a lawful size, no content is kept that could go on, and at the end nothing
 * is left over: no exchange, no slice, no bytes that are held. Time does not go by, but what it
 * would do may be done at any moment.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/crypto.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/conn/conn.h"
#include "edge/exchange/exchange.h"
#include "edge/h2/h2.h"
#include "edge/h2/h2_internal.h"
#include "edge/node/view.h"
#include "tests/support/flow_chain.h"
#include "tests/support/flow_party.h"

#define FRAME_MAX 16384
#define HEADER 9

/* The program, as it would be; made once. */
static struct {
	struct loop_group *group;
	struct cfg_fleet fleet;
	struct edge_view view;
	struct edge_common common;
	struct edge_worker worker;
} program;

/* One input's. */
static struct {
	struct decisions d;
	struct edge_exchange *exchanges;
	unsigned n_exchanges, depth;
	struct edge_conn conn;
	bool ended;
	int client; /* the other end of the connection's socket */
	uint8_t out[HEADER];
	size_t have, skip; /* of a frame's header; of its content, still to come */
} play;

/* In the place of edge/exchange */

struct edge_exchange {
	struct edge_exchange *next;
	struct arena arena;
	struct http_head head, response, informational;
	struct flow_ends ends;
	struct party party;
	bool response_end;
};

static void act_exchange(void);

static void pushed(struct party *p)
{
	if (play.depth == 3)
		return;
	play.depth++;
	while (decide(&play.d, 3) == 2)
		act_exchange();
	play.depth--;
}

static void choose_response(struct edge_exchange *x)
{
	static const enum http_framing framings[] = {HTTP_FRAMING_NONE, HTTP_FRAMING_LENGTH,
						     HTTP_FRAMING_CHUNKED, HTTP_FRAMING_CLOSE};
	struct http_head *head = &x->response;

	http_head_init(head, &x->arena);
	head->status = 200;
	head->framing = framings[decide(&play.d, ARRAY_SIZE(framings))];
	if (head->framing == HTTP_FRAMING_LENGTH) {
		head->content_length = decide_size(&play.d);
		x->party.sent_max = head->content_length;
	}
	x->response_end = head->framing == HTTP_FRAMING_NONE;
	http_fields_add(&head->fields, &x->arena, SPAN("Content-Type"), SPAN("text/plain"));
	http_head_init(&x->informational, &x->arena);
	x->informational.status = decide(&play.d, 2) ? 100 : 103;
}

struct edge_exchange *edge_exchange_open(struct edge_worker *worker, struct edge_client *client,
					 struct flow_ends ends, struct flow_leg *leg)
{
	struct edge_exchange *x = xcalloc(1, sizeof(*x));

	arena_init(&x->arena, 256 * 1024);
	http_head_init(&x->head, &x->arena);
	x->ends = ends;
	party_init(&x->party, true);
	x->party.any_content = true;
	x->party.pushed = pushed;
	x->party.from = ends.request;
	x->party.to = ends.response;
	choose_response(x);
	x->next = play.exchanges;
	play.exchanges = x;
	play.n_exchanges++;
	*leg = (struct flow_leg){.request = &x->party.sink, .response = &x->party.source};
	return x;
}

struct http_head *edge_exchange_head(struct edge_exchange *x)
{
	return &x->head;
}

const struct edge_view *edge_exchange_view(const struct edge_exchange *x)
{
	return &program.view;
}

void edge_exchange_refuse(struct edge_exchange *x, int status, enum reason reason)
{
	x->response.status = status;
	x->response.framing = HTTP_FRAMING_NONE;
	x->party.in = x->party.out = PARTY_ENDED;
	x->ends.response->ops->head(x->ends.response, &x->response, true);
}

void edge_exchange_close(struct edge_exchange **xp, enum reason reason)
{
	struct edge_exchange *x = TAKE(xp), **at = &play.exchanges;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	play.n_exchanges--;
	arena_fini(&x->arena);
	free(x);
}

/* In the place of the rest of the edge */

struct edge_view *edge_view_current(struct snapshot_slot *slot)
{
	return &program.view;
}

void edge_conn_set_stage(struct edge_conn *conn, enum edge_stage stage)
{
}

void edge_conn_end(struct edge_conn **connp, enum reason reason, enum edge_close how)
{
	struct edge_conn *conn = TAKE(connp);

	if (how == EDGE_CLOSE_ORDERLY)
		stream_close(&conn->stream, DUR_S(1));
	else
		stream_abort(&conn->stream);
	play.ended = true;
}

static void program_start(void)
{
	const duration never = DUR_S(3600);

	log_set_level(LOG_LEVEL_ERROR);
	program.group = loop_group_create(0);
	program.fleet.http = (struct cfg_http){
	    .timeout = {never, never, never, never, never, never, never},
	    .h2 = {.streams = 20, .resets = 50, .frames = 100},
	};
	program.view.fleet = &program.fleet;
	program.view.limits = (struct h1_limits){4096, 20, 100};
	program.common.metrics = edge_counters_create(1);
	program.worker.common = &program.common;
	program.worker.loop = program.group->control;
	program.worker.buffers = stream_buffers_create(program.worker.loop);
}

/* Content that came before its credit goes on when that has come, and what is kept is counted. */
static void check_kept(const struct edge_h2 *c)
{
	const struct h2_stream *s;
	size_t held = 0;

	TAILQ_FOREACH (s, &c->streams, link) {
		bool takes =
		    s->request_side == H2_REQUEST_CONTENT || s->request_side == H2_REQUEST_TUNNEL;

		held += s->up.bytes + s->down.bytes;
		CHECK(!takes || s->response_side == H2_RESPONSE_MUTED || s->up.bytes == 0 ||
		      s->request_credit == 0 || c->up_waits);
	}
	CHECK(c->held == held);
}

static void turn(void)
{
	loop_stop_mt(program.worker.loop);
	loop_run(program.worker.loop);
	if (!play.ended)
		check_kept(play.conn.protocol);
}

/* The client */

static void send_bytes(const void *data, size_t n)
{
	/* What does not fit is lost: then the bytes are no frames, and that is as good. */
	if (play.client >= 0)
		(void)!send(play.client, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_out(const uint8_t *p, size_t n)
{
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
		CHECK(play.out[3] <= 9);
	}
}

static void receive(size_t most)
{
	uint8_t buf[65536];
	ssize_t n;

	if (play.client < 0)
		return;
	n = recv(play.client, buf, MIN(most, sizeof(buf)), MSG_DONTWAIT);
	if (n > 0)
		take_out(buf, (size_t)n);
}

static void send_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t n)
{
	uint8_t frame[HEADER + 1024] = {
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

	CHECK(n <= 1024);
	if (n > 0)
		memcpy(frame + HEADER, data, n);
	send_bytes(frame, HEADER + n);
}

/* Sound requests, in HPACK without a dynamic table. */
static void send_request(uint32_t stream)
{
	static const struct {
		const char *block;
		size_t n;
	} requests[] = {
#define BLOCK(text) {text, sizeof(text) - 1}
	    BLOCK("\x82\x87\x84\x01\x01"
		  "a"), /* GET / */
	    BLOCK("\x83\x87\x84\x01\x01"
		  "a"), /* POST / */
	    BLOCK("\x83\x87\x84\x01\x01"
		  "a\x0f\x0d\x01"
		  "5"), /* with a length */
	    BLOCK("\x02\x07"
		  "CONNECT\x87\x84\x01\x01"
		  "a\x00\x09:protocol\x09websocket"),
	    BLOCK("\x83\x87\x84\x01\x01"
		  "a\x00\x06"
		  "expect\x0c"
		  "100-continue"),
	    BLOCK("\x82\x87\x84\x01\x01"
		  "a\x00\x08priority\x03u=0"),
	    BLOCK("\x02\x04HEAD\x87\x84\x01\x01"
		  "a"),
	    BLOCK("\x00\x08trailing\x01x"),
#undef BLOCK
	};
	unsigned which = decide(&play.d, ARRAY_SIZE(requests));

	send_frame(1, 4 | (decide(&play.d, 2) ? 1 : 0), stream, requests[which].block,
		   requests[which].n);
}

static void act_client(void)
{
	struct decisions *d = &play.d;
	uint32_t stream = 2 * decide(d, 24) + 1;
	unsigned what = decide(d, 16), flags = decide(d, 2);
	size_t n = decide(d, 64), size;
	uint8_t bytes[1024], kind;

	n = MIN(n, (size_t)(d->end - d->next));
	switch (what) {
	case 0:
	case 1:
	case 2:
	case 3:
		send_request(stream);
		break;
	case 4:
	case 5:
		memset(bytes, 'x', sizeof(bytes));
		size = decide_size(d);
		send_frame(0, (uint8_t)flags, stream, bytes, MIN(size, sizeof(bytes)));
		break;
	case 6: /* WINDOW_UPDATE */
		send_frame(8, 0, decide(d, 2) ? stream : 0, (uint8_t[]){0, 1, (uint8_t)n, 1}, 4);
		break;
	case 7: /* RST_STREAM */
		send_frame(3, 0, stream, "\0\0\0\x08", 4);
		break;
	case 8: /* a frame of any kind and content */
		kind = (uint8_t)decide(d, 20);
		flags = decide(d, 256);
		stream = decide(d, 4) ? stream : 0;
		n = MIN(n, (size_t)(d->end - d->next));
		send_frame(kind, (uint8_t)flags, stream, d->next, n);
		d->next += n;
		break;
	case 9: /* anything */
		send_bytes(d->next, n);
		d->next += n;
		break;
	case 10: /* SETTINGS: the initial window, small or large */
		send_frame(4, 0, 0, (uint8_t[]){0, 4, 0, (uint8_t)n, 0, (uint8_t)n}, 6);
		break;
	case 11: /* PRIORITY_UPDATE */
		send_frame(16, 0, 0, (uint8_t[]){0, 0, 0, (uint8_t)stream, 'u', '=', '1'}, 7);
		break;
	case 12:
		if (play.client >= 0 && decide(d, 8) == 0) {
			close(play.client);
			play.client = -1;
		}
		break;
	default:
		receive(decide_size(d) * 8 + 1);
		break;
	}
}

/* The exchanges */

static struct edge_exchange *choose_exchange(void)
{
	struct edge_exchange *x = play.exchanges;

	if (play.n_exchanges == 0)
		return NULL;
	for (unsigned i = decide(&play.d, play.n_exchanges); i > 0; i--)
		x = x->next;
	return x;
}

/* RFC 6455 section 4.2.2. */
static struct span accept_of(struct edge_exchange *x)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const struct http_field *key =
	    http_fields_find(&x->head.fields, SPAN("Sec-WebSocket-Key"), NULL);
	char text[WEBSOCKET_KEY + sizeof(guid)];
	gnutls_datum_t accept, raw;
	uint8_t digest[20];
	const char *kept;

	if (key == NULL || decide(&play.d, 4) == 3)
		return SPAN("wrong");
	CHECK(key->value.n == WEBSOCKET_KEY);
	memcpy(text, key->value.p, WEBSOCKET_KEY);
	memcpy(text + WEBSOCKET_KEY, guid, sizeof(guid));
	CHECK(gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text) - 1, digest) == 0);
	raw = (gnutls_datum_t){digest, sizeof(digest)};
	CHECK(gnutls_base64_encode2(&raw, &accept) == 0 && accept.size == WEBSOCKET_ACCEPT);
	kept = arena_copy(&x->arena, accept.data, accept.size);
	gnutls_free(accept.data);
	return (struct span){kept, WEBSOCKET_ACCEPT};
}

/* The other protocol begins, or does not. */
static void answer_tunnel(struct edge_exchange *x)
{
	if (x->head.framing != HTTP_FRAMING_TUNNEL || decide(&play.d, 2))
		return;
	x->response.status = 101;
	x->response.framing = HTTP_FRAMING_TUNNEL;
	x->response_end = false;
	x->party.sent_max = UINT64_MAX;
	http_fields_add(&x->response.fields, &x->arena, SPAN("Sec-WebSocket-Accept"), accept_of(x));
}

static void act_exchange(void)
{
	struct edge_exchange *x = choose_exchange();
	struct decisions *d = &play.d;
	unsigned what = decide(d, 32);
	struct party *p;

	if (x == NULL)
		return;
	p = &x->party;
	if (what == 0) {
		party_push_reset(p, REASON_ORIGIN_RESET);
	} else if (what == 1) {
		party_push_trailers(p);
	} else if (what == 2) {
		party_push_informational(p, &x->informational);
	} else if (what < 8) {
		if (p->out == PARTY_HEAD && p->in_head)
			answer_tunnel(x);
		party_push_head(p, &x->response, x->response_end);
	} else if (what < 22) {
		party_push_body(p, decide_size(d), what & 1, what < 10);
	} else if (what < 31) {
		party_grant(p, decide_size(d));
	} else {
		party_stop(p, decide(d, 2) ? REASON_DONE : REASON_ORIGIN_RESET);
	}
}

/* What time does */

static void run_out(struct pace *pace)
{
	pace->left = DUR_NS(0);
}

/* All that is awaited of the client is late, and the connection is looked at. */
static void act_time(void)
{
	struct edge_h2 *c = play.conn.protocol;
	duration *tunnel = &program.fleet.http.timeout.tunnel, never = *tunnel;
	struct h2_stream *s;

	if (c->state == H2_ENDED)
		return;
	if (decide(&play.d, 2)) {
		*tunnel = DUR_NS(0);
		run_out(&c->taking);
		TAILQ_FOREACH (s, &c->streams, link) {
			run_out(&s->sending);
			run_out(&s->taking);
		}
	}
	deadline_clear(&c->deadline);
	c->deadline.fire(&c->deadline);
	*tunnel = never;
}

static void act_edge(void)
{
	static const enum reason reasons[] = {REASON_SHUTDOWN, REASON_CLIENT_DISPLACED};

	if (decide(&play.d, 4) > 0)
		act_time();
	else
		play.conn.ops->drain(&play.conn, reasons[decide(&play.d, ARRAY_SIZE(reasons))]);
}

static void begin(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	const int little = 4096;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	/* Some clients take little before what is written has to wait. */
	if (decide(&play.d, 2))
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	play.client = fds[1];
	play.conn = (struct edge_conn){
	    .worker = &program.worker,
	    .client = {.protocol = "HTTP/2", .tls = "", .scheme = SPAN("https")},
	};
	play.conn.stream = stream_create(program.worker.buffers, fds[0], NULL, NULL);
	CHECK(play.conn.stream != NULL);
	edge_h2_protocol.start(&play.conn, NULL, 0);
	if (decide(&play.d, 16) != 15) {
		send_bytes(preface, sizeof(preface) - 1);
		send_frame(4, 0, 0, NULL, 0);
	}
}

/* What is open is closed, from whatever state. */
static void end(void)
{
	turn();
	if (!play.ended && decide(&play.d, 2))
		play.conn.ops->drain(&play.conn, REASON_SHUTDOWN);
	turn();
	if (!play.ended)
		play.conn.ops->destroy(&play.conn, REASON_SHUTDOWN);
	CHECK(play.ended);
	if (play.client >= 0)
		close(play.client);
	for (int i = 0; i < 1000 && stream_closing_is_owed(program.worker.buffers); i++)
		turn();
	CHECK(play.n_exchanges == 0);
	CHECK(party_owners() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (program.group == NULL)
		program_start();
	memset(&play, 0, sizeof(play));
	play.d = (struct decisions){data, data + size};
	begin();
	while (play.d.next < play.d.end && !play.ended) {
		unsigned what = decide(&play.d, 8);

		if (what < 4)
			act_client();
		else if (what < 6)
			act_exchange();
		else if (what == 6 && decide(&play.d, 4) == 3)
			act_edge();
		else
			turn();
	}
	end();
	return 0;
}
