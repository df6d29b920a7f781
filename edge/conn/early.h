/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections whose early data is served while their handshake goes on, which has to be done in
 * time all the same. Worker's loop only.
 */
#pragma once

#include "core/base/clock.h"
#include "core/base/reason.h"

struct edge_conn;
struct edge_early;

/* The handshake began at `since`, and is to be done at `until`. */
void edge_conn_begin_early(struct edge_conn *conn, mono_time since, mono_time until);
/* It is done: for protocols, from the stream's handshaken(). */
void edge_conn_handshaken(struct edge_conn *conn);
/* For edge_conn_end(), while the stream is there: of one that may be early. */
void edge_conn_end_early(struct edge_conn *conn, enum reason reason);
/* Counts a handshake that is done, and keeps what is known of it. */
void edge_conn_count_handshake(struct edge_conn *conn, mono_time since);
