/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gRPC over HTTP/2 (PROTOCOL-HTTP2.md of grpc/grpc): what its clients are told when the edge fails,
 * and how long they wait. Pure but for the arena; any thread.
 */
#pragma once

#include "core/base/clock.h"
#include "core/base/reason.h"
#include "core/http/message.h"

/* Content-Type application/grpc, with any suffix: +proto, ;charset... */
bool edge_grpc_is(const struct http_head *request);
/* Of the field grpc-timeout: "1S", "250m", at most 8 digits. False: there is none that can be read.
 */
bool edge_grpc_timeout(const struct http_head *request, duration *timeout);
/* By `reason` where gRPC has a word for it, else by the HTTP status that we would have answered
 * with (http-grpc-status-mapping.md). */
int edge_grpc_status(int http_status, enum reason reason);
/* grpc-status, and in grpc-message the reason's name. False: no room. */
bool edge_grpc_trailers(struct http_fields *fields, struct arena *arena, int http_status,
			enum reason reason);
/* A response that is all head ("Trailers-Only"). False: no room. */
bool edge_grpc_respond(struct http_head *head, struct arena *arena, int http_status,
		       enum reason reason);
