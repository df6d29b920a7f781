/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The messages of signer_message.h between two machines: each behind its length, of two bytes in
 * network order, over TLS 1.3 in which both sides show a certificate. Whoever uses a wire waits for
 * it, until a deadline that holds for the whole of what is waited for: a byte now and then does not
 * put it off.
 *
 * One thread at a time. The descriptor is the owner's until wire_end().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <gnutls/gnutls.h>

#include "core/base/clock.h"
#include "edge/keys/signer_message.h"

struct wire {
	int fd; /* non-blocking */
	gnutls_session_t session;
	bool is_open; /* hands were shaken */
	/* Who is at the other end: 0, or an error of GnuTLS, after the alert for it was sent. */
	int (*verify)(struct wire *wire);
	bool judged;
	int verdict;
	char fault[96]; /* see wire_fault() */
};

/* Each returns 0, or an error of GnuTLS, as which the socket's come too; GNUTLS_E_TIMEDOUT at the
 * deadline. */

/* Takes the descriptor. `role`: GNUTLS_CLIENT or GNUTLS_SERVER, which demands a certificate. The
 * credentials outlive the wire, which stays where it is. `verify` is called once, when the other
 * side's certificate is there and nothing was done with it yet; NULL: anybody will do. */
int wire_begin(struct wire *wire, int fd, unsigned role,
	       gnutls_certificate_credentials_t credentials, int (*verify)(struct wire *wire));
/* A fault is told to the other side by the alert for it. */
int wire_shake_hands(struct wire *wire, mono_time deadline);
/* Until there is something to be received. */
int wire_await(struct wire *wire, mono_time deadline);
/* n: 1 to SIGNER_REMOTE_MAX. */
int wire_send(struct wire *wire, const void *message, size_t n, mono_time deadline);
/* Into `message`, of SIGNER_REMOTE_MAX bytes; its size goes to *n. GNUTLS_E_PREMATURE_TERMINATION:
 * the other side has ended the connection; GNUTLS_E_UNEXPECTED_PACKET_LENGTH: there is no message
 * of such a size. */
int wire_receive(struct wire *wire, void *message, size_t *n, mono_time deadline);
/* Ends TLS in order, if that can be done without waiting, and closes it. */
void wire_end(struct wire *wire);
/* Of one whose handshake has failed, before its end: waits until the other side has closed it too,
 * as what has come and was not read would have the system take back the alert. */
void wire_let_go(struct wire *wire, mono_time deadline);

/* What such an error is, for the log: that it is the other side who found fault, and by which
 * alert, if it is that. Valid as long as the wire. */
const char *wire_fault(struct wire *wire, int error);
