/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/counters.h"

#include <libknot/consts.h>

static const struct metric_desc desc[DNS_N_COUNTERS] = {
    [DNS_QUERIES_UDP] = {"dns_queries_udp_total", "Messages received over UDP.", METRIC_COUNTER},
    [DNS_QUERIES_TCP] = {"dns_queries_tcp_total", "Messages received over TCP.", METRIC_COUNTER},
    [DNS_NOERROR] = {"dns_responses_noerror_total", "Responses NOERROR.", METRIC_COUNTER},
    [DNS_FORMERR] = {"dns_responses_formerr_total", "Responses FORMERR.", METRIC_COUNTER},
    [DNS_SERVFAIL] = {"dns_responses_servfail_total", "Responses SERVFAIL.", METRIC_COUNTER},
    [DNS_NXDOMAIN] = {"dns_responses_nxdomain_total", "Responses NXDOMAIN.", METRIC_COUNTER},
    [DNS_NOTIMP] = {"dns_responses_notimp_total", "Responses NOTIMP.", METRIC_COUNTER},
    [DNS_REFUSED] = {"dns_responses_refused_total", "Responses REFUSED.", METRIC_COUNTER},
    [DNS_BADVERS] = {"dns_responses_badvers_total", "Responses BADVERS.", METRIC_COUNTER},
    [DNS_OTHER_RCODE] = {"dns_responses_other_total", "Responses of other rcodes.", METRIC_COUNTER},
    [DNS_DROPPED] = {"dns_dropped_total",
		     "Messages met with silence: responses, fragments of a header, oversized.",
		     METRIC_COUNTER},
    [DNS_SEND_FAILED] = {"dns_send_failed_total", "Responses that the kernel did not take.",
			 METRIC_COUNTER},
    [DNS_TRUNCATED] = {"dns_truncated_total", "Responses with TC set.", METRIC_COUNTER},
    [DNS_ECS_QUERIES] = {"dns_ecs_queries_total", "Queries with a client subnet.", METRIC_COUNTER},
    [DNS_STEERED] = {"dns_steered_total", "Answers that were chosen for the client.",
		     METRIC_COUNTER},
    [DNS_TCP_CONNECTIONS_TOTAL] = {"dns_tcp_connections_total", "TCP connections accepted.",
				   METRIC_COUNTER},
    [DNS_TCP_OPEN] = {"dns_tcp_open_connections", "TCP connections now open.", METRIC_GAUGE},
    [DNS_RELOADS] = {"dns_reloads_total", "Configurations taken over while running.",
		     METRIC_COUNTER},
    [DNS_RELOAD_FAILURES] = {"dns_reload_failures_total", "Configurations refused while running.",
			     METRIC_COUNTER},
};

struct metrics *dns_counters_create(unsigned n_shards)
{
	return metrics_create(desc, DNS_N_COUNTERS, n_shards);
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
