/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a request goes: its candidates one after the other until one gives a connection, then, when
 * that has come to nothing, what the rule of retry.h and the budget of the origin let it try next;
 * and a second attempt beside the first where the first takes long. Runs on the request's loop.
 *
 * A request is tried again at the end of the turn: whoever tells that an attempt has come to
 * nothing is still in the midst of it.
 */
#define LOG_MODULE LOG_ORIGIN
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/request/race.h"
#include "origin-link/request/request_internal.h"

/* At most so many candidates share what is left of the time to connect: a distant one needs some of
 * it, and would count as a suspect if it were given up too early. */
#define SHARING_MAX 3
/* While there are more than that none gets less, if there is as much: three round trips, for TCP
 * and TLS, of 130 ms. Those at the end may not be tried at all, for which the next requests make
 * up: who has taken too long comes last then. */
#define TRY_MIN DUR_MS(400)

static mono_time now_of(const struct olink_request *r)
{
	return loop_now(request_loop(r));
}

/* What is known of attempts */

const char *olink_try_end_text(enum olink_try_end end)
{
	static const char *const texts[] = {
	    [OLINK_TRY_CONNECT] = "connect",   [OLINK_TRY_BROKE] = "broke",
	    [OLINK_TRY_VANISHED] = "vanished", [OLINK_TRY_TOOK_LONG] = "took-long",
	    [OLINK_TRY_STATUS] = "status",     [OLINK_TRY_LOST] = "lost",
	};

	CHECK((unsigned)end < ARRAY_SIZE(texts));
	return texts[end];
}

/* The current attempt has its connection. */
static void note_connection(struct olink_request *r)
{
	const struct attempt *a = r->current;

	r->facts.addr = *endpoint_addr(a->endpoint);
	r->facts.by_relay = relay_has(a);
	r->facts.reused = lease_is_reused(&a->lease);
	r->facts.protocol = a->wire->name;
	r->facts.connect = lease_connect_time(&a->lease);
	r->facts.queue = mono_since(a->opened, r->began);
	r->facts.queue.ns = MAX(r->facts.queue.ns - r->facts.connect.ns, 0);
	r->facts.response = a->received > 0 ? mono_since(a->first, a->opened) : DUR_NS(-1);
}

/* The attempt ends, and is not what the request ends by. Without memory it is not known later. */
static void note_end(struct olink_request *r, const struct attempt *a, enum olink_try_end end,
		     enum reason reason)
{
	struct olink_try *try = arena_alloc(&r->arena, sizeof(*try));

	if (!try)
		return;
	*try = (struct olink_try){
	    .addr = *endpoint_addr(a->endpoint),
	    .end = end,
	    .reason = reason,
	    .status = a->status,
	    .time = mono_since(now_of(r), a->began),
	};
	*r->last_try = try;
	r->last_try = &try->next;
	r->facts.n_tries++;
}

static void end_attempt(struct olink_request *r, struct attempt *a, enum attempt_end how,
			enum reason reason)
{
	if (a == r->current && lease_is_connecting(&a->lease))
		r->facts.addr = *endpoint_addr(a->endpoint);
	attempt_end(a, how, reason);
}

void request_end_tries(struct olink_request *r, enum attempt_end how, enum reason reason)
{
	deadline_clear(&r->hedge_at);
	if (r->rival)
		attempt_end(r->rival, ATTEMPT_CLOSE, REASON_NONE);
	r->rival = NULL;
	end_attempt(r, r->current, how, reason);
}

/* The current candidate is that of the attempt that is left, and the other's comes last. In a race
 * that began while the first was connecting both stand where they belong: see end_race(). */
static void restore_candidate(struct olink_request *r)
{
	for (unsigned i = r->candidate + 1; i < r->n_candidates; i++) {
		struct endpoint *other = r->candidates[r->candidate];

		if (r->candidates[i] != r->current->endpoint)
			continue;
		r->candidates[r->candidate] = r->candidates[i];
		r->candidates[i] = other;
	}
}

/* Of two attempts one has come to nothing: the other is what the request has now. False: there is
 * no other. */
static bool leave_to_other(struct olink_request *r, struct attempt *a, enum olink_try_end end,
			   enum attempt_end how, enum reason reason)
{
	struct attempt *other = a == r->current ? r->rival : r->current;

