/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See scripted_origin.h. The script's thread owns the connection; the listener is closed by
 * origin_finish().
 */
#include "tests/support/scripted_origin.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"

#define PATIENCE_S 10

static void fail(struct scripted_origin *o, const char *what)
{
	if (!o->failure)
		o->failure = what;
}

static void set_patience(int fd)
{
	struct timeval tv = {.tv_sec = PATIENCE_S};

	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
}

static void *run(void *arg)
{
	struct scripted_origin *o = arg;

	o->script(o, o->arg);
	origin_cut(o);
	return NULL;
}

struct scripted_origin *origin_start(void (*script)(struct scripted_origin *o, void *arg),
				     void *arg)
{
	return origin_start_tls(script, arg, NULL);
}

struct scripted_origin *origin_start_tls(void (*script)(struct scripted_origin *o, void *arg),
					 void *arg, gnutls_certificate_credentials_t credentials)
{
	struct scripted_origin *o = xcalloc(1, sizeof(*o));
	socklen_t len = sizeof(o->addr.in);

	o->script = script;
	o->arg = arg;
	o->credentials = credentials;
	o->conn = -1;
	sem_init(&o->go, 0, 0);
	sem_init(&o->told, 0, 0);
	o->addr.in.sin_family = AF_INET;
	o->addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(o->listener >= 0);
	set_patience(o->listener);
	CHECK(bind(o->listener, &o->addr.sa, len) == 0);
	CHECK(listen(o->listener, 64) == 0);
	CHECK(getsockname(o->listener, &o->addr.sa, &len) == 0);
	CHECK(pthread_create(&o->thread, NULL, run, o) == 0);
	return o;
}

const char *origin_finish(struct scripted_origin **op)
{
	struct scripted_origin *o = TAKE(op);
	const char *failure;

	pthread_join(o->thread, NULL);
	close(o->listener);
	sem_destroy(&o->go);
	sem_destroy(&o->told);
	failure = o->failure;
	free(o);
	return failure;
}

void origin_go(struct scripted_origin *o)
{
	sem_post(&o->go);
}

static bool await(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (sem_timedwait(sem, &until) != 0) {
		if (errno != EINTR)
			return false;
	}
	return true;
}

void origin_wait(struct scripted_origin *o)
{
	if (!o->failure && !await(&o->go))
		fail(o, "waited in vain for the test");
}

void origin_tell(struct scripted_origin *o)
{
	sem_post(&o->told);
}

void origin_await(struct scripted_origin *o)
{
	CHECK(await(&o->told));
}

static void start_tls(struct scripted_origin *o)
{
	int ret;

	CHECK(gnutls_init(&o->tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) == 0);
	CHECK(gnutls_set_default_priority(o->tls) == 0);
	CHECK(gnutls_credentials_set(o->tls, GNUTLS_CRD_CERTIFICATE, o->credentials) == 0);
	gnutls_transport_set_int(o->tls, o->conn);
	do {
		ret = gnutls_handshake(o->tls);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	if (ret < 0)
		fail(o, "no TLS handshake");
}

void origin_accept(struct scripted_origin *o)
{
	if (o->failure)
		return;
	origin_cut(o);
	o->conn = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);
	if (o->conn < 0) {
		fail(o, "nobody connected");
		return;
	}
	set_patience(o->conn);
	if (o->credentials)
		start_tls(o);
}

/* As recv() and send(). */
static ssize_t take(struct scripted_origin *o, void *buf, size_t len)
{
	if (!o->tls)
		return recv(o->conn, buf, len, 0);
	errno = 0;
	return gnutls_record_recv(o->tls, buf, len);
}

static ssize_t give(struct scripted_origin *o, const void *buf, size_t len)
{
	return o->tls ? gnutls_record_send(o->tls, buf, len)
		      : send(o->conn, buf, len, MSG_NOSIGNAL);
}

int origin_put_aside(struct scripted_origin *o)
{
	int conn = o->conn;

	CHECK(!o->tls);
	o->conn = -1;
	return conn;
}

void origin_take_up(struct scripted_origin *o, int conn)
{
	origin_cut(o);
	o->conn = conn;
}

