/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading and settling. At most one load is under way, at most one more is wanted after it, and at
 * most one loaded view waits until it is settled; a later one takes its place. Who asked by the
 * control socket waits beside the load that is to answer.
 *
 * A load is an object of its own, as it may outlive all else here: see core/loop/job.h.
 */
#include "core/process/daemon_views.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "core/base/check.h"
#include "core/base/log.h"

#define VIEWS_MAGIC 0x56696577u

/* How often, and how long at most, a view that is loaded waits for the first word about what it
 * depends on. A name server that says nothing for longer than that is worse than one that guesses.
 */
#define SETTLE_CHECK DUR_MS(20)
#define SETTLE_MAX DUR_S(3)
/* Who waits for so long is told for whom. */
#define SETTLE_LONG DUR_S(1)

struct waiter {
	STAILQ_ENTRY(waiter) link;
	struct control_request *request;
};
STAILQ_HEAD(waiters, waiter);

struct load {
	struct job job;
	struct daemon *d;
	void *view;
	char *errors;
};

struct daemon_views {
	unsigned magic;
	struct daemon *d;
	bool loading;
	bool again;     /* when that is over */
	void *settling; /* NULL: none */
	bool published; /* it is: the first one */
	char *restart;  /* what of it takes a restart; NULL: nothing */
	mono_time since;
	bool told; /* for whom it waits */
	struct event *timer;
	/* For the load that is wanted, the one under way, the one that settles. */
	struct waiters for_next, for_load, for_settling;
	wall_time last;   /* reload; ns == 0: there was none */
	char *last_error; /* the first; NULL: it was taken */
};

/* Who waits */

static void answer_all(struct waiters *waiters, json_t *answer)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(waiters, link);
		control_answer(&w->request, json_incref(answer));
		free(w);
	}
	json_decref(answer);
}

static void wait_for(struct waiters *waiters, struct control_request *request)
{
	struct waiter *w = xmalloc(sizeof(*w));

	w->request = request;
	STAILQ_INSERT_TAIL(waiters, w, link);
}

/* Outcomes */

static void remember(struct daemon_views *v, const char *first_error)
{
	free(v->last_error);
	v->last_error = first_error == NULL ? NULL : xstrdup(first_error);
	v->last = clock_wall();
	v->d->ops->reloaded(v->d, first_error == NULL);
}

void daemon_views_status(const struct daemon_views *v, json_t *status)
{
	time_t seconds = v->last.ns / 1000000000;
	char time[32];
	struct tm tm;

	if (v->last.ns == 0)
		return;
	gmtime_r(&seconds, &tm);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(status, "last_reload",
			    json_pack("{s:s, s:s}", "time", time, "result",
				      v->last_error == NULL ? "ok" : v->last_error));
}

