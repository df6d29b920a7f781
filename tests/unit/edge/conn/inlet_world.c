/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The world of the inlet's tests. The test's thread plays the control loop, which never runs.
 */
#include "tests/unit/edge/conn/inlet_world.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/sock.h"
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/conn/conn.h"
#include "edge/keys/keys.h"
#include "edge/node/view.h"
#include "edge/tls/certs.h"
#include "tests/support/test_cert.h"

#define PATIENCE_S 10

struct world world;

static char crt_path[] = "/tmp/perigee-inlet-crt-XXXXXX";
static char key_path[] = "/tmp/perigee-inlet-key-XXXXXX";
static gnutls_certificate_credentials_t client_credentials;
static struct edge_keys *keys;

int world_prepare(void **state)
{
	struct test_cert cert;

	close(mkstemp(crt_path));
	close(mkstemp(key_path));
	test_cert_init(&cert, "www.example.com");
	test_cert_write(&cert, crt_path, key_path);
	test_cert_fini(&cert);
	return gnutls_certificate_allocate_credentials(&client_credentials);
}

int world_clean(void **state)
{
	gnutls_certificate_free_credentials(client_credentials);
	return unlink(crt_path) | unlink(key_path);
}

/* The protocols */

struct talk {
	struct edge_conn *conn;
};

static void talk_end(struct talk *t, enum reason reason, enum edge_close how)
{
	edge_conn_end(&t->conn, reason, how);
	free(t);
}

static void talk_drain(struct edge_conn *conn, enum reason reason)
{
	if (conn->stage != EDGE_BUSY)
		talk_end(conn->protocol, reason, EDGE_CLOSE_ORDERLY);
}

static void talk_destroy(struct edge_conn *conn, enum reason reason)
{
	talk_end(conn->protocol, reason, EDGE_CLOSE_BREAK);
}

static const struct edge_conn_ops talk_ops = {.drain = talk_drain, .destroy = talk_destroy};

static bool obey(struct talk *t, char letter)
{
	if (letter == 'e') {
		talk_end(t, REASON_DONE, EDGE_CLOSE_ORDERLY);
		return false;
	}
	if (letter == 'b' || letter == 'i')
		edge_conn_set_stage(t->conn, letter == 'b' ? EDGE_BUSY : EDGE_IDLE);
	return true;
}

static void talk_readable(void *arg)
{
	struct talk *t = arg;
	char letter;
	ssize_t n;

	while ((n = stream_read(t->conn->stream, &letter, 1)) > 0) {
		if (!obey(t, letter))
			return;
	}
	if (n != STREAM_AGAIN)
		talk_end(t, REASON_CLIENT_CLOSED, EDGE_CLOSE_ORDERLY);
}

static void talk_drained(void *arg)
{
}

static void talk_failed(void *arg)
{
	talk_end(arg, REASON_CLIENT_RESET, EDGE_CLOSE_BREAK);
}

static const struct stream_ops talk_stream_ops = {
    .readable = talk_readable, .drained = talk_drained, .failed = talk_failed};

static void talk_start(struct edge_conn *conn, char *bytes, size_t n)
{
	const struct edge_client *c = &conn->client;
	struct talk *t = xcalloc(1, sizeof(*t));
	char client[NET_ADDR_TEXT], local[NET_ADDR_TEXT];
	char *line =
	    xasprintf("%s %s %s %s %.*s %zu %.*s\n", c->protocol, net_addr_format(&c->addr, client),
		      net_addr_format(&c->local, local), c->tls[0] != '\0' ? c->tls : "-",
		      (int)c->scheme.n, c->scheme.p, n, (int)n, bytes);
	struct iovec iov = {line, strlen(line)};

	CHECK(conn->stage == EDGE_IDLE && conn->inlet == NULL);
	t->conn = conn;
	conn->ops = &talk_ops;
	conn->protocol = t;
	stream_hand_over(conn->stream, &talk_stream_ops, t);
	stream_write(conn->stream, &iov, 1);
	free(line);
}

static const struct edge_protocol first = {"first", FIRST, talk_start};
static const struct edge_protocol second = {"http/1.1", SECOND, talk_start};
static const struct edge_protocol *const protocols[] = {&first, &second, NULL};

/* The worker */

static void destroy_view(struct snapshot *snapshot)
{
	struct edge_view *view = CONTAINER_OF(snapshot, struct edge_view, snapshot);

	snapshot_fini(snapshot);
	edge_certs_destroy(&view->certs);
	edge_keys_destroy(&keys);
	free(view);
}

