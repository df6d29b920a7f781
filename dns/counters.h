/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the responder counts, one shard a worker (core/process/metrics.h).
 */
#pragma once

#include "core/process/metrics.h"
#include "dns/answer.h"

enum dns_counter {
	DNS_QUERIES_UDP,
	DNS_QUERIES_TCP,
	DNS_NOERROR,
	DNS_FORMERR,
	DNS_SERVFAIL,
	DNS_NXDOMAIN,
	DNS_NOTIMP,
	DNS_REFUSED,
	DNS_BADVERS,
	DNS_OTHER_RCODE,
	DNS_DROPPED,
	DNS_SEND_FAILED,
	DNS_TRUNCATED,
	DNS_ECS_QUERIES,
	DNS_STEERED,
	DNS_TCP_CONNECTIONS_TOTAL,
	DNS_TCP_OPEN,
	DNS_RELOADS,
	DNS_RELOAD_FAILURES,
	DNS_N_COUNTERS,
};

struct metrics *dns_counters_create(unsigned n_shards);
/* After an answer of `len` bytes (0: silence) on the calling loop. */
void dns_counters_answered(struct metrics *metrics, const struct loop *loop,
			   const struct dns_facts *facts, size_t len, bool tcp);
