/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests to servers that kill connections at any moment, by FIN and by RST, and count what they
 * have done: nothing that must not be done twice is, nothing that may be tried again is lost, and
 * what is sent again is the same. PERIGEE_KILLED_REQUESTS is how many requests; a million by hand.
 *
 * Each server is a thread that accepts, and one for each connection. It kills before it reads a
 * request, after the head, in the midst of the content, when it has done what was asked, and in the
 * midst of head and content of its response.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/rig.h"

#define SERVERS 2
#define CALLS 48
/* Kept, and sent again; some content is longer. */
#define KEPT 1024
#define CONTENT_MAX 1500
#define ATTEMPTS 10

enum fate {
	LIVES,
	DIES_IDLE,
	DIES_AT_HEAD,
	DIES_IN_CONTENT,
	DIES_DONE,
	DIES_IN_HEAD,
	DIES_IN_BODY
};

/* Of each request, by its number. */
struct record {
	_Atomic uint8_t seen, done;
	_Atomic uint8_t fate; /* of the last attempt that was seen */
};

struct killer {
	int listener;
	struct net_addr addr;
	pthread_t thread;
	struct record *records;
	_Atomic unsigned n_conns, n_wrong;
	_Atomic unsigned n_fates[DIES_IN_BODY + 1];
	_Atomic uint64_t seed;
};