/* Byte by byte, so that nothing after the marker is taken: a test's messages are short. */
void origin_read_until(struct scripted_origin *o, const char *marker)
{
	size_t want = strlen(marker);

	o->n = 0;
	o->text[0] = '\0';
	while (!o->failure) {
		if (o->n + 1 == sizeof(o->text)) {
			fail(o, "marker not found");
			break;
		}
		ssize_t n = take(o, o->text + o->n, 1);

		if (n <= 0) {
			fail(o, n == 0 ? "closed before the marker" : "no marker");
			break;
		}
		o->text[++o->n] = '\0';
		if (o->n >= want && memcmp(o->text + o->n - want, marker, want) == 0)
			break;
	}
}

void origin_read_bytes(struct scripted_origin *o, size_t want)
{
	CHECK(want < sizeof(o->text));
	o->n = 0;
	while (!o->failure && o->n < want) {
		ssize_t n = take(o, o->text + o->n, want - o->n);

		if (n <= 0) {
			fail(o, "too few bytes");
			break;
		}
		o->n += n;
	}
	o->text[o->n] = '\0';
}

void origin_read_some(struct scripted_origin *o)
{
	ssize_t n;

	if (o->failure)
		return;
	n = take(o, o->text, sizeof(o->text) - 1);
	o->n = MAX(n, 0);
	o->text[o->n] = '\0';
	if (n <= 0)
		fail(o, "nothing came");
}

void origin_expect(struct scripted_origin *o, const char *needle)
{
	if (!o->failure && !strstr(o->text, needle))
		fail(o, needle);
}

void origin_expect_end(struct scripted_origin *o)
{
	ssize_t n = 1;

	if (o->failure)
		return;
	while (n > 0)
		n = take(o, o->text, sizeof(o->text));
	/* Over TLS it may have been ended without a word. */
	if (n < 0 && errno != ECONNRESET && !o->tls)
		fail(o, "the connection was not ended");
}

void origin_expect_orderly_end(struct scripted_origin *o)
{
	ssize_t n = 1;

	while (!o->failure && n > 0)
		n = take(o, o->text, sizeof(o->text));
	if (n < 0)
		fail(o, "the connection was not ended in order");
}

bool origin_try_send(struct scripted_origin *o, const void *data, size_t n)
{
	const char *p = data;

	while (!o->failure && n > 0) {
		ssize_t sent = give(o, p, n);

		if (sent <= 0)
			return false;
		p += sent;
		n -= sent;
	}
	return true;
}

void origin_send_bytes(struct scripted_origin *o, const void *data, size_t n)
{
	if (!origin_try_send(o, data, n))
		fail(o, "cannot send");
}

void origin_send(struct scripted_origin *o, const char *text)
{
	origin_send_bytes(o, text, strlen(text));
}

void origin_cut(struct scripted_origin *o)
{
	if (o->tls)
		gnutls_deinit(o->tls);
	o->tls = NULL;
	if (o->conn >= 0)
		close(o->conn);
	o->conn = -1;
}

void origin_close(struct scripted_origin *o)
{
	if (o->tls)
		gnutls_bye(o->tls, GNUTLS_SHUT_WR);
	origin_cut(o);
}

void origin_reset(struct scripted_origin *o)
{
	struct linger now = {.l_onoff = 1};

	if (o->conn >= 0)
		setsockopt(o->conn, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	origin_cut(o);
}

void origin_end_writing(struct scripted_origin *o)
{
	if (o->tls)
		gnutls_bye(o->tls, GNUTLS_SHUT_WR);
	/* Unless the other side has gone meanwhile. */
	if (!o->failure && shutdown(o->conn, SHUT_WR) != 0 && errno != ENOTCONN)
		fail(o, "cannot shut down");
}

/* The longest TCP header. */
#define HEADER_MAX 60

/* A packet filter on a socket, and on what is accepted from it later: nothing longer comes through.
 */
static void drop_longer(int fd, unsigned len)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, len, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {.len = 4, .filter = code};

	CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0);
}

void origin_take_no_data(struct scripted_origin *o)
{
	drop_longer(o->listener, HEADER_MAX);
}

void origin_vanish(struct scripted_origin *o)
{
	if (!o->failure)
		drop_longer(o->conn, 0);
}

int black_hole_open(struct net_addr *addr)
{
	socklen_t len = sizeof(addr->in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK(net_addr_parse("127.0.0.1:0", 0, addr));
	CHECK(bind(fd, &addr->sa, len) == 0 && listen(fd, 1) == 0);
	CHECK(getsockname(fd, &addr->sa, &len) == 0);
	drop_longer(fd, 0);
	return fd;
}