/* `errors` has a line for each. */
static void refuse(struct daemon_views *v, const char *errors)
{
	char *lines = xstrdup(errors), *rest, *line;
	json_t *list = json_array();

	for (line = strtok_r(lines, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		log_error("%s", line);
		json_array_append_new(list, json_string(line));
	}
	log_error("reload refused: the running configuration stays");
	/* jansson has left out what is no UTF-8. */
	remember(v, json_array_size(list) > 0 ? json_string_value(json_array_get(list, 0)) : "?");
	answer_all(&v->for_load,
		   json_pack("{s:s, s:o}", "error",
			     "reload refused: the running configuration stays", "errors", list));
	free(lines);
}

static void publish(struct daemon_views *v)
{
	struct daemon *d = v->d;
	void *view = v->settling;

	v->settling = NULL;
	log_set_level(d->ops->settings(d, view).log_level);
	d->ops->publish(d, view);
	log_info("configuration reloaded");
	remember(v, NULL);
	answer_all(&v->for_settling,
		   json_pack("{s:b, s:s?}", "reloaded", 1, "restart", v->restart));
}

/* Settling */

static void start_load(struct daemon_views *v);

static void settled(struct daemon_views *v)
{
	if (!v->published) {
		publish(v);
		return;
	}
	v->settling = NULL;
	v->published = false;
	daemon_settled(v->d);
	/* What was asked for meanwhile. */
	if (v->again)
		start_load(v);
}

/* "fra1, nyc1 and 3 others", malloc'd. */
static char *awaited_text(const struct daemon_views *v)
{
	const char *names[DAEMON_AWAITED_NAMES] = {NULL};
	unsigned n = v->d->ops->awaited == NULL ? 0 : v->d->ops->awaited(v->settling, names);
	unsigned n_names = MIN(n, DAEMON_AWAITED_NAMES);
	char *text = xstrdup(n == 0 ? "some" : "");

	for (unsigned i = 0; i < n_names; i++) {
		bool last = i + 1 == n;
		char *more = xasprintf("%s%s%s", text,
				       i == 0 ? ""
				       : last ? " and "
					      : ", ",
				       names[i]);

		free(text);
		text = more;
	}
	if (n > n_names) {
		char *more = xasprintf("%s and %u others", text, n - n_names);

		free(text);
		text = more;
	}
	return text;
}

static void tell_waiting(struct daemon_views *v, duration waited)
{
	bool over = waited.ns >= SETTLE_MAX.ns;
	char *whom;

	if (!over && (v->told || waited.ns < SETTLE_LONG.ns))
		return;
	v->told = true;
	whom = awaited_text(v);
	if (over)
		log_warn("the first health checks of %s have not ended within %d s: it goes on "
			 "without them",
			 whom, (int)(dur_to_ms(SETTLE_MAX) / 1000));
	else
		log_info("waiting for the first health checks of %s", whom);
	free(whom);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = dur_to_timeval(SETTLE_CHECK);
	struct daemon_views *v = arg;

	MAGIC_CHECK(v, VIEWS_MAGIC);
	if (!v->d->ops->settled(v->settling)) {
		duration waited = mono_since(clock_mono(), v->since);

		tell_waiting(v, waited);
		if (waited.ns < SETTLE_MAX.ns) {
			CHECK(event_add(v->timer, &again) == 0);
			return;
		}
	}
	event_del(v->timer); /* it may wait for the one whose place this took */
	settled(v);
}

static void settle(struct daemon_views *v, void *view)
{
	v->settling = view;
	v->since = clock_mono();
	v->told = false;
	look(-1, 0, v);
}

static void drop_settling(struct daemon_views *v)
{
	if (v->settling != NULL && !v->published)
		v->d->ops->drop(v->d, v->settling);
	v->settling = NULL;
}

/* A view for a reload, that is right. */
static void take(struct daemon_views *v, void *view)
{
	struct daemon *d = v->d;

	free(v->restart);
	v->restart = d->ops->needs_restart(d, view);
	if (v->restart != NULL)
		log_warn("%s has changed: that takes a restart", v->restart);
	d->ops->plan(d, view, d->group->n_workers);
	/* First the new one: what both name is kept. */
	d->ops->watch(d, view);
	drop_settling(v);
	STAILQ_CONCAT(&v->for_settling, &v->for_load);
	settle(v, view);
}

void daemon_views_settle_first(struct daemon_views *v, void *view)
{
	v->published = true;
	settle(v, view);
}

/* Loading */

static void run_load(struct job *job)
{
	struct load *load = CONTAINER_OF(job, struct load, job);

	load->view = load->d->ops->load(load->d, &load->errors);
}

static void free_load(struct load *load)
{
	free(load->errors);
	free(load);
}

static void discard_load(struct job *job)
{
	struct load *load = CONTAINER_OF(job, struct load, job);

	if (load->view != NULL)
		load->d->ops->discard(load->view);
	free_load(load);
}

static void load_done(struct job *job)
{
	struct load *load = CONTAINER_OF(job, struct load, job);
	struct daemon *d = load->d;
	struct daemon_views *v = d->views;

	v->loading = false;
	switch (d->state) {
	case DAEMON_STARTING:
		daemon_loaded(d, &load->view, load->errors);
		break;
	case DAEMON_SERVING:
		if (load->view != NULL)
			take(v, load->view);
		else
			refuse(v, load->errors);
		break;
	case DAEMON_STOPPING:
		discard_load(job);
		return;
	}
	free_load(load);
	if (v->again && d->state == DAEMON_SERVING)
		start_load(v);
}

static void start_load(struct daemon_views *v)
{
	static const struct job_ops ops = {run_load, load_done, discard_load};
	struct load *load = xcalloc(1, sizeof(*load));

	v->loading = true;
	v->again = false;
	STAILQ_CONCAT(&v->for_load, &v->for_next);
	load->d = v->d;
	job_start(v->d->jobs, &load->job, &ops);
}

void daemon_views_load_first(struct daemon_views *v)
{
	start_load(v);
}

void daemon_views_reload(struct daemon_views *v, struct control_request *request)
{
	const char *file = v->d->options.config;

	CHECK(v->d->state != DAEMON_STOPPING);
	if (request != NULL)
		wait_for(&v->for_next, request);
	if (v->loading || v->d->state == DAEMON_STARTING) {
		log_info("reload: %s will be read once more after what is under way", file);
		v->again = true;
	} else {
		log_info("reload: reading %s", file);
		start_load(v);
	}
}

/* Life */

struct daemon_views *daemon_views_create(struct daemon *d)
{
	struct daemon_views *v = xcalloc(1, sizeof(*v));

	v->magic = VIEWS_MAGIC;
	v->d = d;
	STAILQ_INIT(&v->for_next);
	STAILQ_INIT(&v->for_load);
	STAILQ_INIT(&v->for_settling);
	v->timer = evtimer_new(loop_base(d->control), look, v);
	CHECK(v->timer != NULL);
	return v;
}

void daemon_views_stop(struct daemon_views *v)
{
	event_del(v->timer);
	drop_settling(v);
	v->again = false;
	STAILQ_CONCAT(&v->for_next, &v->for_load);
	STAILQ_CONCAT(&v->for_next, &v->for_settling);
	answer_all(&v->for_next, control_error("not reloaded: it is stopping"));
}

void daemon_views_destroy(struct daemon_views **vp)
{
	struct daemon_views *v = TAKE(vp);

	event_free(v->timer);
	free(v->restart);
	free(v->last_error);
	v->magic = MAGIC_DEAD;
	free(v);
}
