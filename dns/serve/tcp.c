/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP, see tcp.h. Queries may be pipelined and are answered in order. A connection holds
 * one buffer, only while bytes of an incomplete or unanswered query are in it; it reads no further
 * while its client does not take what it was told, so both directions are bounded by one message.
 *
 * Nothing but an answer gives a connection more time: a message that is met with silence ends it,
 * and one that comes in pieces has its own deadline, which the pieces do not move.
 *
 *   state      what is in `in`                          the deadline is
 *   QUIET      nothing, or messages for the next turn   DNS_TCP_IDLE after the last answer
 *   PARTIAL    the beginning of a message               DNS_TCP_MESSAGE after its first byte
 *   BLOCKED    anything: responses are queued           DNS_TCP_IDLE after the last answer
 */
#define LOG_MODULE LOG_DNS
#include "dns/serve/tcp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <unistd.h>

#include <libknot/packet/wire.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/acceptor.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "dns/answer/answer.h"
#include "dns/serve/counters.h"
#include "dns/serve/holders.h"
#include "dns/serve/service.h"

#define TCP_MAGIC 0x44746370u
#define CONN_MAGIC 0x44636f6eu

#define LENGTH_PREFIX 2

/* Room for a query of usual size and some more in the pipeline; grows to the largest message. */
#define BUFFER_START 1024

/* Then the loop's others have their turn. */
#define QUERIES_PER_TURN 64

enum conn_state { QUIET, PARTIAL, BLOCKED };

struct conn {
	unsigned magic;
	struct dns_tcp *tcp;
	TAILQ_ENTRY(conn) link;
	struct dns_holding holding;
	struct stream *stream;
	struct net_addr remote, local;
	enum conn_state state;
	struct deadline deadline;
	struct loop_task go_on; /* queued: has more to answer, or is to end */
	uint8_t *in;            /* NULL while nothing is in it */
	size_t in_len, in_size;
};

TAILQ_HEAD(conn_list, conn);

struct dns_tcp {
	unsigned magic;
	struct dns_service *service;
	struct acceptor *acceptor; /* NULL: finishing */
	struct conn_list conns;
	struct dns_holders *holders; /* of them */
	uint8_t out[LENGTH_PREFIX + DNS_TCP_PAYLOAD];
};

/* The connection's end, for `why`; its stream is the caller's. */
static struct stream *conn_end(struct conn **connp, const char *why)
{
	struct conn *c = TAKE(connp);
	struct dns_tcp *t = c->tcp;
	struct stream *stream = c->stream;

	log_debug("tcp %s: ends: %s", net_addr_shown(&c->remote), why);
	TAILQ_REMOVE(&t->conns, c, link);
	dns_holders_remove(t->holders, &c->holding);
	metrics_add(t->service->metrics, t->service->loop, DNS_TCP_OPEN, -1);
	deadline_fini(&c->deadline);
	loop_task_cancel(t->service->loop, &c->go_on);
	free(c->in);
	c->magic = MAGIC_DEAD;
	free(c);
	return stream;
}

/* What has been answered goes out first; for `linger` the client may be slow with it. */
static void conn_close(struct conn **connp, duration linger, const char *why)
{
	struct stream *stream = conn_end(connp, why);

	stream_close(&stream, linger);
}

static void conn_cut(struct conn **connp, const char *why)
{
	struct stream *stream = conn_end(connp, why);

	stream_destroy(&stream);
}

static void count(const struct dns_tcp *t, enum dns_counter id)
{
	metrics_add(t->service->metrics, t->service->loop, id, 1);
}

static void deadline_fire(struct deadline *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, deadline);

	MAGIC_CHECK(c, CONN_MAGIC);
	count(c->tcp, DNS_TCP_TIMED_OUT);
	conn_cut(&c, c->state == PARTIAL   ? "its message did not end"
		     : c->state == BLOCKED ? "it took no responses"
					   : "it was quiet");
}

