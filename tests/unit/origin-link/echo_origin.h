/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An origin for the tests of connections: plain or TLS, with as many connections as come (a thread
 * each), says back what it is told, and writes down how it was connected to.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <gnutls/gnutls.h>

#include "core/base/addr.h"

#define ECHO_CONNS_MAX 64

struct echo_origin {
	/* set by the test before echo_origin_start() */
	gnutls_certificate_credentials_t credentials; /* NULL: plain */
	bool asks_certificate;                        /* and refuses those who show none */
	const char *priority;                         /* of GnuTLS; NULL: its default */
	unsigned proxy_header;                        /* 0: none; 1, 2: of that version */

	struct net_addr addr;
	int listener;
	gnutls_datum_t ticket_key;
	pthread_t acceptor;
	pthread_t threads[ECHO_CONNS_MAX];
	pthread_mutex_t lock;
	/* under lock */
	int fds[ECHO_CONNS_MAX]; /* -1: over */
	unsigned n_accepted, n_open;
	unsigned n_handshakes, n_resumed, n_failed;
	char sni[64], alpn[16], client[64]; /* of the last handshake; "": none */
	char header[256];                   /* PROXY header of the last connection */
	size_t n_header;
};

void echo_origin_start(struct echo_origin *o);
/* Waits for the clients to close their connections. */
void echo_origin_stop(struct echo_origin *o);
/* A number of the above, which its thread may be writing. */
unsigned echo_origin_count(struct echo_origin *o, const unsigned *number);
/* Waits until it is that much; the test's alarm is the limit. */
void echo_origin_await(struct echo_origin *o, const unsigned *number, unsigned n);
/* Ends all connections from this side. */
void echo_origin_close_all(struct echo_origin *o);
