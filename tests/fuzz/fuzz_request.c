/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes requests to an origin: a client that pushes, grants, resets and stops as the bytes say, up
 * to three filters, the real origin link, and at the end of a real connection an origin that reads
 * and sends as the bytes say: well-formed answers in whatever pieces, or anything. One to three
 * requests, one after the other, so that connections are used again.
 *
 * What must hold: the rules of core/http/flow.h (the seams CHECK them), the origin sees only
 * well-formed requests with the content that was pushed, a response that ended well is the one that
 * was sent, and no connection is left in use. Time limits are out of reach here.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/h1.h"
#include "core/net/stream.h"
#include "origin-link/conns/counters.h"
#include "origin-link/olink.h"
#include "origin-link/servers/link.h"
#include "tests/support/flow_chain.h"
#include "tests/support/flow_party.h"
#include "tests/support/polled_origin.h"

#define REQUESTS_MAX 3
#define DEPTH_MAX 3
#define ANSWER_MAX (256 * 1024)

/* The program, as it would be; made once. */
static struct {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct olink *olink;
	struct olink_worker *worker;
	struct cfg_origin_server server;
	struct cfg_origin origin;
	struct cfg_fleet fleet;
	struct olink_origins *origins;
} program;

/* What the origin's connection has brought so far. */
struct arrived {
	struct arena arena;
	struct h1_head_parser parser;
	struct http_head head;
	struct h1_body body;
	bool has_head, ended;
	uint64_t content;
	char held[8192]; /* a line that is not whole */
	size_t n_held;
};

struct play {
	struct decisions d;
	struct polled_origin origin;
	struct arrived arrived;
	/* one request */
	struct olink_request *request;
	struct party client;
	struct chain chain;
	struct arena arena;
	struct http_head head;
	unsigned depth;
	/* its answer */
	bool raw; /* it is anything */
	enum http_framing framing;
	size_t size;      /* of its content */
	char *answer;     /* as it goes over the wire */
	size_t len, sent; /* on this connection */
	size_t head_len;  /* where the content begins: with HTTP_FRAMING_CLOSE and _TUNNEL */
	bool fin;         /* the origin has ended its side */
};

static const struct h1_limits limits = {.head_bytes = 4096, .fields = 20, .target_bytes = 100};

static void turn(void)
{
	loop_stop_mt(program.group->control);
	loop_run(program.group->control);
}

static void program_start(const struct net_addr *addr)
{
	struct diag *diag = diag_create();
	const duration never = DUR_S(3600);

	log_set_level(LOG_LEVEL_ERROR);
	program.group = loop_group_create(0);
	program.buffers = stream_buffers_create(program.group->control);
	program.olink = olink_create(program.group, program.buffers);
	program.worker = olink_worker_create(program.olink, program.buffers);
	program.server = (struct cfg_origin_server){
	    .address = {.host = "127.0.0.1", .port = net_addr_port(addr)},
	    .weight = 1,
	};
	program.origin = (struct cfg_origin){
	    .resolve = {DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY},
	    .name = "fuzz",
	    .servers = &program.server,
	    .n_servers = 1,
	    .tls = {.name = ""},
	    .timeout = {never, never, never, never},
	    .limit = {.connections = 100, .queue = 100, .head_bytes = 2048, .fields = 20},
	    .pool = {.max_idle = 8, .idle_timeout = never},
	    .retries = {.attempts = 1, .body = 2048, .budget = {.share = 20, .min = 10}},
	};
	program.fleet = (struct cfg_fleet){.origins = &program.origin, .n_origins = 1};
	program.origins = olink_origins_load(&program.fleet, &olink_nowhere, diag);
	CHECK(program.origins);
	diag_destroy(&diag);
	olink_origins_open(program.origins, program.olink);
	while (!olink_origins_settled(program.origins))
		turn();
}

static int64_t counted(enum olink_counter id)
{
	return metrics_sum(program.olink->metrics, id);
}

/* The origin, reading */

