/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's side of HTTP/1.1: one object a connection, one exchange at a time.
 */
#pragma once

struct edge_protocol;

extern const struct edge_protocol edge_h1_protocol;
