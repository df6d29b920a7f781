/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What it costs to take an idle connection to an origin and to give it back, with eight threads at
 * it: each on its own loop, all at one endpoint. Nothing is sent over the connections, whose other
 * ends are in this process. Prints the medians in microseconds as JSON; looking at the clock
 * included.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "origin-link/conns/conns_internal.h"
#include "origin-link/conns/transport.h"
#include "tests/bench/load.h"

#define N_THREADS 8
#define IDLE 16      /* connections of each */
#define PER_TURN 256 /* of a loop, which has mail to read in between */
#define N_TURNS 2000
#define N_USES (PER_TURN * N_TURNS)

static const struct lease_terms terms = {
    .max_idle = 1024,
    .max_connections = 1024,
    .max_waiting = 1024,
    .max_age = DUR_S(3600),
    .idle_timeout = DUR_S(3600),
    .connect_timeout = DUR_S(3),
    .queue_timeout = DUR_S(3),
};

static struct bench {
	struct loop_group *group;
	struct endpoint *e;
	_Atomic unsigned running;
} bench;

struct user {
	struct stream_buffers *buffers;
	struct conns *conns;
	struct lease lease;
	struct loop_task turn;
	unsigned n_turns;
	int far_ends[IDLE];
	unsigned *take, *give; /* ns each */
};

static void nothing(void *arg)
{
}

static const struct stream_ops ops = {.readable = nothing, .drained = nothing, .failed = nothing};

static void no_news(struct lease *l, enum reason reason, const char *detail)
{
}

static void use(struct user *u, unsigned i)
{
	const struct lease_order order = {.endpoint = bench.e, .terms = terms, .time = DUR_S(3)};
	mono_time before = clock_mono(), between;
	enum reason reason;

	CHECK(lease_take(&u->lease, &order, &reason) == LEASE_READY);
	between = clock_mono();
	lease_end(&u->lease, true);
	u->take[i] = (unsigned)mono_since(between, before).ns;
	u->give[i] = (unsigned)mono_since(clock_mono(), between).ns;
}

static void again(void *arg);

static void turn(struct loop_task *task)
{
	struct user *u = CONTAINER_OF(task, struct user, turn);

	for (unsigned i = 0; i < PER_TURN; i++)
		use(u, u->n_turns * PER_TURN + i);
	if (++u->n_turns < N_TURNS)
		loop_post_mt(u->conns->loop, again, u);
	else if (atomic_fetch_sub(&bench.running, 1) == 1)
		loop_stop_mt(bench.group->control);
}

static void again(void *arg)
{
	struct user *u = arg;

	loop_defer(u->conns->loop, &u->turn);
}

static void begin(void *arg)
{
	struct user *u = arg;

	for (unsigned i = 0; i < IDLE; i++) {
		struct origin_conn *conn;
		int fds[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
		u->far_ends[i] = fds[1];
		CHECK(endpoint_reserve(u->conns, bench.e, &terms) == ROOM_TAKEN);
		conn = origin_conn_create(u->conns, bench.e, NULL,
					  stream_create(u->buffers, fds[0], &ops, NULL));
		CHECK(conn);
		origin_conn_freed(conn, &terms);
		sharing_conn_free(conn);
	}
	again(u);
}

static int by_size(const void *a, const void *b)
{
	return *(const unsigned *)a > *(const unsigned *)b ? 1 : -1;
}

static double median(struct user *users, bool take)
{
	unsigned *all = xmalloc(sizeof(*all) * N_USES * N_THREADS), n = 0;
	double result;

	for (unsigned i = 0; i < N_THREADS; i++) {
		const unsigned *from = take ? users[i].take : users[i].give;

		for (unsigned k = 0; k < N_USES; k++)
			all[n++] = from[k];
	}
	qsort(all, n, sizeof(*all), by_size);
	result = all[n / 2] / 1000.0;
	free(all);
	return result;
}

int main(void)
{
	struct transport *plain = transport_plain();
	struct metrics *metrics = olink_counters_create(N_THREADS + 1);
	struct user *users = xcalloc(N_THREADS, sizeof(*users));
	struct conns_node *node;
	struct net_addr addr;

	CHECK(net_addr_parse("192.0.2.1:80", 0, &addr));
	bench.group = loop_group_create(N_THREADS);
	node = conns_node_create(bench.group, metrics);
	bench.e = endpoint_take(node, &addr, plain);
	bench.running = N_THREADS;
	for (unsigned i = 0; i < N_THREADS; i++) {
		struct user *u = &users[i];

		u->buffers = stream_buffers_create(bench.group->workers[i]);
		u->conns = conns_create(node, u->buffers);
		u->turn.run = turn;
		u->take = xcalloc(N_USES, sizeof(*u->take));
		u->give = xcalloc(N_USES, sizeof(*u->give));
		lease_init(&u->lease, u->conns, &ops, u, no_news);
		loop_post_mt(bench.group->workers[i], begin, u);
	}
	CHECK(loop_group_start_workers(bench.group));
	loop_run(bench.group->control);
	loop_group_stop_workers(bench.group);
	load_print(json_pack("{s:I s:f s:f}", "operations", (json_int_t)N_USES * N_THREADS,
			     "take_us", median(users, true), "give_us", median(users, false)));
	for (unsigned i = 0; i < N_THREADS; i++) {
		conns_destroy(&users[i].conns);
		stream_buffers_destroy(&users[i].buffers);
		for (unsigned k = 0; k < IDLE; k++)
			close(users[i].far_ends[k]);
		free(users[i].take);
		free(users[i].give);
	}
	endpoint_give(&bench.e);
	conns_node_destroy(&node);
	loop_group_destroy(&bench.group);
	metrics_destroy(&metrics);
	transport_unref(&plain);
	free(users);
	return 0;
}