static void arrived_reset(struct arrived *a)
{
	arena_reset(&a->arena, 64 * 1024);
	http_head_init(&a->head, &a->arena);
	h1_request_parser_init(&a->parser, &limits);
	a->has_head = a->ended = false;
	a->content = 0;
}

static void take_head(struct arrived *a, size_t *used)
{
	enum h1_result result = h1_head_parse(&a->parser, &a->head, a->held, a->n_held, used);

	CHECK(result != H1_BAD);
	if (result != H1_OK)
		return;
	a->has_head = true;
	h1_body_init(&a->body, &a->head, &limits);
	a->ended = a->head.framing == HTTP_FRAMING_NONE;
}

static void take_content(struct arrived *a, size_t *used)
{
	struct span data;
	enum h1_result result = h1_body_decode(&a->body, a->held, a->n_held, SIZE_MAX, used, &data);

	CHECK(result != H1_BAD);
	for (size_t i = 0; i < data.n; i++)
		CHECK((uint8_t)data.p[i] == party_pattern(false, a->content + i));
	a->content += data.n;
	a->ended = result == H1_OK;
}

/* Nothing follows a request before it was answered. */
static void take_arrived(struct play *play)
{
	struct arrived *a = &play->arrived;
	size_t used = 1;

	while (a->n_held > 0 && used > 0) {
		CHECK(!a->ended);
		if (a->has_head)
			take_content(a, &used);
		else
			take_head(a, &used);
		a->n_held -= used;
		memmove(a->held, a->held + used, a->n_held);
	}
	if (a->ended && a->head.framing != HTTP_FRAMING_NONE) {
		CHECK(play->client.out_clean);
		CHECK(a->content == play->client.sent);
	}
}

static bool origin_accept(struct play *play)
{
	if (!polled_origin_accept(&play->origin))
		return false;
	arrived_reset(&play->arrived);
	play->arrived.n_held = 0;
	play->sent = 0;
	play->fin = false;
	return true;
}

static bool origin_read(struct play *play, size_t most)
{
	struct arrived *a = &play->arrived;
	size_t room = sizeof(a->held) - a->n_held;
	ssize_t n = polled_origin_read(&play->origin, a->held + a->n_held, MIN(most, room));

	if (n <= 0)
		return false;
	a->n_held += n;
	take_arrived(play);
	return true;
}

/* The origin, sending */

static size_t put_content(struct play *play, char *to)
{
	size_t n = 0;

	for (size_t at = 0; at < play->size;) {
		size_t piece = play->size - at;

		if (play->framing == HTTP_FRAMING_CHUNKED) {
			size_t most = decide_size(&play->d);

			piece = MIN(piece, most);
			n += sprintf(to + n, "%zx\r\n", piece);
		}
		for (size_t i = 0; i < piece; i++)
			to[n++] = (char)party_pattern(true, at + i);
		if (play->framing == HTTP_FRAMING_CHUNKED)
			n += sprintf(to + n, "\r\n");
		at += piece;
	}
	return n;
}

