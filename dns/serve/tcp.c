/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP, see tcp.h. Queries may be pipelined and are answered in order. A connection holds
 * one buffer, only while bytes of an incomplete or unanswered query are in it; it reads no further
 * while its client does not take what it was told, so both directions are bounded by one message.
 */
#define LOG_MODULE LOG_DNS
#include "dns/serve/tcp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/acceptor.h"
#include "core/net/stream.h"
#include "dns/answer/answer.h"
#include "dns/serve/counters.h"
#include "dns/serve/service.h"

#define TCP_MAGIC 0x44746370u
#define CONN_MAGIC 0x44636f6eu

#define LENGTH_PREFIX 2

/* Room for a query of usual size and some more in the pipeline; grows to the largest message. */
#define BUFFER_START 1024

/* Then the loop's others have their turn. */
#define QUERIES_PER_TURN 64

struct conn {
	unsigned magic;
	struct dns_tcp *tcp;
	TAILQ_ENTRY(conn) link;
	struct stream *stream;
	struct net_addr remote;
	struct deadline idle;
	struct loop_task go_on; /* queued: has more to answer */
	uint8_t *in;            /* NULL while nothing is in it */
	size_t in_len, in_size;
	bool blocked; /* the client does not take its responses */
};

TAILQ_HEAD(conn_list, conn);

struct dns_tcp {
	unsigned magic;
	struct dns_service *service;
	struct acceptor *acceptor;
	struct conn_list conns; /* the one that was quiet for longest first */
	unsigned n_conns;
	uint8_t out[LENGTH_PREFIX + DNS_TCP_PAYLOAD];
};

static void conn_end(struct conn **connp, const char *why)
{
	struct conn *c = TAKE(connp);
	struct dns_tcp *t = c->tcp;

	log_debug("tcp %s: ends: %s", net_addr_shown(&c->remote), why);
	TAILQ_REMOVE(&t->conns, c, link);
	t->n_conns--;
	metrics_add(t->service->metrics, t->service->loop, DNS_TCP_OPEN, -1);
	deadline_fini(&c->idle);
	loop_task_cancel(t->service->loop, &c->go_on);
	if (c->stream != NULL)
		stream_destroy(&c->stream);
	free(c->in);
	c->magic = MAGIC_DEAD;
	free(c);
}

static void idle_fire(struct deadline *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, idle);

	MAGIC_CHECK(c, CONN_MAGIC);
	conn_end(&c, "it was quiet");
}

/* Length of the first message in the buffer with its prefix; 0: not known yet. */
static size_t message_size(const struct conn *c)
{
	return c->in_len < LENGTH_PREFIX ? 0 : LENGTH_PREFIX + (c->in[0] << 8 | c->in[1]);
}

static void answer_one(struct conn *c, const uint8_t *query, size_t len)
{
	struct dns_tcp *t = c->tcp;
	size_t size = dns_service_answer(t->service, &c->remote, true, query, len,
					 t->out + LENGTH_PREFIX, DNS_TCP_PAYLOAD);

	if (size == 0)
		return;
	t->out[0] = size >> 8;
	t->out[1] = size & 0xff;
	c->blocked = !stream_write(
	    c->stream, &(struct iovec){.iov_base = t->out, .iov_len = LENGTH_PREFIX + size}, 1);
}

/* An idle connection holds no buffer. */
static void drop_empty(struct conn *c)
{
	if (c->in_len > 0)
		return;
	free(c->in);
	c->in = NULL;
	c->in_size = 0;
}

/* Answers complete queries in the buffer, at most *budget of them. */
static void answer_buffered(struct conn *c, unsigned *budget)
{
	size_t done = 0, all = c->in_len;

	while (!c->blocked && *budget > 0 && all - done >= LENGTH_PREFIX) {
		size_t len = c->in[done] << 8 | c->in[done + 1];

		if (all - done < LENGTH_PREFIX + len)
			break;
		answer_one(c, c->in + done + LENGTH_PREFIX, len);
		done += LENGTH_PREFIX + len;
		--*budget;
	}
	if (done == 0)
		return;
	deadline_set(&c->idle, DNS_TCP_IDLE);
	TAILQ_REMOVE(&c->tcp->conns, c, link);
	TAILQ_INSERT_TAIL(&c->tcp->conns, c, link);
	c->in_len -= done;
	memmove(c->in, c->in + done, c->in_len);
	drop_empty(c);
}