struct conn {
	struct killer *killer;
	int fd;
	bool served; /* a request before this one */
	char text[4096];
	size_t n;
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static uint64_t scramble(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static unsigned percent(struct killer *k)
{
	return scramble(atomic_fetch_add(&k->seed, 1)) % 100;
}

static enum fate choose(struct killer *k)
{
	static const unsigned shares[] = {
	    [DIES_IDLE] = 4, [DIES_AT_HEAD] = 4, [DIES_IN_CONTENT] = 4,
	    [DIES_DONE] = 4, [DIES_IN_HEAD] = 2, [DIES_IN_BODY] = 2};
	unsigned n = percent(k);

	for (unsigned i = 1; i < ARRAY_SIZE(shares); i++) {
		if (n < shares[i])
			return (enum fate)i;
		n -= shares[i];
	}
	return LIVES;
}

/* False: the connection has ended. */
static bool read_more(struct conn *c)
{
	ssize_t n = recv(c->fd, c->text + c->n, sizeof(c->text) - 1 - c->n, 0);

	if (n <= 0)
		return false;
	c->n += (size_t)n;
	c->text[c->n] = '\0';
	return true;
}

static char content_of(unsigned number, size_t i)
{
	return (char)('a' + (number + i) % 26);
}

struct asked {
	unsigned number;
	size_t length; /* of the content */
	size_t head;   /* of the head */
};

static bool read_head(struct conn *c, struct asked *asked)
{
	const char *end, *length;

	while (!(end = c->n > 0 ? strstr(c->text, "\r\n\r\n") : NULL)) {
		if (!read_more(c))
			return false;
	}
	asked->number = (unsigned)strtoul(strchr(c->text, '/') + 1, NULL, 10);
	length = strstr(c->text, "Content-Length: ");
	asked->length = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	asked->head = (size_t)(end - c->text) + 4;
	return true;
}

static bool read_content(struct conn *c, const struct asked *asked, size_t n)
{
	while (c->n < asked->head + n) {
		if (!read_more(c))
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (c->text[asked->head + i] != content_of(asked->number, i)) {
			atomic_fetch_add(&c->killer->n_wrong, 1);
			return true;
		}
	}
	return true;
}

/* What was read is done with; the next request may follow. */
static void forget(struct conn *c, const struct asked *asked)
{
	size_t n = asked->head + asked->length;

	c->n -= n;
	memmove(c->text, c->text + n, c->n + 1);
}

/* False: it dies, or has ended. */
static bool serve(struct conn *c, enum fate fate)
{
	struct killer *k = c->killer;
	struct record *record;
	struct asked asked;

	if (fate == DIES_IDLE) {
		char byte;

		/* A new one that is closed at once would be none. */
		if (!c->served)
			recv(c->fd, &byte, 1, MSG_PEEK);
		return false;
	}
	if (!read_head(c, &asked))
		return false;
	record = &k->records[asked.number];
	atomic_store(&record->fate, (uint8_t)fate);
	atomic_fetch_add(&record->seen, 1);
	if (fate == DIES_AT_HEAD ||
	    !read_content(c, &asked, fate == DIES_IN_CONTENT ? asked.length / 2 : asked.length))
		return false;
	if (fate == DIES_IN_CONTENT)
		return false;
	atomic_fetch_add(&record->done, 1);
	if (fate == DIES_DONE)
		return false;
	if (fate == DIES_IN_HEAD || fate == DIES_IN_BODY) {
		send(c->fd, answer, fate == DIES_IN_HEAD ? 9 : sizeof(answer) - 4, MSG_NOSIGNAL);
		return false;
	}
	forget(c, &asked);
	c->served = true;
	return send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == sizeof(answer) - 1;
}

static void *run_conn(void *arg)
{
	static const struct linger now = {.l_onoff = 1};
	struct conn *c = arg;
	struct killer *k = c->killer;
	enum fate fate;

	do {
		fate = choose(k);
		atomic_fetch_add(&k->n_fates[fate], 1);
	} while (serve(c, fate));
	if (percent(k) < 50)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	free(c);
	atomic_fetch_sub(&k->n_conns, 1);
	return NULL;
}

static void *run_killer(void *arg)
{
	struct killer *k = arg;
	pthread_attr_t attr;
	int fd;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((fd = accept(k->listener, NULL, NULL)) >= 0) {
		struct conn *c = xcalloc(1, sizeof(*c));
		pthread_t thread;

		*c = (struct conn){.killer = k, .fd = fd};
		atomic_fetch_add(&k->n_conns, 1);
		CHECK(pthread_create(&thread, &attr, run_conn, c) == 0);
	}
	pthread_attr_destroy(&attr);
	return NULL;
}

static void killer_start(struct killer *k, struct record *records, uint64_t seed)
{
	socklen_t len = sizeof(k->addr);

	*k = (struct killer){.records = records, .seed = seed};
	k->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	k->addr.in =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CHECK(bind(k->listener, &k->addr.sa, sizeof(k->addr.in)) == 0);
	CHECK(getsockname(k->listener, &k->addr.sa, &len) == 0);
	CHECK(listen(k->listener, 1024) == 0);
	CHECK(pthread_create(&k->thread, NULL, run_killer, k) == 0);
}

static void killer_stop(struct killer *k)
{
	shutdown(k->listener, SHUT_RDWR);
	pthread_join(k->thread, NULL);
	while (atomic_load(&k->n_conns) > 0)
		usleep(1000);
	close(k->listener);
}

/* The requests */

struct load {
	struct rig *rig;
	struct record *records;
	unsigned n, started, ended;
	unsigned failed, again, exhausted, too_long, begun;
	struct {
		struct call call;
		unsigned number;
		char target[16], content[CONTENT_MAX + 1];
		bool runs;
	} calls[CALLS];
};

/* A third each; content of any length for two of three PUTs and POSTs. */
static const char *method_of(unsigned number)
{
	static const char *const methods[] = {"GET", "PUT", "POST"};

	return methods[scramble(number) % 3];
}

static size_t length_of(unsigned number)
{
	uint64_t random = scramble(number + (UINT64_C(1) << 40));

	if (method_of(number)[0] == 'G' || random % 3 == 0)
		return 0;
	return 1 + random / 3 % CONTENT_MAX;
}

static void start(struct load *l, unsigned i)
{
	struct call *c = &l->calls[i].call;
	unsigned number = l->started++;
	size_t length = length_of(number);

	l->calls[i].number = number;
	l->calls[i].runs = true;
	snprintf(l->calls[i].target, sizeof(l->calls[i].target), "/%u", number);
	call_init(c, l->rig, method_of(number), l->calls[i].target);
	if (length > 0) {
		for (size_t j = 0; j < length; j++)
			l->calls[i].content[j] = content_of(number, j);
		l->calls[i].content[length] = '\0';
		c->head.framing = HTTP_FRAMING_LENGTH;
		c->head.content_length = length;
		call_set_body(c, l->calls[i].content, 1);
	}
	call_start(c, l->rig->worker);
}

/* A safe request may fail when an answer had begun, when it was tried as often as may be, or when
 * there was more content than is kept, of which some was sent. */
static void judge(struct load *l, unsigned number, const struct call *c)
{
	struct record *record = &l->records[number];
	uint8_t fate = atomic_load(&record->fate);
	bool post = method_of(number)[1] == 'O';
	bool failed = c->status != 200 || c->n_body != 5;

	l->again += c->facts.retries;
	if (post && (atomic_load(&record->done) > 1 || atomic_load(&record->seen) > 1))
		fail_msg("POST %u was seen %u times, done %u times", number, record->seen,
			 record->done);
	if (!failed && atomic_load(&record->done) == 0)
		fail_msg("%s %u was answered, and never done", method_of(number), number);
	l->failed += failed;
	if (!failed || post)
		return;
	if (atomic_load(&record->seen) > 0 && (fate == DIES_IN_HEAD || fate == DIES_IN_BODY))
		l->begun++;
	else if (c->facts.retries >= ATTEMPTS)
		l->exhausted++;
	else if (length_of(number) > KEPT)
		l->too_long++;
	else
		fail_msg("%s %u is lost: %s after %u repetitions, fate %u, seen %u",
			 method_of(number), number, reason_text(c->reset), c->facts.retries, fate,
			 record->seen);
}

static void run(struct load *l)
{
	for (unsigned i = 0; i < CALLS && l->started < l->n; i++)
		start(l, i);
	while (l->ended < l->n) {
		loop_run(l->rig->group->control);
		for (unsigned i = 0; i < CALLS; i++) {
			struct call *c = &l->calls[i].call;

			if (!l->calls[i].runs || c->n_ends == 0)
				continue;
			call_close(c);
			judge(l, l->calls[i].number, c);
			call_fini(c);
			l->calls[i].runs = false;
			l->ended++;
			if (l->started < l->n)
				start(l, i);
		}
	}
}

static void test_killed(void **state)
{
	const char *n = getenv("PERIGEE_KILLED_REQUESTS");
	struct load *l = xcalloc(1, sizeof(*l));
	static const enum cfg_retry_after all[] = {CFG_RETRY_CONNECT, CFG_RETRY_IDLE,
						   CFG_RETRY_RESET};
	struct rig *rig = *state;
	struct killer killers[SERVERS];
	struct net_addr nobody;

	l->rig = rig;
	l->n = n ? (unsigned)strtoul(n, NULL, 10) : 20000;
	l->records = xcalloc(l->n, sizeof(*l->records));
	rig->origin.retries.attempts = ATTEMPTS;
	rig->origin.retries.after = (enum cfg_retry_after *)all;
	rig->origin.retries.n_after = ARRAY_SIZE(all);
	rig->origin.retries.body = KEPT;
	rig->origin.retries.budget.share = 100;
	rig->origin.retries.budget.min = 1000000;
	for (unsigned i = 0; i < SERVERS; i++) {
		killer_start(&killers[i], l->records, (uint64_t)i << 32);
		rig_add_server(rig, &killers[i].addr);
	}
	/* And one that refuses all. */
	close(black_hole_open(&nobody));
	rig_add_server(rig, &nobody);
	rig_open(rig);
	rig_settle(rig);
	run(l);
	rig_close(rig);
	for (unsigned i = 0; i < SERVERS; i++) {
		killer_stop(&killers[i]);
		assert_int_equal(killers[i].n_wrong, 0);
		for (unsigned j = 0; j < ARRAY_SIZE(killers[i].n_fates); j++)
			assert_true(killers[i].n_fates[j] > 0);
	}
	print_message("%u requests, %u tried again, %u failed; of the safe ones %u in an answer "
		      "that had begun, %u with more content than is kept, %u after %u attempts\n",
		      l->n, l->again, l->failed, l->begun, l->too_long, l->exhausted, ATTEMPTS);
	assert_int_equal(l->exhausted, 0);
	assert_true(l->again > l->n / 20);
	assert_true(l->begun > 0);
	assert_int_equal(rig->worker->kept, 0);
	free(l->records);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
