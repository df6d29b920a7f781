/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See echo_origin.h. Blocking calls throughout; the descriptor of a connection belongs to its
 * thread.
 */
#include "tests/unit/origin-link/echo_origin.h"

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "core/base/check.h"

struct conn {
	struct echo_origin *o;
	unsigned index;
	int fd;
};

static ssize_t receive_exactly(int fd, char *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len ? (ssize_t)len : -1;
}

/* Byte by byte, so that nothing of TLS is taken. */
static size_t read_header_v1(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap && recv(fd, buf + n, 1, 0) == 1) {
		if (buf[n++] == '\n')
			return n;
	}
	return 0;
}

static size_t read_header_v2(int fd, char *buf, size_t cap)
{
	size_t more;

	if (receive_exactly(fd, buf, 16) < 0)
		return 0;
	more = (uint8_t)buf[14] << 8 | (uint8_t)buf[15];
	if (16 + more > cap || (more > 0 && receive_exactly(fd, buf + 16, more) < 0))
		return 0;
	return 16 + more;
}

static bool read_header(struct echo_origin *o, int fd)
{
	char buf[sizeof(o->header)];
	size_t n = o->proxy_header == 1 ? read_header_v1(fd, buf, sizeof(buf))
					: read_header_v2(fd, buf, sizeof(buf));

	pthread_mutex_lock(&o->lock);
	memcpy(o->header, buf, n);
	o->n_header = n;
	pthread_mutex_unlock(&o->lock);
	return n > 0;
}

static void name_of_client(gnutls_session_t session, char *out, size_t cap)
{
	unsigned n;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t crt;

	if (!der || n == 0)
		return;
	CHECK(gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0);
	CHECK(gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &cap) ==
	      0);
	gnutls_x509_crt_deinit(crt);
}

static void note_handshake(struct echo_origin *o, gnutls_session_t session)
{
	size_t len = sizeof(o->sni);
	gnutls_datum_t alpn;
	unsigned type;

	pthread_mutex_lock(&o->lock);
	memset(o->sni, 0, sizeof(o->sni));
	memset(o->alpn, 0, sizeof(o->alpn));
	memset(o->client, 0, sizeof(o->client));
	if (gnutls_server_name_get(session, o->sni, &len, &type, 0) != 0)
		o->sni[0] = '\0';
	if (gnutls_alpn_get_selected_protocol(session, &alpn) == 0)
		memcpy(o->alpn, alpn.data, MIN(alpn.size, sizeof(o->alpn) - 1));
	name_of_client(session, o->client, sizeof(o->client));
	o->n_resumed += gnutls_session_is_resumed(session) != 0;
	o->n_handshakes++;
	pthread_mutex_unlock(&o->lock);
}

static void serve_tls(struct echo_origin *o, int fd)
{
	gnutls_datum_t alpn = {(unsigned char *)"http/1.1", 8};
	gnutls_session_t session;
	char buf[4096];
	ssize_t n;
	int ret;

	CHECK(gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) == 0);
	CHECK(gnutls_priority_set_direct(session, o->priority ? o->priority : "NORMAL", NULL) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, o->credentials) == 0);
	CHECK(gnutls_session_ticket_enable_server(session, &o->ticket_key) == 0);
	CHECK(gnutls_alpn_set_protocols(session, &alpn, 1, 0) == 0);
	if (o->asks_certificate) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(session, NULL, 0);
	}
	gnutls_transport_set_int(session, fd);
	do {
		ret = gnutls_handshake(session);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	if (ret == 0) {
		note_handshake(o, session);
		while ((n = gnutls_record_recv(session, buf, sizeof(buf))) > 0)
			gnutls_record_send(session, buf, n);
	} else {
		gnutls_alert_send_appropriate(session, ret);
		pthread_mutex_lock(&o->lock);
		o->n_failed++;
		pthread_mutex_unlock(&o->lock);
	}
	gnutls_deinit(session);
}

static void serve_plain(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		send(fd, buf, n, MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
	struct conn *conn = arg;
	struct echo_origin *o = conn->o;

	if (o->proxy_header == 0 || read_header(o, conn->fd)) {
		if (o->credentials)
			serve_tls(o, conn->fd);
		else
			serve_plain(conn->fd);
	}
	pthread_mutex_lock(&o->lock);
	o->fds[conn->index] = -1;
	o->n_open--;
	close(conn->fd);
	pthread_mutex_unlock(&o->lock);
	free(conn);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct echo_origin *o = arg;
	int fd;

	while ((fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = xcalloc(1, sizeof(*conn));

		pthread_mutex_lock(&o->lock);
		CHECK(o->n_accepted < ECHO_CONNS_MAX);
		*conn = (struct conn){.o = o, .index = o->n_accepted, .fd = fd};
		o->fds[o->n_accepted++] = fd;
		o->n_open++;
		pthread_mutex_unlock(&o->lock);
		CHECK(pthread_create(&o->threads[conn->index], NULL, serve, conn) == 0);
	}
	return NULL;
}

void echo_origin_start(struct echo_origin *o)
{
	socklen_t len = sizeof(o->addr.in);

	pthread_mutex_init(&o->lock, NULL);
	if (o->credentials)
		CHECK(gnutls_session_ticket_key_generate(&o->ticket_key) == 0);
	o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(o->listener >= 0 && net_addr_parse("127.0.0.1:0", 0, &o->addr));
	CHECK(bind(o->listener, &o->addr.sa, len) == 0 && listen(o->listener, 64) == 0);
	CHECK(getsockname(o->listener, &o->addr.sa, &len) == 0);
	CHECK(pthread_create(&o->acceptor, NULL, accept_all, o) == 0);
}

void echo_origin_stop(struct echo_origin *o)
{
	shutdown(o->listener, SHUT_RDWR);
	pthread_join(o->acceptor, NULL);
	for (unsigned i = 0; i < o->n_accepted; i++)
		pthread_join(o->threads[i], NULL);
	close(o->listener);
	gnutls_free(o->ticket_key.data);
	pthread_mutex_destroy(&o->lock);
}

unsigned echo_origin_count(struct echo_origin *o, const unsigned *number)
{
	unsigned n;

	pthread_mutex_lock(&o->lock);
	n = *number;
	pthread_mutex_unlock(&o->lock);
	return n;
}

void echo_origin_await(struct echo_origin *o, const unsigned *number, unsigned n)
{
	while (echo_origin_count(o, number) != n)
		sched_yield();
}

void echo_origin_close_all(struct echo_origin *o)
{
	pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; i < o->n_accepted; i++) {
		if (o->fds[i] >= 0)
			shutdown(o->fds[i], SHUT_RDWR);
	}
	pthread_mutex_unlock(&o->lock);
}
