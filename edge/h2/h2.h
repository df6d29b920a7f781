/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's side of HTTP/2: one object a connection, one exchange for each of its streams.
 */
#pragma once

struct edge_protocol;
struct edge_worker;

extern const struct edge_protocol edge_h2_protocol;

/* When the worker ends: what its connections have shared. */
void edge_h2_free_memory(struct edge_worker *worker);
