/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/serve/counters.h"

#include <libknot/consts.h>

#include "dns/answer/answer.h"

static const struct metric_desc table[] = {DNS_COUNTER_LIST(METRIC_ROW)};

struct metrics *dns_counters_create(unsigned n_shards)
{
	return metrics_create(table, DNS_N_COUNTERS, n_shards);
}

static enum dns_counter rcode_counter(uint16_t rcode)
{
	switch (rcode) {
	case KNOT_RCODE_NOERROR:
		return DNS_NOERROR;
	case KNOT_RCODE_FORMERR:
		return DNS_FORMERR;
	case KNOT_RCODE_SERVFAIL:
		return DNS_SERVFAIL;
	case KNOT_RCODE_NXDOMAIN:
		return DNS_NXDOMAIN;
	case KNOT_RCODE_NOTIMPL:
		return DNS_NOTIMP;
	case KNOT_RCODE_REFUSED:
		return DNS_REFUSED;
	case KNOT_RCODE_BADVERS:
		return DNS_BADVERS;
	default:
		return DNS_OTHER_RCODE;
	}
}

void dns_counters_answered(struct metrics *metrics, const struct loop *loop,
			   const struct dns_facts *facts, size_t len, bool tcp)
{
	metrics_add(metrics, loop, tcp ? DNS_QUERIES_TCP : DNS_QUERIES_UDP, 1);
	if (len == 0) {
		metrics_add(metrics, loop, DNS_DROPPED, 1);
		return;
	}
	metrics_add(metrics, loop, rcode_counter(facts->rcode), 1);
	if (facts->truncated)
		metrics_add(metrics, loop, DNS_TRUNCATED, 1);
	if (facts->client_subnet)
		metrics_add(metrics, loop, DNS_ECS_QUERIES, 1);
	if (facts->steered != NULL)
		metrics_add(metrics, loop, DNS_STEERED, 1);
}