	if (!other)
		return false;
	REQUEST_TRACE(r, "attempt at %s given up for the other: %s",
		      net_addr_shown(endpoint_addr(a->endpoint)), reason_text(reason));
	note_end(r, a, end, reason);
	end_attempt(r, a, how, reason);
	r->current = other;
	r->rival = NULL;
	restore_candidate(r);
	if (other->state == ATTEMPT_OPEN)
		note_connection(r);
	return true;
}

/* Connecting */

duration request_share_of_time(duration left, unsigned n)
{
	int64_t share = left.ns / MIN(n, SHARING_MAX);

	if (n > SHARING_MAX)
		share = MAX(share, MIN(left.ns, TRY_MIN.ns));
	return DUR_NS(share);
}

/* An attempt came to nothing: what it has taken of the time. A wait in the queue is not more than
 * its share. */
static void spend_time(struct olink_request *r, const struct attempt *a)
{
	duration spent = mono_since(now_of(r), a->began);

	r->connect_left.ns -= MIN(spent.ns, a->time.ns);
}

static enum lease_result try_candidate(struct olink_request *r, struct attempt *a,
				       enum reason *reason)
{
	bool once = r->side == REQUEST_BODY || !http_method_is_idempotent(r->head->method_id);
	struct lease_order order = {
	    .endpoint = r->candidates[r->candidate],
	    .terms = r->settings.terms,
	    .client = r->settings.tells_client ? &r->client : NULL,
	    /* Elsewhere an idle one is as good as any, and there at once. */
	    .fresh = r->broke && r->candidates[r->candidate] == r->broke,
	    .newer_than = r->died_at,
	    .protocol = h2_wire_protocol(r->head),
	    .careful = once || r->n_again >= r->settings.retry.attempts,
	    .time = request_share_of_time(r->connect_left, r->n_candidates - r->candidate),
	};
	enum lease_result result;

	r->looked_at = *endpoint_addr(order.endpoint);
	result = attempt_begin(a, &order, reason);
	REQUEST_TRACE(r, "candidate %u of %u, %s, by lease %llu for %lld ms at most%s%s",
		      r->candidate + 1, r->n_candidates, net_addr_shown(&r->looked_at),
		      (unsigned long long)a->lease.number, (long long)dur_to_ms(order.time),
		      order.fresh ? ", a new connection only" : "",
		      order.careful ? ", only once" : "");
	return result;
}

/* Races */

/* A candidate that was not tried yet, beside that of the current attempt. */
static bool has_other(const struct olink_request *r)
{
	return r->candidate + 1 < r->n_candidates;
}

static bool make_second(struct olink_request *r)
{
	r->second = calloc(1, sizeof(*r->second));
	if (!r->second)
		return false;
	attempt_init(r->second, r);
	return true;
}

/* The attempt that is not the current one; NULL: memory is gone. */
static struct attempt *spare_attempt(struct olink_request *r)
{
	if (r->current != &r->attempt)
		return &r->attempt;
	return r->second || make_second(r) ? r->second : NULL;
}

static enum race_stage race_stage_of(const struct lease *l)
{
	if (!lease_is_connecting(l))
		return RACE_WAITS;
	return lease_is_dialling(l) ? RACE_DIALS : RACE_SECURES;
}

/* The one that the current attempt runs against becomes the current candidate; that of the current
 * attempt stands before it. */
static void choose_rival(struct olink_request *r)
{
	const struct net_addr *others[ORIGINS_CANDIDATES_MAX];
	unsigned n = r->n_candidates - r->candidate - 1;
	struct endpoint **first = &r->candidates[r->candidate + 1], *chosen;
	unsigned at;

	for (unsigned i = 0; i < n; i++)
		others[i] = endpoint_addr(first[i]);
	at = race_rival(endpoint_addr(r->current->endpoint), others, n);
	chosen = first[at];
	memmove(first + 1, first, at * sizeof(struct endpoint *));
	*first = chosen;
	r->candidate++;
}

static void race_later(struct olink_request *r, duration time)
{
	if (has_other(r) && (r->settings.retry.on & 1U << CFG_RETRY_CONNECT) != 0)
		deadline_set(&r->hedge_at, time);
}

