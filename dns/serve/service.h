/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one worker serves with: its answerer, its counters, the view it reads. Worker's loop only;
 * the sockets on top of it are dns/serve/udp.h and dns/serve/tcp.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer/answer.h"

struct loop;
struct metrics;
struct snapshot_slot;
struct stream_buffers;

struct dns_service {
	struct loop *loop;
	struct snapshot_slot *views;
	struct metrics *metrics;
	struct dns_answerer *answerer;
	struct stream_buffers *buffers;
	unsigned tcp_connections; /* of one listener */
};

/* For the queries of one turn: what they have in common. The rest is the caller's to fill in. */
struct dns_request dns_service_request(const struct dns_service *service,
				       enum dns_transport transport);
/* One query, answered from the current view and counted; 0: stay silent. */
size_t dns_service_answer(struct dns_service *service, const struct dns_request *request,
			  uint8_t *out, size_t cap);
