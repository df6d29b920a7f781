/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Generations, see generation.h. At most one job of a generation is under way. It has references of
 * its own, for it may end after the generation; and a moment is waited between two of them, so that
 * a fleet whose verdicts change all the time does not keep a processor busy.
 */
#define LOG_MODULE LOG_CONFIG
#include "dns/view/generation.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/loop.h"
#include "dns/steer/fronts.h"
#include "dns/view/parts.h"
#include "dns/view/view.h"
#include "dns/zone/zones.h"
#include "fleet/verdicts.h"

/* Answers are right without fronts too, and cost a microsecond more. */
#define BETWEEN DUR_MS(20)

#define GENERATION_MAGIC 0x47656e65u

struct dns_generation {
	unsigned magic;
	struct dns_parts *parts;
	/* Since it was started. */
	struct jobs *jobs;
	struct event *timer;         /* of the next job */
	struct steer_fronts *fronts; /* the latest */
	struct renewal *renewal;     /* the job under way; NULL: none */
	struct snapshot_slot *slot;  /* NULL: not published */
};

/* Making of fronts. */
struct renewal {
	struct job job;
	struct dns_generation *generation; /* NULL: it has ended. Control loop only */
	_Atomic bool unwanted;             /* likewise, for the thread that makes them */
	struct jobs *jobs;
	struct dns_parts *parts;
	struct steer_fronts *before, *fronts;
};

struct dns_generation *dns_generation_create(struct dns_parts **parts)
{
	struct dns_generation *g = xcalloc(1, sizeof(*g));

	g->magic = GENERATION_MAGIC;
	g->parts = TAKE(parts);
	return g;
}

void dns_generation_discard(struct dns_generation **gp)
{
	struct dns_generation *g = TAKE(gp);

	CHECK(g->jobs == NULL);
	dns_parts_unref(&g->parts);
	g->magic = MAGIC_DEAD;
	free(g);
}

struct dns_parts *dns_generation_parts(const struct dns_generation *g)
{
	return g->parts;
}

/* Fronts */

static bool is_current(const struct dns_generation *g)
{
	return g->fronts != NULL && g->fronts->complete &&
	       g->fronts->epoch == fleet_verdicts_epoch(g->parts->verdicts);
}

static void publish(struct dns_generation *g)
{
	struct dns_view *view = dns_view_create(g->parts, g->fronts);

	dns_view_publish(&view, g->slot, g->jobs);
}

static void let_go(struct job *job)
{
	struct renewal *r = CONTAINER_OF(job, struct renewal, job);

	steer_fronts_unref(&r->before);
	steer_fronts_unref(&r->fronts);
	dns_parts_unref(&r->parts);
}

static void free_renewal(struct job *job)
{
	let_go(job);
	free(CONTAINER_OF(job, struct renewal, job));
}

/* What it refers to may be the last reference, and much. */
static void drop_renewal(struct renewal **rp)
{
	static const struct job_ops ops = {let_go, free_renewal, free_renewal};
	struct renewal *r = TAKE(rp);

	job_start(r->jobs, &r->job, &ops);
}

static void run_renewal(struct job *job)
{
	struct renewal *r = CONTAINER_OF(job, struct renewal, job);

	if (r->unwanted) {
		let_go(job);
		return;
	}
	r->fronts = steer_fronts_renew(r->parts->steering, r->parts->places, r->parts->verdicts,
				       r->before, STEER_FRONTS_BYTES_MAX, clock_mono());
}

static void renew_if_due(struct dns_generation *g);

static void renewed(struct job *job)
{
	const struct timeval between = dur_to_timeval(BETWEEN);
	struct renewal *r = CONTAINER_OF(job, struct renewal, job);
	struct dns_generation *g = r->generation;

	if (g == NULL) {
		drop_renewal(&r);
		return;
	}
	g->renewal = NULL;
	/* Not the last reference: the renewal has another. */
	steer_fronts_unref(&g->fronts);
	g->fronts = TAKE(&r->fronts);
	drop_renewal(&r);
	if (g->slot == NULL) {
		renew_if_due(g); /* it is waited for */
		return;
	}
	publish(g);
	CHECK(event_add(g->timer, &between) == 0);
}

static void start_renewal(struct dns_generation *g)
{
	static const struct job_ops ops = {run_renewal, renewed, free_renewal};
	struct renewal *r = xcalloc(1, sizeof(*r));

	r->generation = g;
	r->jobs = g->jobs;
	r->parts = dns_parts_ref(g->parts);
	r->before = g->fronts == NULL ? NULL : steer_fronts_ref(g->fronts);
	g->renewal = r;
	job_start(g->jobs, &r->job, &ops);
}

/* Fronts of a generation that does not serve yet are made once there is a verdict on each edge:
 * what is made before would be for nothing. */
static void renew_if_due(struct dns_generation *g)
{
	bool wanted = g->slot != NULL || fleet_verdicts_settled(g->parts->verdicts);

	if (wanted && g->renewal == NULL && !event_pending(g->timer, EV_TIMEOUT, NULL) &&
	    !is_current(g))
		start_renewal(g);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct dns_generation *g = arg;

	MAGIC_CHECK(g, GENERATION_MAGIC);
	renew_if_due(g);
}

void dns_generation_moved(struct dns_generation *g)
{
	renew_if_due(g);
}

/* Its life */

void dns_generation_start(struct dns_generation *g, struct loop *control, struct jobs *jobs)
{
	CHECK(g->jobs == NULL);
	g->jobs = jobs;
	g->timer = evtimer_new(loop_base(control), look, g);
	CHECK(g->timer != NULL);
	renew_if_due(g);
}

char *dns_generation_waits_for(const struct dns_generation *g)
{
	char *edges = fleet_verdicts_unsettled(g->parts->verdicts);

	if (edges == NULL && !is_current(g))
		return xstrdup("the steering of all networks");
	return edges;
}

void dns_generation_publish(struct dns_generation *g, struct snapshot_slot *slot)
{
	CHECK(g->slot == NULL);
	log_debug("a view is published: %u zones", g->parts->zones->n);
	g->slot = slot;
	publish(g);
	renew_if_due(g);
}

void dns_generation_end(struct dns_generation **gp)
{
	struct dns_generation *g = TAKE(gp);
	struct renewal *last;

	if (g == NULL)
		return;
	if (g->renewal != NULL) {
		g->renewal->generation = NULL;
		g->renewal->unwanted = true;
	}
	last = xcalloc(1, sizeof(*last));
	last->jobs = g->jobs;
	last->parts = TAKE(&g->parts);
	last->fronts = TAKE(&g->fronts);
	drop_renewal(&last);
	event_free(g->timer);
	g->magic = MAGIC_DEAD;
	free(g);
}