/* The rival is faster. */
static void win_race(struct olink_request *r)
{
	struct attempt *slow = r->current;

	REQUEST_TRACE(r, "%s is slower", net_addr_shown(endpoint_addr(slow->endpoint)));
	request_count(r, OLINK_RACES_WON);
	deadline_clear(&r->hedge_at);
	/* The next requests go elsewhere first. */
	endpoint_suspect(slow->endpoint, request_loop(r));
	leave_to_other(r, slow, OLINK_TRY_LOST, ATTEMPT_CLOSE, REASON_NONE);
	send_begin(r);
}

/* The current attempt is faster. Its candidate is the current one again, and the rival's is still
 * to be tried if it comes to that. */
static void end_race(struct olink_request *r)
{
	unsigned i = 0;

	deadline_clear(&r->hedge_at);
	if (r->rival) {
		attempt_end(r->rival, ATTEMPT_CLOSE, REASON_NONE);
		r->rival = NULL;
		r->candidate--;
	}
	while (i < r->n_candidates && r->candidates[i] != r->current->endpoint)
		i++;
	CHECK(i < r->n_candidates);
	r->candidates[i] = r->candidates[r->candidate];
	r->candidates[r->candidate] = r->current->endpoint;
}

/* A while after the current attempt began to connect, or the last rival failed. */
static void race(struct olink_request *r)
{
	enum reason reason = REASON_NONE;
	enum lease_result result;
	struct attempt *rival;

	switch (race_look(race_stage_of(&r->current->lease), has_other(r) && !r->rival)) {
	case RACE_OVER:
		return;
	case RACE_LOOK_LATER:
		race_later(r, RACE_DELAY);
		return;
	case RACE_START:
		break;
	}
	rival = spare_attempt(r);
	if (!rival)
		return;
	request_count(r, OLINK_RACES);
	choose_rival(r);
	result = try_candidate(r, rival, &reason);
	if (result == LEASE_REFUSED) {
		race_later(r, RACE_DELAY);
		return;
	}
	r->rival = rival;
	if (result == LEASE_READY)
		win_race(r);
}

/* One after the other */

/* From the current candidate on, the first one that has a connection or lets us wait for one.
 * False: there is none, and `*reason` is the last one's. */
static bool try_any(struct olink_request *r, enum reason *reason)
{
	for (; r->candidate < r->n_candidates; r->candidate++) {
		switch (try_candidate(r, r->current, reason)) {
		case LEASE_READY:
			deadline_clear(&r->hedge_at);
			note_connection(r);
			loop_defer(request_loop(r), &r->turn_end);
			return true;
		case LEASE_WAITS:
			race_later(r, RACE_DELAY);
			return true;
		case LEASE_REFUSED:
			note_end(r, r->current, OLINK_TRY_CONNECT, *reason);
			break;
		}
	}
	return false;
}

/* Whether another candidate may do better. Who has waited in one queue has waited long enough; and
 * what we are short of here we lack for all of them, but for ports, which are free or not for each
 * address. */
static bool is_tried_elsewhere(const struct olink_request *r, enum reason reason)
{
	if (r->connect_left.ns <= 0 || (r->settings.retry.on & 1U << CFG_RETRY_CONNECT) == 0)
		return false;
	if (reason == REASON_EDGE_NO_PORTS)
		return true;
	return reason != REASON_ORIGIN_QUEUE_TIMEOUT && !reason_is_own_shortage(reason);
}

void request_opened(struct olink_request *r, struct attempt *a)
{
	if (a != r->current && r->current->state == ATTEMPT_LEASES) {
		win_race(r);
		return;
	}
	if (a != r->current) {
		send_rival(r);
		return;
	}
	end_race(r);
	note_connection(r);
	send_begin(r);
}

/* There is another way, and no need to try this one for each request until a check has. */
static bool is_relay_lost(const struct attempt *a, enum reason reason)
{
	return relay_has(a) &&
	       (reason == REASON_ORIGIN_CONNECT_REFUSED || reason == REASON_ORIGIN_CONNECT_FAILED ||
		reason == REASON_ORIGIN_HANDSHAKE_FAILED || reason == REASON_ORIGIN_CERTIFICATE);
}

