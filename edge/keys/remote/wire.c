/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See wire.h. GnuTLS over a non-blocking socket, and poll() for as long as the deadline allows.
 */
#include "edge/keys/remote/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/tls.h"

#define LENGTH_SIZE 2
/* What both sides must say (RFC 7301): a certificate that is good for something else too is of no
 * use to somebody who has another server's client talk to us. */
#define PROTOCOL "perigee-keys/1"

static int judge(gnutls_session_t session)
{
	struct wire *wire = gnutls_session_get_ptr(session);

	if (!wire->judged && wire->verify != NULL)
		wire->verdict = wire->verify(wire);
	wire->judged = true;
	return wire->verdict;
}

/* Called by GnuTLS with CertificateVerify, before it looks at it. Else it would judge after that,
 * and a stranger's key may be made so that the signature costs seconds. */
static int signature_comes(gnutls_session_t session, unsigned type, unsigned when,
			   unsigned incoming, const gnutls_datum_t *message)
{
	return incoming ? judge(session) : 0;
}

int wire_begin(struct wire *wire, int fd, unsigned role,
	       gnutls_certificate_credentials_t credentials, int (*verify)(struct wire *wire))
{
	const gnutls_datum_t protocol = {(unsigned char *)PROTOCOL, sizeof(PROTOCOL) - 1};
	int ret;

	*wire = (struct wire){.fd = fd, .verify = verify};
	ret = gnutls_init(&wire->session,
			  role | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL);
	if (ret == 0)
		ret = gnutls_priority_set_direct(wire->session, TLS_PRIORITY_OF("+VERS-TLS1.3", ""),
						 NULL);
	if (ret == 0)
		ret = gnutls_credentials_set(wire->session, GNUTLS_CRD_CERTIFICATE, credentials);
	if (ret == 0)
		ret = gnutls_alpn_set_protocols(wire->session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
	if (ret < 0)
		return ret;
	if (role == GNUTLS_SERVER)
		gnutls_certificate_server_set_request(wire->session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_ptr(wire->session, wire);
	gnutls_session_set_verify_function(wire->session, judge);
	gnutls_handshake_set_hook_function(wire->session, GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY,
					   GNUTLS_HOOK_PRE, signature_comes);
	gnutls_transport_set_int(wire->session, fd);
	return 0;
}

static int wait_for(int fd, short events, mono_time deadline)
{
	struct pollfd pollfd = {fd, events, 0};

	for (;;) {
		int64_t left_ns = mono_since(deadline, clock_mono()).ns;
		int n;

		if (left_ns <= 0)
			return GNUTLS_E_TIMEDOUT;
		/* Rounded up: not to ask again and again in the last millisecond. */
		n = poll(&pollfd, 1, (int)(left_ns / 1000000 + 1));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return GNUTLS_E_PULL_ERROR;
	}
}

/* What GnuTLS wants to wait for, if that is why it has come back. */
static int go_on(const struct wire *wire, int ret, mono_time deadline)
{
	if (ret >= 0 || gnutls_error_is_fatal(ret) != 0)
		return ret;
	if (ret != GNUTLS_E_AGAIN && mono_reached(deadline, clock_mono()))
		return GNUTLS_E_TIMEDOUT;
	if (ret != GNUTLS_E_AGAIN)
		return 0;
	return wait_for(wire->fd, gnutls_record_get_direction(wire->session) ? POLLOUT : POLLIN,
			deadline);
}

/* Of a client that does not say what it wants nothing is known by then. */
static bool speaks_our_protocol(const struct wire *wire)
{
	gnutls_datum_t protocol;

	return gnutls_alpn_get_selected_protocol(wire->session, &protocol) == 0;
}

int wire_shake_hands(struct wire *wire, mono_time deadline)
{
	int ret, waited;

	do {
		ret = gnutls_handshake(wire->session);
		waited = go_on(wire, ret, deadline);
	} while (ret < 0 && waited == 0);
	if (ret == 0 && !speaks_our_protocol(wire))
		waited = GNUTLS_E_NO_APPLICATION_PROTOCOL;
	/* However that should be possible. */
	if (ret == 0 && !wire->judged)
		waited = GNUTLS_E_CERTIFICATE_REQUIRED;
	wire->is_open = waited == 0;
	if (waited < 0 && waited != GNUTLS_E_TIMEDOUT && waited != GNUTLS_E_CERTIFICATE_ERROR)
		gnutls_alert_send_appropriate(wire->session, waited);
	return waited;
}

int wire_await(struct wire *wire, mono_time deadline)
{
	if (gnutls_record_check_pending(wire->session) > 0)
		return 0;
	return wait_for(wire->fd, POLLIN, deadline);
}

int wire_send(struct wire *wire, const void *message, size_t n, mono_time deadline)
{
	unsigned char out[LENGTH_SIZE + SIGNER_REMOTE_MAX];
	size_t sent = 0;

	CHECK(n > 0 && n <= SIGNER_REMOTE_MAX);
	out[0] = (unsigned char)(n >> 8);
	out[1] = (unsigned char)n;
	memcpy(out + LENGTH_SIZE, message, n);
	n += LENGTH_SIZE;
	while (sent < n) {
		ssize_t ret = gnutls_record_send(wire->session, out + sent, n - sent);

		if (ret > 0)
			sent += (size_t)ret;
		else
			ret = go_on(wire, (int)ret, deadline);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

static int receive_all(struct wire *wire, unsigned char *p, size_t n, mono_time deadline)
{
	while (n > 0) {
		ssize_t ret = gnutls_record_recv(wire->session, p, n);

		if (ret == 0)
			return GNUTLS_E_PREMATURE_TERMINATION;
		if (ret > 0) {
			p += ret;
			n -= (size_t)ret;
			continue;
		}
		ret = go_on(wire, (int)ret, deadline);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

int wire_receive(struct wire *wire, void *message, size_t *n, mono_time deadline)
{
	unsigned char length[LENGTH_SIZE];
	int ret = receive_all(wire, length, sizeof(length), deadline);

	if (ret < 0)
		return ret;
	*n = (size_t)length[0] << 8 | length[1];
	if (*n < SIGNER_HEAD || *n > SIGNER_REMOTE_MAX)
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	return receive_all(wire, message, *n, deadline);
}

/* More than a flight of a handshake; who sends on and on does not want to know. */
#define LET_GO_MAX 65536

void wire_let_go(struct wire *wire, mono_time deadline)
{
	char nothing[4096];
	size_t got = 0;
	ssize_t n = 1;

	shutdown(wire->fd, SHUT_WR);
	while (n > 0 && got < LET_GO_MAX && wait_for(wire->fd, POLLIN, deadline) == 0) {
		n = recv(wire->fd, nothing, sizeof(nothing), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
}

void wire_end(struct wire *wire)
{
	if (wire->is_open)
		gnutls_bye(wire->session, GNUTLS_SHUT_WR);
	if (wire->session != NULL)
		gnutls_deinit(wire->session);
	close(wire->fd);
	*wire = (struct wire){.fd = -1};
}

const char *wire_fault(struct wire *wire, int error)
{
	const char *alert = NULL;

	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		alert = gnutls_alert_get_name(gnutls_alert_get(wire->session));
	if (alert == NULL)
		return gnutls_strerror(error);
	snprintf(wire->fault, sizeof(wire->fault), "it has sent the alert \"%s\"", alert);
	return wire->fault;
}
