/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An origin that does what a test tells it, byte for byte: a listener on 127.0.0.1:0 and a thread
 * that runs a script with blocking calls. Every call gives up after 10 s, so that a broken test
 * ends. What goes wrong in the script is remembered, and told by origin_finish().
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "core/base/addr.h"

struct scripted_origin {
	struct net_addr addr;
	int listener;
	pthread_t thread;
	void (*script)(struct scripted_origin *o, void *arg);
	void *arg;
	sem_t go;   /* posted by the test, awaited by origin_wait() */
	sem_t told; /* posted by origin_tell(), awaited by the test */
	gnutls_certificate_credentials_t credentials; /* NULL: plain */
	/* the script's thread only */
	int conn;               /* -1: none */
	gnutls_session_t tls;   /* of the connection; NULL: plain, or none */
	char text[1024 * 1024]; /* what the last read took, NUL-terminated */
	size_t n;
	const char *failure;
};

struct scripted_origin *origin_start(void (*script)(struct scripted_origin *o, void *arg),
				     void *arg);
/* The same, and it speaks TLS. */
struct scripted_origin *origin_start_tls(void (*script)(struct scripted_origin *o, void *arg),
					 void *arg, gnutls_certificate_credentials_t credentials);
/* Waits for the script's end. NULL, or what went wrong in it. */
const char *origin_finish(struct scripted_origin **o);
/* From the test, before anybody connects: connections are made, but what is sent on them is dropped
 * and never acknowledged. */
void origin_take_no_data(struct scripted_origin *o);
/* From the test: lets one origin_wait() go on. */
void origin_go(struct scripted_origin *o);
/* From the test: blocks until the script has told. */
void origin_await(struct scripted_origin *o);

/* In the script. After a failure they all do nothing. */
void origin_accept(struct scripted_origin *o);
/* A plain connection kept aside while others are accepted. */
int origin_put_aside(struct scripted_origin *o);
void origin_take_up(struct scripted_origin *o, int conn);
void origin_read_until(struct scripted_origin *o, const char *marker);
void origin_read_bytes(struct scripted_origin *o, size_t n);
/* Once: what one segment brought, when the other side has sent nothing since. */
void origin_read_some(struct scripted_origin *o);
/* The text read last holds this. */
void origin_expect(struct scripted_origin *o, const char *needle);
/* Reads until the other side closed or reset. */
void origin_expect_end(struct scripted_origin *o);
/* The same, but it must have closed in order: no reset, and close_notify first, if it is TLS. */
void origin_expect_orderly_end(struct scripted_origin *o);
void origin_send(struct scripted_origin *o, const char *text);
void origin_send_bytes(struct scripted_origin *o, const void *data, size_t n);
/* False, and no failure, when the other side wants no more. */
bool origin_try_send(struct scripted_origin *o, const void *data, size_t n);
/* With close_notify, if it is TLS. */
void origin_close(struct scripted_origin *o);
/* Without. */
void origin_cut(struct scripted_origin *o);
/* No more of it is sent; reading goes on. */
void origin_end_writing(struct scripted_origin *o);
/* From now on the host of this connection is as if it were gone: the kernel drops what comes, and
 * acknowledges nothing. */
void origin_vanish(struct scripted_origin *o);
void origin_reset(struct scripted_origin *o);
void origin_wait(struct scripted_origin *o);
void origin_tell(struct scripted_origin *o);

/* A listener that nobody gets an answer from: a descriptor to close. */
int black_hole_open(struct net_addr *addr);
