/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes an exchange: a client and an origin that push, grant, reset and stop as the bytes say,
 * also from inside each other's pushes, with up to three filters between them. What must hold: the
 * rules of core/http/flow.h (a seam between any two neighbours CHECKs them), every byte arrives
 * unchanged, what ended well here ends well there once there is credit, and nothing is left over.
 */
#include "tests/fuzz/fuzz.h"

#include "core/base/check.h"
#include "tests/support/flow_chain.h"
#include "tests/support/flow_party.h"

/* How deep one push may lead to another. */
#define DEPTH_MAX 4

struct play {
	struct decisions d;
	struct loop *loop;
	struct party client, origin;
	struct chain chain;
	unsigned depth;
	struct http_head request, informational, response;
	bool request_end, response_end;
};

static void send_some(struct play *play, struct party *p)
{
	unsigned how = decide(&play->d, 16);
	bool is_client = p == &play->client;

	switch (how) {
	case 0:
		party_push_reset(p, is_client ? REASON_CLIENT_RESET : REASON_ORIGIN_RESET);
		break;
	case 1:
		party_push_trailers(p);
		break;
	case 2:
		party_push_informational(p, &play->informational);
		break;
	case 3:
	case 4:
		party_push_head(p, is_client ? &play->request : &play->response,
				is_client ? play->request_end : play->response_end);
		break;
	default:
		party_push_body(p, decide_size(&play->d), how & 1, how == 5 || how == 6);
	}
}

static void act(struct play *play)
{
	unsigned what = decide(&play->d, 16);
	struct party *p = what & 1 ? &play->client : &play->origin;

	if (what < 8)
		send_some(play, p);
	else if (what < 14)
		party_grant(p, decide_size(&play->d));
	else if (decide(&play->d, 8) == 0)
		party_stop(p, decide(&play->d, 2) ? REASON_DONE : REASON_SHUTDOWN);
}

static void pushed(struct party *p)
{
	struct play *play = p->arg;

	if (play->depth == DEPTH_MAX)
		return;
	play->depth++;
	while (decide(&play->d, 3) == 2)
		act(play);
	play->depth--;
}

static void turn(struct play *play)
{
	loop_stop_mt(play->loop);
	loop_run(play->loop);
}

/* A head, and whether it ends its message. */
static bool choose_framing(struct play *play, struct http_head *head, struct party *p)
{
	static const enum http_framing framings[] = {
	    HTTP_FRAMING_NONE,
	    HTTP_FRAMING_LENGTH,
	    HTTP_FRAMING_CHUNKED,
	    HTTP_FRAMING_TUNNEL,
	};

	http_head_init(head, NULL);
	head->framing = framings[decide(&play->d, ARRAY_SIZE(framings))];
	if (head->framing == HTTP_FRAMING_LENGTH) {
		head->content_length = decide_size(&play->d);
		p->sent_max = head->content_length;
	}
	return head->framing == HTTP_FRAMING_NONE;
}

static void begin(struct play *play)
{
	struct flow_ends ends = {&play->client.source, &play->client.sink};
	struct flow_leg leg = {&play->origin.sink, &play->origin.source};

	party_init(&play->client, false);
	party_init(&play->origin, true);
	play->client.pushed = play->origin.pushed = pushed;
	play->client.arg = play->origin.arg = play;
	chain_init(&play->chain, &play->d, play->loop);
	ends = chain_ends(&play->chain, &ends);
	play->origin.from = ends.request;
	play->origin.to = ends.response;
	leg = chain_leg(&play->chain, &leg);
	play->client.to = leg.request;
	play->client.from = leg.response;

	play->request_end = choose_framing(play, &play->request, &play->client);
	http_head_init(&play->informational, NULL);
	play->informational.status = 103;
	play->response_end = choose_framing(play, &play->response, &play->origin);
	/* Nobody says yes to what was not asked for. */
	if (play->response.framing == HTTP_FRAMING_TUNNEL &&
	    play->request.framing != HTTP_FRAMING_TUNNEL)
		play->response.framing = HTTP_FRAMING_CLOSE;
	play->response.status = play->response.framing == HTTP_FRAMING_TUNNEL ? 101 : 200;
}

/* Whatever was not ended ends well, and there is credit for all of it. */
static void wind_up_one(struct play *play, struct party *p)
{
	bool is_client = p == &play->client;

	if (is_client)
		party_push_head(p, &play->request, play->request_end);
	else
		party_push_head(p, &play->response, play->response_end);
	party_grant(p, 1 << 20);
	party_push_body(p, 65536, false, true);
	/* Another protocol was asked for, and there will be no word on it. */
	if (p->framing == HTTP_FRAMING_TUNNEL && (p->in_stopped || p->in_reset != REASON_NONE))
		party_push_reset(p, REASON_CLIENT_RESET);
}

static bool is_over(const struct party *from, const struct party *to)
{
	return to->in == PARTY_ENDED || from->out_stopped;
}

static void wind_up(struct play *play)
{
	struct party *client = &play->client, *origin = &play->origin;

	for (int i = 0; i < 10000; i++) {
		turn(play);
		if (is_over(client, origin) && is_over(origin, client))
			return;
		wind_up_one(play, client);
		wind_up_one(play, origin);
		/* A request that never was is not answered. */
		if (origin->in == PARTY_ENDED && !origin->in_head)
			party_push_reset(origin, REASON_CLIENT_RESET);
	}
	CHECK(!"it does not come to an end");
}

/* What was sent, and how it arrived. */
static void check_message(const struct party *from, const struct party *to)
{
	CHECK(to->received <= from->sent);
	if (!to->in_clean)
		return;
	CHECK(from->out_clean);
	CHECK(to->received == from->sent);
	CHECK(to->in_trailers == from->out_trailers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	static struct play play;

	if (!loop)
		loop = loop_create("fuzz");
	play = (struct play){.d = {data, data + size}, .loop = loop};
	begin(&play);
	while (play.d.next < play.d.end) {
		act(&play);
		if (decide(&play.d, 4) == 1)
			turn(&play);
	}
	wind_up(&play);
	check_message(&play.client, &play.origin);
	check_message(&play.origin, &play.client);
	chain_fini(&play.chain);
	CHECK(party_owners() == 0);
	return 0;
}