/* Length of the first message in the buffer with its prefix; 0: not known yet. */
static size_t message_size(const struct conn *c)
{
	return c->in_len < LENGTH_PREFIX ? 0 : LENGTH_PREFIX + (c->in[0] << 8 | c->in[1]);
}

/* False: it is none that could be answered. */
static bool answer_one(struct conn *c, const struct dns_request *request)
{
	struct dns_tcp *t = c->tcp;
	size_t size =
	    dns_service_answer(t->service, request, t->out + LENGTH_PREFIX, DNS_TCP_PAYLOAD);

	if (size == 0)
		return false;
	t->out[0] = size >> 8;
	t->out[1] = size & 0xff;
	if (!stream_write(c->stream,
			  &(struct iovec){.iov_base = t->out, .iov_len = LENGTH_PREFIX + size}, 1))
		c->state = BLOCKED;
	return true;
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

static void answered(struct conn *c, size_t octets)
{
	deadline_set(&c->deadline, DNS_TCP_IDLE);
	dns_holders_renew(&c->holding, loop_now(c->tcp->service->loop));
	if (c->state == PARTIAL)
		c->state = QUIET;
	c->in_len -= octets;
	memmove(c->in, c->in + octets, c->in_len);
	drop_empty(c);
}

/* Answers complete queries in the buffer, at most *budget of them. False: there is one that cannot
 * be answered, behind those that were. */
static bool answer_buffered(struct conn *c, unsigned *budget)
{
	struct dns_request request = dns_service_request(c->tcp->service, DNS_TCP);
	size_t done = 0, all = c->in_len;
	bool good = true;

	request.remote = c->remote;
	request.local = c->local;
	while (c->state != BLOCKED && *budget > 0 && all - done >= LENGTH_PREFIX) {
		request.wire = c->in + done + LENGTH_PREFIX;
		request.len = c->in[done] << 8 | c->in[done + 1];
		good = request.len >= KNOT_WIRE_HEADER_SIZE;
		if (!good || all - done < LENGTH_PREFIX + request.len)
			break;
		good = answer_one(c, &request);
		if (!good)
			break;
		done += LENGTH_PREFIX + request.len;
		--*budget;
	}
	if (done > 0)
		answered(c, done);
	return good;
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

/* > 0, or an enum stream_status; the connection may be gone unless it is > 0 or STREAM_AGAIN. */
static ssize_t read_more(struct conn *c)
{
	ssize_t n;

	if (!make_room(c)) {
		conn_cut(&c, "no memory");
		return STREAM_ERROR;
	}
	n = stream_read(c->stream, c->in + c->in_len, c->in_size - c->in_len);
	if (n > 0)
		c->in_len += n;
	else if (n == STREAM_EOF)
		/* A client that is done asking may still be reading. */
		conn_close(&c, DNS_TCP_IDLE, "its client has ended it");
	else if (n == STREAM_ERROR)
		conn_cut(&c, stream_fault_detail(c->stream));
	return n;
}

/* All that has come was answered, or is the beginning of something. */
static void wait_for_more(struct conn *c)
{
	int unread = 0;

	drop_empty(c);
	if (c->tcp->acceptor == NULL) {
		/* Nothing to read can also mean that it was enough for one turn. */
		(void)ioctl(stream_fd(c->stream), FIONREAD, &unread);
		if (unread == 0)
			conn_close(&c, DNS_TCP_IDLE, "the program ends");
		return;
	}
	if (c->in_len == 0 || c->state == PARTIAL)
		return;
	c->state = PARTIAL;
	deadline_set(&c->deadline, DNS_TCP_MESSAGE);
}

/* Answers and reads until one of them has to wait. The connection may be gone afterwards. */
static void serve(struct conn *c)
{
	unsigned budget = QUERIES_PER_TURN;
	ssize_t n;

	do {
		if (!answer_buffered(c, &budget)) {
			count(c->tcp, DNS_TCP_MALFORMED);
			conn_close(&c, DNS_TCP_IDLE, "it sent what is no query");
			return;
		}
		if (c->state == BLOCKED) {
			stream_pause(c->stream);
			return; /* drained() goes on */
		}
		if (budget == 0) {
			stream_pause(c->stream);
			loop_queue_background(c->tcp->service->loop, &c->go_on);
			return;
		}
		n = read_more(c);
	} while (n > 0);
	if (n == STREAM_AGAIN)
		wait_for_more(c);
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
	if (c->state != BLOCKED)
		return;
	c->state = QUIET;
	loop_queue_background(c->tcp->service->loop, &c->go_on);
}

static void failed_cb(void *arg)
{
	struct conn *c = arg;

	MAGIC_CHECK(c, CONN_MAGIC);
	conn_cut(&c, stream_fault_detail(c->stream));
}

static const struct stream_ops conn_ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void make_place(struct dns_tcp *t, const struct net_addr *newcomer)
{
	struct dns_holding *holding = dns_holders_give_way(t->holders, newcomer);
	struct conn *c;

	if (holding == NULL)
		return;
	c = CONTAINER_OF(holding, struct conn, holding);
	MAGIC_CHECK(c, CONN_MAGIC);
	count(t, DNS_TCP_DISPLACED);
	conn_close(&c, DUR_S(0), "it gives way to a newcomer");
}

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct dns_tcp *t = arg;
	struct conn *c = calloc(1, sizeof(*c));

	MAGIC_CHECK(t, TCP_MAGIC);
	if (c == NULL || sock_local_addr(fd, &c->local) < 0) {
		close(fd);
		free(c);
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
	make_place(t, remote);
	dns_holders_add(t->holders, &c->holding, remote, loop_now(t->service->loop));
	TAILQ_INSERT_TAIL(&t->conns, c, link);
	deadline_init(&c->deadline, t->service->loop, deadline_fire);
	deadline_set(&c->deadline, DNS_TCP_IDLE);
	log_debug("tcp %s: accepted on fd %d by %s", net_addr_shown(remote), fd,
		  loop_name(t->service->loop));
	count(t, DNS_TCP_CONNECTIONS_TOTAL);
	count(t, DNS_TCP_OPEN);
}

struct dns_tcp *dns_tcp_create(struct dns_service *service, int fd)
{
	struct dns_tcp *t = xcalloc(1, sizeof(*t));

	t->magic = TCP_MAGIC;
	t->service = service;
	TAILQ_INIT(&t->conns);
	t->holders = dns_holders_create(service->tcp_connections);
	t->acceptor = acceptor_create(service->loop, fd, "DNS connections", accepted, t);
	acceptor_start(t->acceptor);
	return t;
}

void dns_tcp_finish(struct dns_tcp *t)
{
	struct conn *c;

	MAGIC_CHECK(t, TCP_MAGIC);
	acceptor_drain(t->acceptor, t->service->tcp_connections);
	acceptor_destroy(&t->acceptor);
	TAILQ_FOREACH (c, &t->conns, link) {
		if (c->state != BLOCKED)
			loop_queue_background(t->service->loop, &c->go_on);
	}
}

bool dns_tcp_is_finished(const struct dns_tcp *t)
{
	return t->acceptor == NULL && TAILQ_EMPTY(&t->conns);
}

void dns_tcp_destroy(struct dns_tcp **tcp)
{
	struct dns_tcp *t = TAKE(tcp);
	struct conn *c;

	if (t == NULL)
		return;
	while ((c = TAILQ_FIRST(&t->conns)) != NULL)
		conn_cut(&c, "the program ends");
	acceptor_destroy(&t->acceptor);
	dns_holders_destroy(&t->holders);
	t->magic = MAGIC_DEAD;
	free(t);
}
