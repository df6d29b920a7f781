/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of edge/conn/inlet.h share: bytes until it is clear what they are (inlet.c), and
 * TLS, from its ClientHello to the end of its handshake (inlet_tls.c). Worker's loop only.
 */
#pragma once

#include "core/loop/deadline.h"
#include "core/loop/loop.h"
#include "edge/conn/conn.h"
#include "edge/conn/inlet.h"
#include "edge/tls/failure.h"

struct cfg_http;
struct edge_handshake;

#define INLETS_MAGIC 0x496e4c73u
#define INLET_MAGIC 0x496e4c74u

enum inlet_state { INLET_PROXY_HEADER, INLET_FIRST_BYTES, INLET_TLS };

struct edge_inlets {
	unsigned magic;
	struct edge_worker *worker;
	struct loop_task look;
	struct event *timer; /* pending while any are WAITING */
	size_t kept;         /* bytes that all inlets keep */
};

struct edge_inlet {
	unsigned magic;
	enum inlet_state state;
	enum edge_listener_kind kind;
	bool shares_group; /* of the ClientHello: see greeting.h */
	/* TLS: of a handshake that is about to end for it; NONE: for the connection's reason. */
	enum edge_failure failure;
	struct edge_conn *conn;
	struct edge_inlets *all;
	struct deadline deadline;
	char *kept; /* bytes read too early to be dealt with; NULL: none */
	size_t kept_len;
	struct edge_handshake
	    *handshake; /* HANDSHAKING, until inlet_established() or inlet_failed() end */
};

/* inlet.c */

const struct cfg_http *inlet_http(const struct edge_inlet *in);
void inlet_set_state(struct edge_inlet *in, enum inlet_state state);
/* `in` is gone after this. */
void inlet_end(struct edge_inlet *in, enum reason reason, enum edge_close how);
/* On to the protocol: `in` is gone after this. */
void inlet_leave(struct edge_inlet *in, const struct edge_protocol *protocol, char *bytes,
		 size_t n);
/* `buf` in the place of what was kept. False: there is no room, `in` is gone. */
bool inlet_keep(struct edge_inlet *in, const char *buf, size_t n);
void inlet_drop_kept(struct edge_inlet *in);

/* inlet_tls.c */

void inlets_init_waiting(struct edge_inlets *all);
void inlets_fini_waiting(struct edge_inlets *all);
/* False when there is nothing more to read here, for now or because `in` is gone. */
bool inlet_take_hello(struct edge_inlet *in, const char *buf, size_t n);
/* WAITING: a client has nothing more to say, but its end is to be noticed. */
bool inlet_take_while_waiting(struct edge_inlet *in, const char *buf, size_t n);
/* Its time is over: likewise `in` is gone. */
void inlet_cancel_handshake(struct edge_inlet *in);
/* A handshake ends with that, or what was to be one. */
void inlet_count_failure(const struct edge_inlet *in, enum reason reason);
/* The stream's. */
void inlet_established(void *arg);
void inlet_failed(void *arg);