static void compose(struct play *play)
{
	char *to = play->answer;
	size_t n = 0;

	for (unsigned i = decide(&play->d, 3); i > 0; i--)
		n += sprintf(to + n, "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n");
	switch (play->framing) {
	case HTTP_FRAMING_NONE:
		n += sprintf(to + n, "HTTP/1.1 204 No Content\r\n\r\n");
		break;
	case HTTP_FRAMING_LENGTH:
		n += sprintf(to + n, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", play->size);
		break;
	case HTTP_FRAMING_CHUNKED:
		n += sprintf(to + n, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		break;
	case HTTP_FRAMING_CLOSE:
		n += sprintf(to + n, "HTTP/1.1 200 OK\r\n\r\n");
		break;
	case HTTP_FRAMING_TUNNEL:
		n += sprintf(to + n, "HTTP/1.1 101 Switching Protocols\r\n"
				     "Connection: upgrade\r\nUpgrade: x\r\n\r\n");
		break;
	}
	play->head_len = n;
	n += put_content(play, to + n);
	if (play->framing == HTTP_FRAMING_CHUNKED)
		n += sprintf(to + n, decide(&play->d, 2) ? "0\r\n\r\n" : "0\r\nDigest: x\r\n\r\n");
	CHECK(n < ANSWER_MAX);
	play->len = n;
}

static void choose_answer(struct play *play)
{
	static const enum http_framing framings[] = {HTTP_FRAMING_NONE, HTTP_FRAMING_LENGTH,
						     HTTP_FRAMING_CHUNKED, HTTP_FRAMING_CLOSE};

	play->raw = decide(&play->d, 4) == 1;
	play->client.any_content = play->raw;
	play->framing = framings[decide(&play->d, ARRAY_SIZE(framings))];
	if (play->head.framing == HTTP_FRAMING_TUNNEL && decide(&play->d, 2))
		play->framing = HTTP_FRAMING_TUNNEL;
	play->size = play->framing == HTTP_FRAMING_NONE ? 0 : decide_size(&play->d);
	/* Chunks of a byte are six on the wire. */
	if (play->framing == HTTP_FRAMING_CHUNKED)
		play->size = MIN(play->size, 8192);
	compose(play);
}

/* Not before it was asked. */
static void origin_send(struct play *play, size_t n)
{
	struct decisions *d = &play->d;

	if (!play->arrived.has_head || play->fin)
		return;
	if (play->raw && decide(d, 2)) {
		n = MIN(n, (size_t)(d->end - d->next));
		polled_origin_send(&play->origin, d->next, n);
		d->next += n;
		return;
	}
	play->sent += polled_origin_send(&play->origin, play->answer + play->sent,
					 MIN(n, play->len - play->sent));
}

static void origin_end(struct play *play)
{
	play->fin = true;
	polled_origin_end_writing(&play->origin);
}

static void act_origin(struct play *play)
{
	unsigned what = decide(&play->d, 32);

	origin_accept(play);
	if (what < 12)
		origin_read(play, decide_size(&play->d));
	else if (what < 28)
		origin_send(play, decide_size(&play->d));
	else if (what == 28)
		origin_end(play);
	else if (what == 29)
		polled_origin_drop(&play->origin, decide(&play->d, 2));
}

/* The client */

static void act_client(struct play *play)
{
	unsigned what = decide(&play->d, 32);
	struct party *p = &play->client;

	if (what < 12)
		party_push_body(p, decide_size(&play->d), what & 1, what < 2);
	else if (what < 14)
		party_push_trailers(p);
	else if (what < 28)
		party_grant(p, decide_size(&play->d));
	else if (what == 28)
		party_push_reset(p, REASON_CLIENT_RESET);
	else if (what == 29)
		party_stop(p, REASON_CLIENT_CLOSED);
	else if (what == 30 && play->request && decide(&play->d, 4) == 1)
		olink_request_close(&play->request);
}

static void pushed(struct party *p)
{
	struct play *play = p->arg;

	if (play->depth == DEPTH_MAX)
		return;
	play->depth++;
	while (play->request && decide(&play->d, 3) == 2)
		act_client(play);
	play->depth--;
}

static void choose_request(struct play *play)
{
	static const enum http_framing framings[] = {HTTP_FRAMING_NONE, HTTP_FRAMING_LENGTH,
						     HTTP_FRAMING_CHUNKED, HTTP_FRAMING_TUNNEL};
	static const char *const methods[] = {"GET", "POST", "PUT"};
	struct http_head *head = &play->head;

	arena_init(&play->arena, 64 * 1024);
	http_head_init(head, &play->arena);
	head->method = span_of(methods[decide(&play->d, ARRAY_SIZE(methods))]);
	head->method_id = http_method_find(head->method);
	head->authority = SPAN("www.example.com");
	head->target = SPAN("/");
	head->framing = framings[decide(&play->d, ARRAY_SIZE(framings))];
	head->expect_continue = decide(&play->d, 4) == 3;
	if (head->framing == HTTP_FRAMING_LENGTH) {
		head->content_length = decide_size(&play->d);
		play->client.sent_max = head->content_length;
	}
	if (head->framing == HTTP_FRAMING_TUNNEL)
		CHECK(http_fields_add(&head->fields, &play->arena, SPAN("Upgrade"), SPAN("x")));
}

static void begin(struct play *play)
{
	struct olink_open open = {.origins = program.origins, .origin = &program.origin};
	struct flow_ends ends = {&play->client.source, &play->client.sink};
	struct flow_leg leg;

	party_init(&play->client, false);
	play->client.pushed = pushed;
	play->client.arg = play;
	choose_request(play);
	choose_answer(play);
	chain_init(&play->chain, &play->d, program.group->control);
	open.ends = chain_ends(&play->chain, &ends);
	play->request = olink_request_open(program.worker, &open, &leg);
	CHECK(play->request);
	leg = chain_leg(&play->chain, &leg);
	play->client.to = leg.request;
	play->client.from = leg.response;
	play->sent = 0;
	arrived_reset(&play->arrived);
	party_push_head(&play->client, &play->head, play->head.framing == HTTP_FRAMING_NONE);
}

/* Nothing more comes of it. */
static bool is_over(const struct play *play)
{
	const struct party *p = &play->client;
	bool was_reset = p->out == PARTY_ENDED && !p->out_clean && !p->out_stopped;

	return !play->request || p->in == PARTY_ENDED || was_reset;
}

/* All that is left happens: the client ends and takes what comes, the origin reads and answers. */
static void wind_up(struct play *play)
{
	struct party *p = &play->client;

	for (int i = 0; !is_over(play); i++) {
		CHECK(i < 100000);
		turn();
		if (is_over(play))
			break;
		party_grant(p, 1 << 20);
		party_push_body(p, 65536, false, true);
		origin_accept(play);
		while (origin_read(play, SIZE_MAX))
			;
		origin_send(play, SIZE_MAX);
		if (play->sent == play->len || (play->raw && i > 10))
			origin_end(play);
	}
}

/* How a response that has ended well must look. */
static void check_response(const struct play *play)
{
	const struct party *p = &play->client;

	if (!p->in_clean || play->raw)
		return;
	CHECK(p->status == (play->framing == HTTP_FRAMING_NONE     ? 204
			    : play->framing == HTTP_FRAMING_TUNNEL ? 101
								   : 200));
	if (play->framing == HTTP_FRAMING_CLOSE || play->framing == HTTP_FRAMING_TUNNEL)
		CHECK(p->received == play->sent - play->head_len);
	else
		CHECK(p->received == play->size);
}

static void run_one(struct play *play)
{
	begin(play);
	while (play->request && play->d.next < play->d.end && decide(&play->d, 64) != 63) {
		if (decide(&play->d, 2))
			act_client(play);
		else
			act_origin(play);
		if (decide(&play->d, 4) == 1)
			turn();
	}
	wind_up(play);
	check_response(play);
	olink_request_close(&play->request);
	chain_fini(&play->chain);
	turn();
	CHECK(party_owners() == 0);
	/* On a connection that is kept, what follows is the next request; and what waits to be
	 * accepted brings this one still. */
	do {
		while (origin_read(play, SIZE_MAX))
			;
	} while (origin_accept(play));
	arena_fini(&play->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play;
	static char answer[ANSWER_MAX];

	if (!program.group) {
		polled_origin_open(&play.origin);
		program_start(&play.origin.addr);
	}
	play.d = (struct decisions){data, data + size};
	play.answer = answer;
	for (unsigned i = decide(&play.d, REQUESTS_MAX) + 1; i > 0; i--)
		run_one(&play);
	/* Every input begins without connections. */
	while (polled_origin_accept(&play.origin))
		;
	polled_origin_drop(&play.origin, false);
	while (counted(OLINK_IDLE) > 0 || counted(OLINK_ACTIVE) > 0)
		turn();
	return 0;
}