void request_unleased(struct olink_request *r, struct attempt *a, enum reason reason,
		      const char *detail)
{
	/* What a queue or a shortage of ours has prevented was not tried. */
	if (reason != REASON_ORIGIN_QUEUE_FULL && reason != REASON_ORIGIN_QUEUE_TIMEOUT &&
	    !reason_is_own_shortage(reason))
		r->facts.addr = *endpoint_addr(a->endpoint);
	if (reason == REASON_ORIGIN_CONNECT_TIMEOUT || reason == REASON_ORIGIN_HANDSHAKE_TIMEOUT ||
	    is_relay_lost(a, reason))
		endpoint_suspect(a->endpoint, request_loop(r));
	/* Nothing was sent, so another one may be asked. */
	REQUEST_TRACE(r, "%s gives no connection: %s%s%s",
		      net_addr_shown(endpoint_addr(a->endpoint)), reason_text(reason),
		      detail ? ": " : "", detail ? detail : "");
	if (leave_to_other(r, a, OLINK_TRY_CONNECT, ATTEMPT_CLOSE, reason)) {
		/* Whoever is left has company at once (RFC 8305 section 5). */
		if (r->current->state == ATTEMPT_LEASES)
			race_later(r, DUR_NS(0));
		return;
	}
	spend_time(r, a);
	r->candidate++;
	if (r->candidate < r->n_candidates && is_tried_elsewhere(r, reason)) {
		note_end(r, a, OLINK_TRY_CONNECT, reason);
		if (try_any(r, &reason))
			return;
	}
	request_fail(r, reason, detail);
}

void request_try(struct olink_request *r)
{
	enum reason reason = REASON_NONE;

	if (r->failed == REASON_NONE) {
		budget_count_request(&recent_slot(r->recent, request_loop(r))->budget, now_of(r));
		request_set_phase(r, REQUEST_TRYING);
		if (r->settings.total.ns > 0)
			deadline_set(&r->total_at, r->settings.total);
		if (!try_any(r, &reason))
			r->failed = reason;
	}
	/* To tell that, or to grant for the first time, and to send. */
	loop_defer(request_loop(r), &r->turn_end);
}

/* Trying again */

/* The candidate of the current attempt behind all others, or (`for_good`) away. */
static void put_back(struct olink_request *r, bool for_good)
{
	struct endpoint *endpoint = r->candidates[r->candidate];

	r->n_candidates--;
	for (unsigned i = r->candidate; i < r->n_candidates; i++)
		r->candidates[i] = r->candidates[i + 1];
	if (for_good)
		endpoint_unpin(&endpoint, request_loop(r));
	else
		r->candidates[r->n_candidates++] = endpoint;
}

static bool is_afforded(struct olink_request *r, enum retry_cost cost)
{
	mono_time now = now_of(r);

	if (cost == RETRY_ASKED && !recent_allows(r->recent, &r->settings.budget, now)) {
		REQUEST_TRACE(r, "%s", "not tried again: the budget is used up");
		request_count(r, OLINK_RETRIES_REFUSED);
		return false;
	}
	if (cost != RETRY_FREE)
		budget_count_retry(&recent_slot(r->recent, request_loop(r))->budget, now);
	return true;
}

/* A new connection to the same server costs round trips, and it may have just ended. */
static bool is_quicker_elsewhere(const struct olink_request *r)
{
	const struct endpoint *next;

	if (!has_other(r) || r->affinity.has_server || r->affinity.has_key)
		return false;
	next = r->candidates[r->candidate + 1];
	return endpoint_keeps_warm(next) && !endpoint_is_avoided(next, request_loop(r));
}

/* The current attempt has come to nothing. True: the request is tried again at the end of the turn;
 * `how` and `reason` are how the attempt ends then. */
static bool again(struct olink_request *r, struct retry_case *c, enum attempt_end how,
		  enum reason reason)
{
	static const enum olink_try_end ends[] = {
	    [RETRY_BROKE] = OLINK_TRY_BROKE,
	    [RETRY_VANISHED] = OLINK_TRY_VANISHED,
	    [RETRY_TOOK_LONG] = OLINK_TRY_TOOK_LONG,
	    [RETRY_STATUS] = OLINK_TRY_STATUS,
	};
	struct attempt *a = r->current;
	struct retry_decision decision;

