/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For the tests of the inlet: a worker whose loop runs in its thread, with two protocols that say
 * what they were given; and clients over loopback TCP that block in the test's own thread.
 *
 * A protocol greets with one line: its name, the client's address, the local one, the TLS version
 * ("-": none), the scheme, how many bytes came with the connection, and these. Then it obeys single
 * letters: 'b' busy, 'i' idle, 'e' the end; and tells of an order to leave by ending at once, but
 * for busy ones.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/gnutls.h>

#include "config/fleet.h"
#include "edge/conn/conns.h"
#include "edge/conn/inlet.h"
#include "edge/node/counters.h"
#include "edge/node/worker.h"

/* The first is the default, the second what ALPN can choose. */
#define FIRST "first"
#define SECOND "second"

struct world {
	struct edge_common common;
	struct edge_worker worker;
	struct cfg_fleet fleet; /* to be set before the world starts */
};
extern struct world world;

/* Per program: certificates. */
int world_prepare(void **state);
int world_clean(void **state);
/* Per test: the configuration is at its defaults; world_start() begins. */
int world_setup(void **state);
void world_start(void);
/* Stops the worker, and ends what is still there: no place may be left taken. */
int world_teardown(void **state);
/* Runs fn(&worker) on its loop, and returns when it has. */
void world_do(void (*fn)(struct edge_worker *w));

/* Waits until the counter has exactly this value; fails after ten seconds. */
void wait_counter(enum edge_counter counter, int64_t value);

/* The client's socket of a connection that `remote` ("192.0.2.1:5000") has made. */
int client_connect(enum edge_listener_kind kind, const char *remote);
void client_send(int fd, const void *data, size_t n);
#define client_say(fd, text) client_send((fd), (text), sizeof(text) - 1)
/* Each byte in a segment of its own, as far as a client can say so. */
void client_dribble(int fd, const void *data, size_t n);
/* All up to a newline, without it. */
void client_read_line(int fd, char *line, size_t size);
void client_expect(int fd, const char *line);
enum client_end { CLIENT_END_FIN, CLIENT_END_RESET };
/* Up to `size` bytes before the end, as text; which end it was. Closes the socket. */
enum client_end client_read_end(int fd, char *text, size_t size);

/* How a client sends the first flight of its handshake. */
enum hello_form { HELLO_AS_IT_IS, HELLO_DRIBBLED, HELLO_IN_MANY_RECORDS };
/* 0 or GnuTLS's error; the greeting is read with tls_expect(). `alpn` NULL: none. */
int tls_connect(gnutls_session_t *session, int fd, const char *alpn, enum hello_form form);
void tls_expect(gnutls_session_t session, const char *line);
void tls_close(gnutls_session_t *session);
/* A real ClientHello, malloc'd. */
char *make_hello(size_t *n);
