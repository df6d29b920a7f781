/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why a client's handshake came to nothing: what is counted, one by one, beside all of them. Any
 * thread.
 */
#pragma once

/* X(id, name in the counter, what the counter's help says) */
#define EDGE_FAILURE_LIST(X)                                                                       \
	X(CLOSED, "closed", "the client closed the connection")                                    \
	X(RESET, "reset", "the client, or something on the way, broke the connection off")         \
	X(TIMEOUT, "timeout", "they took longer than http.timeout.handshake")                      \
	X(HTTP, "http", "it was an HTTP request without TLS")                                      \
	X(NO_TLS, "no_tls", "it was no ClientHello")                                               \
	X(OVERSIZED, "oversized", "a record or message was too long")                              \
	X(MALFORMED, "malformed", "a message broke the protocol's rules")                          \
	X(UNEXPECTED, "unexpected", "a message came where another had to")                         \
	X(VERSION, "version", "no version that is offered is allowed")                             \
	X(SUITE, "suite", "no suite or signature algorithm that is offered is allowed")            \
	X(GROUP, "group", "no group that is offered is allowed")                                   \
	X(PROTOCOL, "protocol", "no protocol that is offered (by ALPN) is spoken")                 \
	X(NAME, "name", "nobody is known by the name that was asked for")                          \
	X(RECORD, "record", "a record could not be decrypted")                                     \
	X(FINISHED, "finished", "the client's Finished was wrong")                                 \
	X(CERTIFICATE, "certificate", "the client's certificate was missing or not accepted")      \
	X(ALERT, "alert", "the client refused, by an alert")                                       \
	X(DENIED, "denied", "http.access denies the client")                                       \
	X(LIMITED, "limited", "over http.per_client.handshake_rate")                               \
	X(OWN, "own", "the edge itself was at fault, short of something, or told to stop")

enum edge_failure {
	EDGE_FAILURE_NONE,
#define X(id, name, help) EDGE_FAILURE_##id,
	EDGE_FAILURE_LIST(X)
#undef X
	    EDGE_FAILURES
};

/* What an error of GnuTLS means, by which a handshake has failed. */
enum edge_failure edge_failure_of(int gnutls_error);