	c->idempotent = http_method_is_idempotent(r->head->method_id);
	c->whole = a->given < GIVEN_CONTENT || r->keeps;
	c->n = r->n_again;
	decision = retry_decide(&r->settings.retry, c);
	if (decision.verdict == RETRY_SAME && (relay_has(a) || is_quicker_elsewhere(r)))
		decision.verdict = RETRY_NEXT;
	if (decision.verdict == RETRY_NO ||
	    (decision.verdict == RETRY_ONLY_OTHER && !has_other(r)) ||
	    !is_afforded(r, decision.cost))
		return false;
	REQUEST_TRACE(r, "tried again: %s, %s", retry_cause_text(c->cause), reason_text(reason));
	note_end(r, a, ends[c->cause], reason);
	end_attempt(r, a, how, reason);
	deadline_clear(&r->hedge_at);
	/* After a connection that broke an idle one may be as dead: so this ends. */
	if (!c->unacted && (c->cause == RETRY_BROKE || c->cause == RETRY_VANISHED))
		r->broke = r->candidates[r->candidate];
	if (decision.verdict != RETRY_SAME)
		put_back(r, decision.verdict == RETRY_ONLY_OTHER);
	/* Vanished servers are fewer each time, which is bound enough. */
	r->n_again += c->cause != RETRY_VANISHED;
	r->died_at = now_of(r);
	r->facts.retries++;
	r->connect_left = r->settings.connect;
	request_count(r, OLINK_RETRIES);
	r->again = reason;
	loop_defer(request_loop(r), &r->turn_end);
	return true;
}

void request_try_again(struct olink_request *r)
{
	enum reason reason = r->again;

	r->again = REASON_NONE;
	/* One that has lost all its connections is restarting, or gone. */
	if (has_other(r) && endpoint_is_cold(r->candidates[r->candidate]))
		put_back(r, false);
	send_again(r);
	if (!try_any(r, &reason))
		request_fail(r, reason, NULL);
}

void request_refused_by_relay(struct olink_request *r, struct attempt *a, enum reason reason,
			      bool unacted, enum response_end end)
{
	bool keep = end == RESPONSE_ENDS_CLEANLY && r->side == REQUEST_ENDED;
	enum attempt_end how = keep ? ATTEMPT_KEEP : ATTEMPT_CLOSE;
	/* What we are short of here is not what the relay is short of. */
	struct retry_case c = {.cause = RETRY_BROKE, .unacted = unacted};
	/* Its limits are the origin's, and are not to be passed by on another way. */
	bool is_final = reason == REASON_ORIGIN_QUEUE_FULL ||
			reason == REASON_ORIGIN_QUEUE_TIMEOUT ||
			reason == REASON_ORIGIN_BREAKER_OPEN;
	bool whole = a->given < GIVEN_CONTENT || r->keeps;

	/* The relay has done its work: what failed is behind it. */
	if (leave_to_other(r, a, OLINK_TRY_BROKE, how, REASON_DONE))
		return;
	/* What a server may have acted upon, the relay has tried again by the same rule, or not. */
	if (unacted && whole && !is_final && has_other(r) && again(r, &c, how, REASON_DONE))
		return;
	end_attempt(r, a, how, REASON_DONE);
	request_fail(r, reason, "says the relay");
}

void request_died(struct olink_request *r, struct attempt *a, const struct attempt_death *death)
{
	struct retry_case c = {
	    .cause = RETRY_BROKE,
	    .reason = death->reason,
	    .unacted = death->unacted,
	    .answered = a->received > 0,
	    /* All connections of a relay end with it, the newest too; and there is another way. */
	    .reused = relay_has(a) || (r->facts.reused && (!death->alone || death->unacted)),
	};

	if (leave_to_other(r, a, OLINK_TRY_BROKE, ATTEMPT_CLOSE, death->reason))
		return;
	/* If a server may have acted upon it before, it may be sent again all the same. */
	if (death->unacted)
		r->facts.given = false;
	if (r->response != RESPONSE_HEAD_AWAITED || !again(r, &c, ATTEMPT_CLOSE, death->reason))
		request_fail(r, death->reason, death->detail);
}

void request_vanished(struct olink_request *r, struct attempt *a, bool unacted)
{
	static const char detail[] = "it does not acknowledge what was sent";
	struct retry_case c = {
	    .cause = RETRY_VANISHED,
	    .unacted = unacted,
	    .answered = a->received > 0,
	    .reused = r->facts.reused,
	};

	REQUEST_TRACE(r, "%s: %s", net_addr_shown(endpoint_addr(a->endpoint)), detail);
	endpoint_suspect(a->endpoint, request_loop(r));
	if (leave_to_other(r, a, OLINK_TRY_VANISHED, ATTEMPT_CLOSE, REASON_ORIGIN_CONNECT_TIMEOUT))
		return;
	if (!again(r, &c, ATTEMPT_CLOSE, REASON_ORIGIN_CONNECT_TIMEOUT))
		request_fail(r, REASON_ORIGIN_CONNECT_TIMEOUT, detail);
}

