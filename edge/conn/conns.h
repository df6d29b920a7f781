/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The connections of a worker as a whole, for the worker; and what conn.c does for the inlet.
 * Protocols need neither.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/reason.h"

struct edge_conn;
struct edge_protocol;
struct edge_worker;
struct net_addr;

/* For the worker. */

/* Sets worker->admission and worker->inlets. */
void edge_conns_create(struct edge_worker *w);
/* Ends what is still there. */
void edge_conns_destroy(struct edge_worker *w);
/* worker->stopping is set: ends those that are silent or idle, soon those in a handshake, the
 * others as soon as nothing is under way. */
void edge_conns_drain(struct edge_worker *w);
unsigned edge_conns_count(const struct edge_worker *w);
/* Whom a newcomer is best handed to: `w` itself; or, when the node is full and `w` has nobody that
 * would give way, the index of a worker that has. */
unsigned edge_conns_host(const struct edge_worker *w);

/* There has been a reload: connections that it has outdated are ended in order, soon. */
void edge_conns_review(struct edge_worker *w);

/* For the review of other edges' connections (review.h): by what has been loaded since, the edge
 * would not be let in any more. False of clients. */
bool edge_conn_is_outdated(const struct edge_conn *conn);

/* For the inlet. */

/* A newcomer, SILENT, without a stream as yet; others may have had to give way. `is_client`: it is
 * the client itself, so it is judged before it takes anybody's place. NULL: it is turned away,
 * which is counted. */
struct edge_conn *edge_conn_create(struct edge_worker *w, const struct net_addr *remote,
				   bool is_client);
/* When it is known who the client is, once: REASON_NONE, or why it is not let in, which is counted.
 */
enum reason edge_conn_judge(struct edge_conn *conn);
/* When its ClientHello is here: whether it has had too many handshakes lately; and whether
 * http.access denies it, now that its fingerprint is known. */
bool edge_conn_shakes_too_fast(struct edge_conn *conn);
/* Its handshake was another edge's, which does not count. */
void edge_conn_excuse_handshake(struct edge_conn *conn);
bool edge_conn_is_denied(struct edge_conn *conn);
/* HANDSHAKING: true; or WAITING. */
bool edge_conn_take_handshake(struct edge_conn *conn);
/* One that is WAITING no more but HANDSHAKING; NULL when there is none or no place. `all`: the
 * worker's even share does not matter. */
struct edge_conn *edge_conn_next_handshake(struct edge_worker *w, bool all);
/* IDLE, and on to the protocol. */
void edge_conn_ready(struct edge_conn *conn, const struct edge_protocol *protocol, char *bytes,
		     size_t n);
