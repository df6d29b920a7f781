/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's side of HTTP/2: one object a connection, one exchange for each of its streams.
 */
#pragma once

struct edge_protocol;

extern const struct edge_protocol edge_h2_protocol;
