/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the responder counts, one shard a worker (core/process/metrics.h).
 */
#pragma once

#include "core/process/metrics.h"

struct dns_facts;

#define DNS_COUNTER_LIST(X)                                                                        \
	X(DNS_QUERIES_UDP, "dns_queries_udp_total", COUNTER, "Messages received over UDP")         \
	X(DNS_QUERIES_TCP, "dns_queries_tcp_total", COUNTER, "Messages received over TCP")         \
	X(DNS_NOERROR, "dns_responses_noerror_total", COUNTER, "Responses NOERROR")                \
	X(DNS_FORMERR, "dns_responses_formerr_total", COUNTER, "Responses FORMERR")                \
	X(DNS_SERVFAIL, "dns_responses_servfail_total", COUNTER, "Responses SERVFAIL")             \
	X(DNS_NXDOMAIN, "dns_responses_nxdomain_total", COUNTER, "Responses NXDOMAIN")             \
	X(DNS_NOTIMP, "dns_responses_notimp_total", COUNTER, "Responses NOTIMP")                   \
	X(DNS_REFUSED, "dns_responses_refused_total", COUNTER, "Responses REFUSED")                \
	X(DNS_BADVERS, "dns_responses_badvers_total", COUNTER, "Responses BADVERS")                \
	X(DNS_OTHER_RCODE, "dns_responses_other_total", COUNTER, "Responses of other rcodes")      \
	X(DNS_DROPPED, "dns_dropped_total", COUNTER,                                               \
	  "Messages met with silence: responses, fragments of a header, oversized")                \
	X(DNS_RECEIVE_DROPS, "dns_receive_drops_total", COUNTER,                                   \
	  "Datagrams that the kernel dropped before they were read, mostly for want of room")      \
	X(DNS_SEND_FAILED, "dns_send_failed_total", COUNTER,                                       \
	  "Responses that the kernel did not take")                                                \
	X(DNS_TRUNCATED, "dns_truncated_total", COUNTER, "Responses with TC set")                  \
	X(DNS_ECS_QUERIES, "dns_ecs_queries_total", COUNTER, "Queries with a client subnet")       \
	X(DNS_STEERED, "dns_steered_total", COUNTER, "Answers that were chosen for the client")    \
	X(DNS_TCP_CONNECTIONS_TOTAL, "dns_tcp_connections_total", COUNTER,                         \
	  "TCP connections accepted")                                                              \
	X(DNS_TCP_DISPLACED, "dns_tcp_displaced_total", COUNTER,                                   \
	  "TCP connections that gave way to a newcomer")                                           \
	X(DNS_TCP_TIMED_OUT, "dns_tcp_timed_out_total", COUNTER,                                   \
	  "TCP connections that were quiet, or slow, for too long")                                \
	X(DNS_TCP_MALFORMED, "dns_tcp_malformed_total", COUNTER,                                   \
	  "TCP connections ended for a message that is no query")                                  \
	X(DNS_TCP_OPEN, "dns_tcp_open_connections", GAUGE, "TCP connections now open")             \
	X(DNS_LOG_DROPPED, "dns_log_dropped_total", COUNTER,                                       \
	  "Lines of the program's log that could not be written in time")                          \
	X(DNS_PROBES_PREVENTED, "dns_probes_prevented_total", COUNTER,                             \
	  "Health probes of edges that were not made, for want of descriptors, ports or memory "   \
	  "here")                                                                                  \
	X(DNS_VERDICTS_STALE, "dns_verdicts_stale_total", COUNTER,                                 \
	  "Verdicts about addresses of edges that nobody has renewed for too long")                \
	X(DNS_RELOADS, "dns_reloads_total", COUNTER, "Configurations taken over while running")    \
	X(DNS_RELOAD_FAILURES, "dns_reload_failures_total", COUNTER,                               \
	  "Configurations refused while running")

enum dns_counter {
	DNS_COUNTER_LIST(METRIC_ID) /* in the order of the list */
	DNS_N_COUNTERS,
};

struct metrics *dns_counters_create(unsigned n_shards);
/* After an answer of `len` bytes (0: silence) on the calling loop. */
void dns_counters_answered(struct metrics *metrics, const struct loop *loop,
			   const struct dns_facts *facts, size_t len, bool tcp);
