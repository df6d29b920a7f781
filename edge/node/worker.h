/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One worker, for all that runs on its loop: what is its own, and what all workers of the node
 * share. How it lives is in edge/worker.h.
 */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>

#include "core/http/message.h"
#include "core/loop/snapshot.h"
#include "core/net/stream.h"
#include "edge/node/counters.h"
#include "edge/node/date.h"
#include "edge/rules/identity.h"

struct edge_guard;
struct edge_access_log;
struct edge_worker;
struct handshakes;
struct olink;
struct olink_worker;

/* How many of the places of http.limit are taken, by the connections of all workers together:
 * edge/conn/admission.h. */
struct edge_places {
	_Atomic unsigned connections, silent, handshakes;
	/* Taken by nobody yet: newcomers on their way from one worker to another. */
	_Atomic unsigned moving;
};

/* What all workers share. */
struct edge_common {
	/* Immutable while they run. */
	struct loop_group *group;
	struct edge_worker **workers; /* each NULL once it is destroyed, after all were joined */
	struct metrics *metrics;
	struct olink *olink;
	struct edge_access_log *access_log; /* NULL: none */
	struct span pseudonym;              /* of this node in Via */
	struct handshakes *handshakes;      /* NULL: workers do it themselves */
	/* Posted to the control loop by each worker that was told to stop, once it is idle. */
	void (*worker_idle)(void *arg);
	void *arg;
	/* These guard themselves. */
	struct snapshot_slot views;
	struct edge_places places;
	_Atomic(struct edge_hints *) hints; /* NULL: none were needed so far */
	uint64_t hints_seed;                /* random */
	struct edge_guard *guard;           /* what http.per_client and limits remember */
	struct stream_budget budget;        /* its limit is http.limit.buffered */
};

struct edge_exchange;
struct edge_admission;
struct edge_compressors;
struct edge_hints;
struct edge_inlets;
struct edge_listeners;
struct edge_mirror;
struct edge_protocol;
struct edge_review;
struct edge_verifier;

struct edge_worker {
	unsigned magic;
	/* Immutable while it runs. */
	struct edge_common *common;
	struct loop *loop;
	struct stream_buffers *buffers;
	struct olink_worker *olink;
	struct edge_verifier *verifier; /* of passwords */
	struct edge_listeners *listeners;
	struct edge_inlets *inlets;
	const struct edge_protocol *const *protocols; /* up to NULL; the first: by default */
	/* Its loop's. */
	struct edge_admission *admission;
	struct edge_review *review; /* of other edges' connections */
	bool stopping;
	struct event *idle_check; /* while stopping */
	struct edge_date date;
	struct edge_compressors *compressors;
	struct edge_randomness randomness;     /* of the names of requests */
	struct edge_exchange *spare_exchanges; /* for the next requests */
	unsigned n_spare_exchanges;
	LIST_HEAD(edge_mirror_list, edge_mirror) mirrors; /* copies of requests */
	unsigned n_mirrors;
	uint64_t n_mirror_choices;
	void *h2_frame; /* of edge/h2/h2_memory.c */
};

static inline void edge_count(struct edge_worker *w, unsigned counter, int64_t n)
{
	metrics_add(w->common->metrics, w->loop, counter, n);
}
