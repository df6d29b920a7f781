/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See conns_rig.h. Everything runs on the control loop, in the test's thread.
 */
#include "tests/unit/origin-link/conns_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"

void conns_rig_init(struct conns_rig *rig, unsigned n_workers)
{
	*rig = (struct conns_rig){.group = loop_group_create(n_workers)};
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->metrics = olink_counters_create(n_workers + 1);
	rig->node = conns_node_create(rig->group, rig->metrics);
	rig->conns = conns_create(rig->node, rig->buffers);
	rig->terms = (struct lease_terms){
	    .max_idle = 100,
	    .max_connections = 100,
	    .max_waiting = 100,
	    .idle_timeout = DUR_S(60),
	    .connect_timeout = DUR_S(10),
	    .queue_timeout = DUR_S(10),
	};
}

int64_t conns_rig_count(const struct conns_rig *rig, enum olink_counter id)
{
	return metrics_sum(rig->metrics, id);
}

void conns_rig_fini(struct conns_rig *rig)
{
	conns_destroy(&rig->conns);
	conns_node_destroy(&rig->node);
	CHECK(conns_rig_count(rig, OLINK_ACTIVE) == 0);
	CHECK(conns_rig_count(rig, OLINK_IDLE) == 0);
	CHECK(conns_rig_count(rig, OLINK_WAITING) == 0);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	metrics_destroy(&rig->metrics);
}

/* Running */

struct look {
	struct conns_rig *rig;
	bool (*is_so)(void *arg);
	void *arg;
};

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct look *look = arg;

	if (look->is_so(look->arg))
		loop_stop_mt(look->rig->group->control);
}

void conns_rig_run_until(struct conns_rig *rig, bool (*is_so)(void *arg), void *arg)
{
	struct look look = {rig, is_so, arg};
	struct timeval often = {.tv_usec = 1000};
	struct event *ev;

	if (is_so(arg))
		return;
	ev = event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_cb, &look);
	CHECK(ev && event_add(ev, &often) == 0);
	loop_run(rig->group->control);
	event_free(ev);
	CHECK(is_so(arg));
}

struct count_is {
	struct conns_rig *rig;
	enum olink_counter id;
	int64_t value;
};

static bool count_is(void *arg)
{
	const struct count_is *c = arg;

	return conns_rig_count(c->rig, c->id) == c->value;
}

void conns_rig_await(struct conns_rig *rig, enum olink_counter id, int64_t value)
{
	struct count_is c = {rig, id, value};

	conns_rig_run_until(rig, count_is, &c);
}

void conns_rig_turn(struct conns_rig *rig)
{
	loop_stop_mt(rig->group->control);
	loop_run(rig->group->control);
}

struct endpoint *conns_rig_endpoint(struct conns_rig *rig, const struct net_addr *addr)
{
	struct transport *plain = transport_plain();
	struct endpoint *e = endpoint_take(rig->node, addr, plain);

	transport_unref(&plain);
	return e;
}

void conns_rig_warm(struct conns_rig *rig, struct endpoint *e, unsigned spare)
{
	warm_begin(rig->node);
	warm_want(e, &rig->terms, spare);
	warm_end(rig->node);
}

/* Takers */

static void readable_cb(void *arg)
{
	struct taker *t = arg;
	char bytes[4096];
	ssize_t n;

	while ((n = stream_read(lease_stream(&t->lease), bytes, sizeof(bytes))) > 0) {
		size_t fits = MIN((size_t)n, sizeof(t->text) - 1 - t->n);

		memcpy(t->text + t->n, bytes, fits);
		t->n += fits;
		t->received += n;
	}
	t->text[t->n] = '\0';
	if (n == STREAM_EOF || n == STREAM_ERROR)
		t->ended = true;
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	struct taker *t = arg;

	t->ended = true;
}

static const struct stream_ops ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void done_cb(struct lease *l, enum reason reason, const char *detail)
{
	struct taker *t = CONTAINER_OF(l, struct taker, lease);

	CHECK(t->result == LEASE_WAITS && t->n_done == 0);
	t->n_done++;
	t->reason = reason;
	snprintf(t->detail, sizeof(t->detail), "%s", detail ? detail : "");
}

void taker_init(struct taker *t, struct conns_rig *rig, struct endpoint *e)
{
	*t = (struct taker){.rig = rig};
	lease_init(&t->lease, rig->conns, &ops, t, done_cb);
	t->order = (struct lease_order){
	    .endpoint = e,
	    .terms = rig->terms,
	    .time = DUR_S(10),
	};
}

enum lease_result taker_take(struct taker *t)
{
	t->n_done = 0;
	t->n = t->received = 0;
	t->ended = false;
	t->reason = REASON_NONE;
	t->result = lease_take(&t->lease, &t->order, &t->reason);
	CHECK(t->n_done == 0);
	return t->result;
}

bool taker_is_done(void *taker)
{
	struct taker *t = taker;

	return t->n_done > 0;
}

bool taker_has_ended(void *taker)
{
	struct taker *t = taker;

	return t->ended;
}

enum reason taker_wait(struct taker *t)
{
	conns_rig_run_until(t->rig, taker_is_done, t);
	return t->reason;
}

void taker_get(struct taker *t)
{
	if (taker_take(t) == LEASE_WAITS)
		CHECK(taker_wait(t) == REASON_NONE);
	CHECK(t->reason == REASON_NONE);
}

static bool has_echo(void *taker)
{
	struct taker *t = taker;

	return t->n >= 4;
}

void taker_ping(struct taker *t)
{
	struct iovec iov = {(void *)"ping", 4};

	t->n = 0;
	stream_write(lease_stream(&t->lease), &iov, 1);
	conns_rig_run_until(t->rig, has_echo, t);
	CHECK(strcmp(t->text, "ping") == 0);
}

static bool has_received(void *taker)
{
	struct taker *t = taker;

	return t->received >= t->awaited;
}

void taker_exchange(struct taker *t, size_t n)
{
	struct iovec iov = {xcalloc(1, n), n};

	t->received = 0;
	t->awaited = n;
	stream_write(lease_stream(&t->lease), &iov, 1);
	conns_rig_run_until(t->rig, has_received, t);
	CHECK(t->received == n);
	free(iov.iov_base);
}