/* Room for the rest of the first message, at least. False when memory is gone. */
static bool make_room(struct conn *c)
{
	size_t need = MAX(message_size(c), BUFFER_START);
	uint8_t *grown;

	if (need <= c->in_size)
		return true;
	grown = realloc(c->in, need);
	if (grown == NULL)
		return false;
	c->in = grown;
	c->in_size = need;
	return true;
}

/* Answers and reads until one of them has to wait. The connection may be gone afterwards. */
static void serve(struct conn *c)
{
	unsigned budget = QUERIES_PER_TURN;

	for (;;) {
		answer_buffered(c, &budget);
		if (c->blocked) {
			stream_pause(c->stream);
			return; /* drained() goes on */
		}
		if (budget == 0) {
			stream_pause(c->stream);
			loop_queue_background(c->tcp->service->loop, &c->go_on);
			return;
		}
		if (!make_room(c)) {
			conn_end(&c, "no memory");
			return;
		}
		ssize_t n = stream_read(c->stream, c->in + c->in_len, c->in_size - c->in_len);

		if (n == STREAM_AGAIN)
			break;
		if (n <= 0) {
			/* A client that is done asking may still be reading. */
			if (n == STREAM_EOF)
				stream_close(&c->stream, DNS_TCP_IDLE);
			conn_end(&c, "its client has ended it");
			return;
		}
		c->in_len += n;
	}
	drop_empty(c);
}

static void readable_cb(void *arg)
{
	struct conn *c = arg;

	MAGIC_CHECK(c, CONN_MAGIC);
	serve(c);
}

/* What was read already would wake nobody. */
static void go_on(struct loop_task *task)
{
	struct conn *c = CONTAINER_OF(task, struct conn, go_on);

	MAGIC_CHECK(c, CONN_MAGIC);
	stream_resume(c->stream);
	serve(c);
}

static void drained_cb(void *arg)
{
	struct conn *c = arg;

	MAGIC_CHECK(c, CONN_MAGIC);
	if (!c->blocked)
		return;
	c->blocked = false;
	loop_queue_background(c->tcp->service->loop, &c->go_on);
}

static void failed_cb(void *arg)
{
	struct conn *c = arg;

	MAGIC_CHECK(c, CONN_MAGIC);
	conn_end(&c, stream_fault_detail(c->stream));
}

static const struct stream_ops conn_ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct dns_tcp *t = arg;
	struct conn *c = calloc(1, sizeof(*c));

	MAGIC_CHECK(t, TCP_MAGIC);
	if (c == NULL) {
		close(fd);
		return;
	}
	c->magic = CONN_MAGIC;
	c->tcp = t;
	c->remote = *remote;
	c->go_on = (struct loop_task){.run = go_on};
	c->stream = stream_create(t->service->buffers, fd, &conn_ops, c);
	if (c->stream == NULL) {
		free(c);
		return;
	}
	if (t->n_conns == t->service->tcp_connections) {
		struct conn *quiet = TAILQ_FIRST(&t->conns);

		conn_end(&quiet, "it gives way to a newcomer");
	}
	deadline_init(&c->idle, t->service->loop, idle_fire);
	deadline_set(&c->idle, DNS_TCP_IDLE);
	log_debug("tcp %s: accepted on fd %d by %s", net_addr_shown(remote), fd,
		  loop_name(t->service->loop));
	TAILQ_INSERT_TAIL(&t->conns, c, link);
	t->n_conns++;
	metrics_add(t->service->metrics, t->service->loop, DNS_TCP_CONNECTIONS_TOTAL, 1);
	metrics_add(t->service->metrics, t->service->loop, DNS_TCP_OPEN, 1);
}

struct dns_tcp *dns_tcp_create(struct dns_service *service, int fd)
{
	struct dns_tcp *t = xcalloc(1, sizeof(*t));

	t->magic = TCP_MAGIC;
	t->service = service;
	TAILQ_INIT(&t->conns);
	t->acceptor = acceptor_create(service->loop, fd, "DNS connections", accepted, t);
	acceptor_start(t->acceptor);
	return t;
}

void dns_tcp_destroy(struct dns_tcp **tcp)
{
	struct dns_tcp *t = TAKE(tcp);
	struct conn *c;

	if (t == NULL)
		return;
	while ((c = TAILQ_FIRST(&t->conns)) != NULL)
		conn_end(&c, "the program ends");
	acceptor_destroy(&t->acceptor);
	t->magic = MAGIC_DEAD;
	free(t);
}