static void publish_view(void)
{
	static struct cfg_edge self = {.name = "fra1"};
	static struct cfg_certificate certificate = {.certificate = crt_path, .key = key_path};
	static const char *hosts[] = {"www.example.com"};
	static struct cfg_site site = {
	    .name = "www", .hosts = {hosts, 1}, .certificates = &certificate, .n_certificates = 1};
	struct edge_view *view = xcalloc(1, sizeof(*view));
	struct snapshot *snapshot = &view->snapshot;
	struct diag *diag = diag_create();

	world.fleet.sites = &site;
	world.fleet.n_sites = 1;
	world.fleet.edges = &self;
	world.fleet.n_edges = 1;
	world.fleet.tls.profile = TLS_PROFILE_INTERMEDIATE;
	view->fleet = &world.fleet;
	view->descriptors.clients = world.fleet.http.limit.connections;
	view->self = &self;
	keys = edge_keys_create();
	view->certs = edge_certs_create(&world.fleet, &self, keys, NULL, NULL, clock_wall(), diag);
	diag_print(diag, stderr);
	CHECK(view->certs != NULL);
	view->tls_policy = edge_tls_policy_of(edge_certs_tls(view->certs)->priority);
	diag_destroy(&diag);
	snapshot_init(snapshot, world.common.group, destroy_view);
	snapshot_publish(&world.common.views, &snapshot);
}

static unsigned spoken[] = {CFG_PROTOCOL_HTTP1};

int world_setup(void **state)
{
	struct cfg_http *http = &world.fleet.http;

	memset(&world, 0, sizeof(world));
	http->timeout.handshake = DUR_S(PATIENCE_S);
	/* The worker has another one besides, for who names none. */
	http->protocols = (struct cfg_uints){spoken, ARRAY_SIZE(spoken)};
	http->limit.connections = 10000;
	http->limit.silent = 10000;
	http->limit.handshakes = 1000;
	alarm(60);
	return 0;
}

void world_start(void)
{
	struct edge_common *common = &world.common;
	struct edge_worker *w = &world.worker;

	common->group = loop_group_create(1);
	common->metrics = edge_counters_create(2);
	snapshot_slot_init(&common->views, common->group);
	publish_view();
	w->common = common;
	w->loop = common->group->workers[0];
	w->buffers = stream_buffers_create(w->loop);
	w->protocols = protocols;
	edge_conns_create(w);
	loop_group_start_workers(common->group);
}

int world_teardown(void **state)
{
	struct edge_common *common = &world.common;
	struct edge_worker *w = &world.worker;

	loop_group_stop_workers(common->group);
	edge_conns_destroy(w);
	stream_buffers_destroy(&w->buffers);
	CHECK(common->places.connections == 0 && common->places.silent == 0);
	CHECK(common->places.handshakes == 0);
	CHECK(metrics_sum(common->metrics, EDGE_CONNECTIONS_ACTIVE) == 0);
	CHECK(metrics_sum(common->metrics, EDGE_SILENT_ACTIVE) == 0);
	CHECK(metrics_sum(common->metrics, EDGE_HANDSHAKES_ACTIVE) == 0);
	CHECK(metrics_sum(common->metrics, EDGE_HANDSHAKES_WAITING) == 0);
	snapshot_slot_fini(&common->views);
	metrics_destroy(&common->metrics);
	loop_group_destroy(&common->group);
	alarm(0);
	return 0;
}

struct errand {
	void (*fn)(struct edge_worker *w);
	sem_t done;
};

static void run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->fn(&world.worker);
	sem_post(&errand->done);
}

void world_do(void (*fn)(struct edge_worker *w))
{
	struct errand errand = {.fn = fn};

	CHECK(sem_init(&errand.done, 0, 0) == 0);
	loop_post_mt(world.worker.loop, run_errand, &errand);
	while (sem_wait(&errand.done) != 0)
		CHECK(errno == EINTR);
	sem_destroy(&errand.done);
}

void wait_counter(enum edge_counter counter, int64_t value)
{
	mono_time end = mono_add(clock_mono(), DUR_S(PATIENCE_S));

	while (metrics_sum(world.common.metrics, counter) != value) {
		if (mono_reached(end, clock_mono()))
			fail_msg("counter %d is %lld, not %lld", (int)counter,
				 (long long)metrics_sum(world.common.metrics, counter),
				 (long long)value);
		usleep(1000);
	}
}

/* Clients */

struct arrival {
	int fd;
	struct net_addr remote;
	enum edge_listener_kind kind;
};

static void arrive(void *arg)
{
	struct arrival *a = arg;

	edge_inlet_accept(&world.worker, a->fd, &a->remote, a->kind);
	free(a);
}

int client_connect(enum edge_listener_kind kind, const char *remote)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct arrival *a = xcalloc(1, sizeof(*a));
	struct net_addr addr;
	int listener, fd;

	CHECK(net_addr_parse("127.0.0.1:0", 0, &addr));
	listener = sock_listen_tcp(&addr, 1);
	CHECK(listener >= 0 && sock_local_addr(listener, &addr) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && connect(fd, &addr.sa, net_addr_len(&addr)) == 0);
	CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	a->fd = sock_accept(listener, &a->remote);
	CHECK(a->fd >= 0 && net_addr_parse(remote, 0, &a->remote));
	a->kind = kind;
	close(listener);
	loop_post_mt(world.worker.loop, arrive, a);
	return fd;
}

