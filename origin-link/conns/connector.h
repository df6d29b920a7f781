/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes a ready connection: dial, PROXY header, TLS -> an established stream. One attempt, one time
 * limit. Used by leases, warm-up and probes alike; embedded in who wants it; its loop only.
 */
#pragma once

#include <event2/event_struct.h>

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/base/reason.h"

struct stream;
struct stream_buffers;
struct transport;

/* Whose connection it is: what its PROXY header says. */
struct proxy_parties {
	struct net_addr source, destination;
	/* For CFG_PROXY_PROTOCOL_V2_TLS: what proxy_header_write_tlvs() wrote of the client's TLS,
	 * not copied. NULL: nothing. */
	const char *tlvs;
	size_t n_tlvs;
};

enum connector_state {
	CONNECTOR_IDLE,   /* not started, or over */
	CONNECTOR_FAILED, /* at once; told from the loop */
	CONNECTOR_WAITS,  /* to dial a Unix socket once more, at which too many wait already */
	CONNECTOR_DIALS,
	CONNECTOR_SHAKES_HANDS,
};

/* How long the parts of an attempt took; < 0: did not come to an end, or was skipped. */
struct connector_times {
	duration connect; /* TCP */
	duration tls;
};

struct connector {
	struct stream_buffers *buffers;
	/* Comes once, never before connector_start() returned, with a stream (then the caller's,
	 * whose first act is stream_hand_over()), or NULL with the reason:
	 * REASON_ORIGIN_CONNECT_REFUSED, _CONNECT_TIMEOUT, _CONNECT_FAILED, _HANDSHAKE_TIMEOUT,
	 * _HANDSHAKE_FAILED, _CERTIFICATE, or our own shortage (reason_is_own_shortage()), which
	 * says nothing about the server.
	 * `detail` (may be NULL) are words for the log, valid during the call. */
	void (*done)(struct connector *c, struct stream *stream, enum reason reason,
		     const char *detail);

	/* For the next start; set after connector_init(). */
	bool h1_only; /* HTTP/2 is not offered */
	/* Something is said or the connection is ended as soon as it is ready, and it is over
	 * before keep-alive would ask anything: that is not set. */
	bool is_brief;
	duration tls_timeout; /* of the time limit, for the handshake; 0: what is left of it */

	enum connector_state state;
	struct event event; /* all but IDLE: carries the time limit */
	/* FAILED, and until the next start */
	int error;     /* negative errno */
	bool no_route; /* see connector_had_no_route() */
	struct connector_times times;
	/* DIALS */
	int fd;
	/* WAITS, DIALS */
	struct net_addr addr;
	/* WAITS, DIALS, SHAKES_HANDS */
	mono_time by, began; /* this part of it */
	struct transport *transport;
	bool has_client;
	struct proxy_parties client;
	/* SHAKES_HANDS */
	struct stream *stream;
};

void connector_init(struct connector *c, struct stream_buffers *b,
		    void (*done)(struct connector *c, struct stream *stream, enum reason reason,
				 const char *detail));
/* `transport` must outlive the attempt, as must the TLVs. `client`: whom the PROXY header names,
 * copied; NULL: nobody (LOCAL, UNKNOWN). */
void connector_start(struct connector *c, const struct net_addr *addr, struct transport *transport,
		     const struct proxy_parties *client, duration timeout);
/* Inside done(): it failed because this machine has no way to such an address: no route, no address
 * of its own, no protocol of that family. What the network says later is something else. */
bool connector_had_no_route(const struct connector *c);
/* Inside done(). */
struct connector_times connector_times(const struct connector *c);
/* The server has not said anything yet, not even by TCP. */
bool connector_is_dialling(const struct connector *c);
/* Gives up; done() is not called. Does nothing when nothing is under way. */
void connector_cancel(struct connector *c);
