/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one worker serves with: its answerer, its counters, the view it reads. Worker's loop only;
 * the sockets on top of it are dns/serve/udp.h and dns/serve/tcp.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_answerer;
struct loop;
struct metrics;
struct net_addr;
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

/* One query from `remote`, answered from the current view and counted; 0: stay silent. */
size_t dns_service_answer(struct dns_service *service, const struct net_addr *remote, bool tcp,
			  const uint8_t *query, size_t len, uint8_t *out, size_t cap);