void client_send(int fd, const void *data, size_t n)
{
	assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

void client_dribble(int fd, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		client_send(fd, (const char *)data + i, 1);
		if (i % 8 == 0)
			usleep(200);
	}
}

void client_read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	do {
		ssize_t got = recv(fd, line + n, 1, 0);

		if (got != 1)
			fail_msg("the line ends with %zd after \"%.*s\"", got, (int)n, line);
	} while (line[n++] != '\n' && n < size);
	line[n - 1] = '\0';
}

void client_expect(int fd, const char *line)
{
	char got[256];

	client_read_line(fd, got, sizeof(got));
	assert_string_equal(got, line);
}

enum client_end client_read_end(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int error;

	while ((got = recv(fd, text + n, size - 1 - n, 0)) > 0)
		n += got;
	error = got < 0 ? errno : 0;
	text[n] = '\0';
	close(fd);
	if (error != 0 && error != ECONNRESET)
		fail_msg("no end, but %s", strerror(error));
	return error != 0 ? CLIENT_END_RESET : CLIENT_END_FIN;
}

/* TLS */

struct tls_client_transport {
	int fd;
	enum hello_form form;
	bool hello_sent;
	char *capture; /* make_hello(): instead of sending */
	size_t captured;
};

/* The records of `data` in records of seven bytes. */
static void send_in_many_records(int fd, const uint8_t *data, size_t n)
{
	size_t at = 0;

	while (at < n) {
		size_t length = (size_t)data[at + 3] << 8 | data[at + 4];

		for (size_t i = 0; i < length; i += 7) {
			uint8_t record[5 + 7] = {data[at], data[at + 1], data[at + 2], 0,
						 MIN(7, length - i)};

			memcpy(record + 5, data + at + 5 + i, record[4]);
			client_send(fd, record, 5 + record[4]);
		}
		at += 5 + length;
	}
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t n)
{
	struct tls_client_transport *t = ptr;

	if (t->capture != NULL) {
		memcpy(t->capture + t->captured, data, n);
		t->captured += n;
	} else if (t->hello_sent || t->form == HELLO_AS_IT_IS) {
		client_send(t->fd, data, n);
	} else if (t->form == HELLO_DRIBBLED) {
		client_dribble(t->fd, data, n);
	} else {
		send_in_many_records(t->fd, data, n);
	}
	t->hello_sent = true;
	return (ssize_t)n;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *buf, size_t n)
{
	struct tls_client_transport *t = ptr;

	if (t->capture != NULL)
		return 0;
	return recv(t->fd, buf, n, 0);
}

static gnutls_session_t new_client(struct tls_client_transport *t)
{
	gnutls_session_t session;

	CHECK(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) == 0);
	CHECK(gnutls_set_default_priority(session) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, client_credentials) == 0);
	CHECK(gnutls_server_name_set(session, GNUTLS_NAME_DNS, "www.example.com", 15) == 0);
	gnutls_transport_set_ptr(session, t);
	gnutls_transport_set_push_function(session, push);
	gnutls_transport_set_pull_function(session, pull);
	return session;
}

int tls_connect(gnutls_session_t *sessionp, int fd, const char *alpn, enum hello_form form)
{
	struct tls_client_transport *t = xcalloc(1, sizeof(*t));
	gnutls_session_t session = *sessionp = new_client(t);
	int ret;

	t->fd = fd;
	t->form = form;
	if (alpn != NULL) {
		gnutls_datum_t name = {(unsigned char *)alpn, strlen(alpn)};

		CHECK(gnutls_alpn_set_protocols(session, &name, 1, 0) == 0);
	}
	do {
		ret = gnutls_handshake(session);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	return ret;
}

void tls_expect(gnutls_session_t session, const char *line)
{
	char got[256];
	size_t n = 0;

	do {
		ssize_t ret = gnutls_record_recv(session, got + n, 1);

		if (ret != 1 && ret != GNUTLS_E_AGAIN)
			fail_msg("the line ends with %zd after \"%.*s\"", ret, (int)n, got);
		n += ret == 1;
	} while (n == 0 || (got[n - 1] != '\n' && n < sizeof(got)));
	got[n - 1] = '\0';
	assert_string_equal(got, line);
}

void tls_close(gnutls_session_t *session)
{
	struct tls_client_transport *t = gnutls_transport_get_ptr(*session);

	close(t->fd);
	gnutls_deinit(*session);
	free(t);
	*session = NULL;
}

char *make_hello(size_t *n)
{
	struct tls_client_transport t = {.capture = xmalloc(16384)};
	gnutls_session_t session = new_client(&t);

	gnutls_handshake(session);
	gnutls_deinit(session);
	*n = t.captured;
	return t.capture;
}