bool request_took_long(struct olink_request *r, struct attempt *a)
{
	struct retry_case c = {.cause = RETRY_TOOK_LONG, .answered = a->received > 0};

	if (r->rival)
		return false; /* the one that was sent for it has its time */
	return again(r, &c, ATTEMPT_BREAK, REASON_ORIGIN_HEAD_TIMEOUT);
}

void request_spoilt(struct olink_request *r, struct attempt *a, enum reason reason,
		    const char *detail)
{
	if (!leave_to_other(r, a, OLINK_TRY_BROKE, ATTEMPT_BREAK, reason))
		request_fail(r, reason, detail);
}

bool request_holds_back(struct olink_request *r, struct attempt *a, int status,
			enum response_end end)
{
	struct retry_case c = {.cause = RETRY_STATUS, .status = status, .answered = true};
	bool keep = end == RESPONSE_ENDS_CLEANLY && r->side == REQUEST_ENDED;
	enum attempt_end how = keep ? ATTEMPT_KEEP : ATTEMPT_CLOSE;

	if (!retry_is_listed(&r->settings.retry, status))
		return false;
	return leave_to_other(r, a, OLINK_TRY_STATUS, how, REASON_DONE) ||
	       again(r, &c, how, REASON_DONE);
}

/* A second attempt beside the first */

/* So that a fixed time, or a fast origin, does not make two of every request. */
#define HEDGE_MIN DUR_MS(1)

static bool is_safe(const struct olink_request *r)
{
	enum http_method method = r->head->method_id;

	return method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD ||
	       method == HTTP_METHOD_OPTIONS;
}

void request_hedge(struct olink_request *r)
{
	struct request_settings *settings = &r->settings;
	duration after = settings->hedge_after;

	if (!settings->hedges || r->n_again > 0 || !has_other(r) || !is_safe(r) ||
	    r->current->given != GIVEN_HEAD || r->side != REQUEST_ENDED)
		return;
	if (after.ns == 0)
		after = latency_quantile(&recent_slot(r->recent, request_loop(r))->latency,
					 settings->hedge_percentile);
	if (after.ns >= 0)
		deadline_set(&r->hedge_at, DUR_NS(MAX(after.ns, HEDGE_MIN.ns)));
}

void request_hedge_fire(struct deadline *deadline)
{
	struct olink_request *r = CONTAINER_OF(deadline, struct olink_request, hedge_at);
	enum reason reason = REASON_NONE;
	enum lease_result result;
	struct attempt *rival;

	if (r->current->state == ATTEMPT_LEASES) {
		race(r);
		return;
	}
	if (!r->settings.hedges || r->current->state != ATTEMPT_OPEN || r->current->received > 0 ||
	    r->rival || !has_other(r))
		return;
	rival = spare_attempt(r);
	if (!rival || !is_afforded(r, RETRY_ASKED))
		return;
	request_count(r, OLINK_HEDGES);
	put_back(r, false);
	result = try_candidate(r, rival, &reason);
	if (result == LEASE_REFUSED) {
		restore_candidate(r);
		return;
	}
	r->rival = rival;
	if (result == LEASE_READY)
		send_rival(r);
}

void request_won(struct olink_request *r, struct attempt *a)
{
	struct attempt *other = a == r->current ? r->rival : r->current;

	deadline_clear(&r->hedge_at);
	if (!other)
		return;
	if (a == r->rival)
		request_count(r, OLINK_HEDGES_WON);
	/* How long it would have taken is not known, but that it is this at least. Without it only
	 * the fast ones would be known, and the next would be given up sooner and sooner. */
	if (other->received == 0 && other->state == ATTEMPT_OPEN)
		latency_add(&recent_slot(r->recent, request_loop(r))->latency,
			    mono_since(now_of(r), other->opened));
	leave_to_other(r, other, OLINK_TRY_LOST, ATTEMPT_CLOSE, REASON_NONE);
}
