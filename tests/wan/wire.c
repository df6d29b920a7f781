/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's connection; see wire.h. The socket never blocks: whatever TLS or TCP waits for is
 * waited for here, until the deadline.
 */
#include "tests/wan/wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"

static bool fault(const char *what, const char *why)
{
	fprintf(stderr, "wan-visit: %s: %s\n", what, why);
	return false;
}

static bool wait_for(const struct wire *wire, short events)
{
	int64_t left = mono_since(wire->end, clock_mono()).ns;
	struct timespec timeout = {left / 1000000000, left % 1000000000};
	struct pollfd p = {.fd = wire->fd, .events = events};

	if (left <= 0 || ppoll(&p, 1, &timeout, NULL) == 0)
		return fault("gave up", "the time is over");
	return true;
}

static const char *ssl_reason(const struct wire *wire)
{
	long verified = SSL_get_verify_result(wire->ssl);
	unsigned long error = ERR_peek_last_error();

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return error ? ERR_reason_error_string(error) : strerror(errno);
}

/* True when the operation that gave `rc` is to be tried again. */
static bool try_again(struct wire *wire, int rc, const char *what)
{
	switch (SSL_get_error(wire->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(wire, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(wire, POLLOUT);
	case SSL_ERROR_ZERO_RETURN:
		return fault(what, "the server has closed the connection");
	default:
		return fault(what, ssl_reason(wire));
	}
}

static bool tcp_connect(struct wire *wire, const struct sockaddr_in *to)
{
	const int on = 1;
	int error = 0;
	socklen_t size = sizeof(error);

	wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (wire->fd < 0)
		return fault("socket", strerror(errno));
	setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	wire->started = clock_mono();
	if (connect(wire->fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		if (errno != EINPROGRESS)
			return fault("connect", strerror(errno));
		if (!wait_for(wire, POLLOUT))
			return false;
		getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error != 0)
			return fault("connect", strerror(error));
	}
	wire->connected = clock_mono();
	return true;
}

static bool tls_prepare(struct wire *wire, const struct wire_plan *plan)
{
	wire->ssl = SSL_new(plan->ctx);
	return wire->ssl && SSL_set_fd(wire->ssl, wire->fd) == 1 &&
	       SSL_set_tlsext_host_name(wire->ssl, plan->host) == 1 &&
	       SSL_set1_host(wire->ssl, plan->host) == 1 &&
	       SSL_set_alpn_protos(wire->ssl, (const unsigned char *)plan->alpn,
				   (unsigned)strlen(plan->alpn)) == 0 &&
	       (!plan->session || SSL_set_session(wire->ssl, plan->session) == 1);
}

static bool send_early(struct wire *wire, const char *early)
{
	size_t written;
	int rc;

	while ((rc = SSL_write_early_data(wire->ssl, early, strlen(early), &written)) != 1) {
		if (!try_again(wire, rc, "early data"))
			return false;
	}
	return true;
}

bool wire_open(struct wire *wire, const struct wire_plan *plan)
{
	int rc;

	*wire = (struct wire){.fd = -1, .end = plan->end};
	ERR_clear_error();
	if (!tcp_connect(wire, &plan->to))
		return false;
	if (!tls_prepare(wire, plan))
		return fault("TLS", "cannot be prepared");
	if (plan->early && plan->session && SSL_SESSION_get_max_early_data(plan->session) > 0 &&
	    !send_early(wire, plan->early))
		return false;
	while ((rc = SSL_connect(wire->ssl)) != 1) {
		if (!try_again(wire, rc, "TLS handshake"))
			return false;
	}
	wire->secured = clock_mono();
	return true;
}

void wire_close(struct wire *wire)
{
	if (wire->ssl) {
		SSL_shutdown(wire->ssl);
		SSL_free(wire->ssl);
	}
	if (wire->fd >= 0)
		close(wire->fd);
}

bool wire_write(struct wire *wire, const void *data, size_t length)
{
	size_t written;
	int rc;

	/* Without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing. */
	while ((rc = SSL_write_ex(wire->ssl, data, length, &written)) != 1) {
		if (!try_again(wire, rc, "request"))
			return false;
	}
	return true;
}

size_t wire_read(struct wire *wire, void *data, size_t size)
{
	size_t got;
	int rc;

	while ((rc = SSL_read_ex(wire->ssl, data, size, &got)) != 1) {
		if (!try_again(wire, rc, "response"))
			return 0;
	}
	return got;
}

void wire_protocol(const struct wire *wire, char *name, size_t size)
{
	const unsigned char *chosen;
	unsigned length;

	SSL_get0_alpn_selected(wire->ssl, &chosen, &length);
	snprintf(name, size, "%.*s", (int)length, (const char *)chosen);
}
