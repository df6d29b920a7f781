/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * For the tests of streams: two streams that talk over loopback TCP on one loop in the test's
 * thread, each with a side that collects what it reads and counts what it is told; and the cases
 * that hold for plain and TLS streams alike.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/net/handshakes.h"
#include "core/net/stream.h"

enum kind { PLAIN, TLS12, TLS13 };

struct side {
	struct stream *s;
	struct stream_buffers *b;
	const char *name;
	/* What it read, and with which status reading ended; STREAM_AGAIN: it goes on. */
	char *data;
	size_t len;
	enum stream_status end;
	int established, handshaken, readable, drained, failed;
	/* Instead of reading all, or after the counting. */
	void (*on_established)(struct side *);
	void (*on_readable)(struct side *);
	void (*on_drained)(struct side *);
	void (*on_failed)(struct side *);
	struct side *successor; /* of side_hand_over() */
	/* For a test's own purposes. */
	size_t sent;
	uint64_t sum_in, sum_out;
};

extern const struct stream_ops side_ops;
extern struct loop *test_loop;
extern struct stream_buffers *test_buffers;
/* System calls by which streams have sent. */
extern unsigned sides_sends;

/* Descriptors of a connected loopback TCP connection: client, server. Small socket buffers. */
void tcp_pair(int fds[2]);
/* Turns of the loop until `done`. A test that waits in vain is ended by alarm(). */
void run_until(bool (*done)(void *arg), void *arg);
/* A fresh client and server on `test_loop`; not yet established. */
void sides_open(struct side *client, struct side *server, enum kind kind);
/* The same, and established on both sides. */
void sides_connect(struct side *client, struct side *server, enum kind kind);
/* A TLS server that waits for its handshake, and the socket at the other end. */
int side_open_raw(struct side *server);
void side_fini(struct side *side);
void side_read_all(struct side *side);
void side_read_some(struct side *side); /* 100 bytes at most */
/* Bytes that repeat with a period prime to every buffer's size. */
bool side_write_pattern(struct side *side, size_t len);
void side_assert_pattern(const struct side *side, size_t len);
void side_hand_over(struct side *side);
bool side_write(struct side *side, const char *text);
void run_turns(int n);
/* For run_until(). */
bool side_established(void *side);
bool side_ended(void *side);
bool side_failed(void *side);
bool side_drained(void *side);
bool nothing_closes(void *unused);
/* Waits until `side` has read `len` bytes in all. */
void wait_len(struct side *side, size_t len);

/* Per test: loop, buffers, alarm; TLS: what sides_open() uses. */
int streams_setup(void **state);
int streams_teardown(void **state);
/* Other credentials and another ticket key in `test_server`; those before are gone. */
void streams_renew_server(void);

void case_echo(enum kind kind);
void case_bulk_both_ways(enum kind kind);
void case_slow_reader(enum kind kind);
void case_pause(enum kind kind);
void case_half_close(enum kind kind);
void case_hand_over(enum kind kind);
void case_reset(enum kind kind);
void case_write_to_closed(enum kind kind);
void case_destroy_in_callbacks(enum kind kind);
void case_park(enum kind kind);
void case_park_dead(enum kind kind);
void case_park_in_callback(enum kind kind);

/* What TLS sides use; tests may change it before sides_open(). */
extern struct tls_server test_server;
extern struct tls_client_config test_client;
/* Of `test_client`; it trusts the server's certificate. */
struct tls_client *test_client_create(void);
/* A path in the tests' own directory; overwritten by the next call. */
const char *test_path(const char *name);
