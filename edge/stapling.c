/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rounds: a job takes those that are due, a hundred at most, so that what is published meanwhile is
 * seen to soon. A responder that gives no answer is not asked about others in the same round.
 */
#define LOG_MODULE LOG_TLS
#include "edge/stapling.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/node/counters.h"
#include "edge/tls/certs.h"
#include "edge/tls/staple.h"

#define STAPLING_MAGIC 0x53747067u
#define ROUND_MAX 100

struct stapling_round {
	struct job job;
	struct edge_stapling *s; /* not the thread's */
	int stop;
	struct staple *staples[ROUND_MAX];
	unsigned n;
	/* Of them, one of each responder that gave no answer. */
	const struct staple *silent[ROUND_MAX];
	unsigned n_silent;
	unsigned fetched, failed;
};

/* On the thread of the rounds */

static bool has_silent_responder(const struct stapling_round *round, const struct staple *staple)
{
	for (unsigned i = 0; i < round->n_silent; i++) {
		if (staple_has_responder_of(staple, round->silent[i]))
			return true;
	}
	return false;
}

static void fetch(struct stapling_round *round, struct staple *staple)
{
	enum staple_fetched fetched;
	char *error;

	if (has_silent_responder(round, staple)) {
		staple_put_off(staple);
		return;
	}
	fetched = staple_fetch(staple, round->stop, &error);
	if (fetched == STAPLE_FETCHED) {
		round->fetched++;
		log_debug("%s: a new OCSP response", staple_name(staple));
		return;
	}
	round->failed++;
	if (fetched == STAPLE_NO_ANSWER)
		round->silent[round->n_silent++] = staple;
	log_warn("%s: no new OCSP response: %s", staple_name(staple), error);
	free(error);
}

static void run_round(struct job *job)
{
	struct stapling_round *round = CONTAINER_OF(job, struct stapling_round, job);

	for (unsigned i = 0; i < round->n; i++)
		fetch(round, round->staples[i]);
}

/* On the control loop */

static void discard_round(struct job *job)
{
	struct stapling_round *round = CONTAINER_OF(job, struct stapling_round, job);

	for (unsigned i = 0; i < round->n; i++)
		staple_unref(&round->staples[i]);
	free(round);
}

static void look(struct edge_stapling *s);

static void round_done(struct job *job)
{
	struct stapling_round *round = CONTAINER_OF(job, struct stapling_round, job);
	struct edge_stapling *s = round->s;

	MAGIC_CHECK(s, STAPLING_MAGIC);
	metrics_add(s->metrics, s->control, EDGE_OCSP_RESPONSES, round->fetched);
	metrics_add(s->metrics, s->control, EDGE_OCSP_FAILURES, round->failed);
	s->round = NULL;
	/* Nothing is shown any more, since it was under way. */
	for (unsigned i = 0; i < round->n && s->n == 0; i++)
		staple_forget(round->staples[i]);
	discard_round(job);
	look(s);
}

static void start_round(struct edge_stapling *s, struct stapling_round *round)
{
	static const struct job_ops ops = {run_round, round_done, discard_round};

	s->round = round;
	job_start(s->jobs, &round->job, &ops);
}

/* Starts a round if any are due; else waits until one is. */
static void look(struct edge_stapling *s)
{
	struct stapling_round *round = xcalloc(1, sizeof(*round));
	mono_time now = clock_mono(), next = {INT64_MAX}, due;
	struct timeval wait;

	round->s = s;
	round->stop = s->stop;
	for (unsigned i = 0; i < s->n && round->n < ROUND_MAX; i++) {
		due = staple_due(s->staples[i]);
		if (mono_reached(due, now))
			round->staples[round->n++] = staple_ref(s->staples[i]);
		else
			next.ns = MIN(next.ns, due.ns);
	}
	if (round->n > 0) {
		start_round(s, round);
		return;
	}
	free(round);
	if (s->n == 0)
		return;
	wait = dur_to_timeval(mono_since(next, now));
	wait.tv_sec++;
	CHECK(event_add(&s->timer, &wait) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct edge_stapling *s = arg;

	MAGIC_CHECK(s, STAPLING_MAGIC);
	if (s->round == NULL)
		look(s);
}

static void let_go(struct edge_stapling *s, bool forget)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (forget)
			staple_forget(s->staples[i]);
		staple_unref(&s->staples[i]);
	}
	free(s->staples);
	s->staples = NULL;
	s->n = 0;
}

bool edge_stapling_start(struct edge_stapling *s, struct loop *control, struct metrics *metrics)
{
	s->magic = STAPLING_MAGIC;
	s->control = control;
	s->metrics = metrics;
	CHECK(evtimer_assign(&s->timer, loop_base(control), timer_cb, s) == 0);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->jobs = jobs_create(control, "ocsp");
	return s->jobs != NULL;
}

void edge_stapling_use(struct edge_stapling *s, const struct edge_certs *certs)
{
	unsigned n = certs != NULL ? edge_certs_count(certs) : 0, kept = 0;
	struct staple **staples = xcalloc(n + 1, sizeof(struct staple *));

	for (unsigned i = 0; i < n; i++) {
		struct staple *staple = edge_certs_staple(certs, i);

		if (staple != NULL)
			staples[kept++] = staple_ref(staple);
	}
	let_go(s, certs == NULL);
	s->staples = staples;
	s->n = kept;
	event_del(&s->timer);
	if (s->round == NULL)
		look(s);
}

bool edge_stapling_stop(struct edge_stapling *s)
{
	const uint64_t one = 1;
	bool whole = true;

	if (s->magic != STAPLING_MAGIC)
		return true;
	event_del(&s->timer);
	if (s->jobs != NULL) {
		CHECK(s->stop < 0 || write(s->stop, &one, sizeof(one)) == sizeof(one));
		whole = jobs_stop(s->jobs);
		jobs_destroy(&s->jobs);
	}
	if (whole && s->stop >= 0)
		close(s->stop);
	let_go(s, false);
	s->magic = MAGIC_DEAD;
	return whole;
}
