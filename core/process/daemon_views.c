/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading and settling. At most one load is under way, at most one more is wanted after it, and at
 * most one loaded view waits until it is settled; a later one takes its place. Who asked by the
 * control socket waits beside the load that is to answer, and is told what that is at.
 *
 * A load is an object of its own, as it may outlive all else here: see core/loop/job.h. What it
 * says of itself is looked up from time to time, so that it may say as much as it likes.
 */
#include "core/process/daemon_views.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/progress.h"

#define VIEWS_MAGIC 0x56696577u

/* How long at most a view that is loaded waits for the first word about what it depends on. A name
 * server that says nothing for longer than that is worse than one that guesses. One that takes the
 * place of another waits for what is left of that one's time: else reloads that follow each other
 * sooner than anything settles would never have anything published. */
#define SETTLE_MAX DUR_S(3)
/* How often it is looked whether it has settled, and what a load is at: a reload of a small
 * configuration is to be over at once. */
#define LOOK DUR_MS(5)

struct waiter {
	STAILQ_ENTRY(waiter) link;
	struct control_request *request;
};
STAILQ_HEAD(waiters, waiter);

struct load {
	struct job job;
	struct daemon *d;
	void *view;
	char *complaints;
	pthread_mutex_t lock;
	/* Under the lock, while it runs. */
	char progress[PROGRESS_TEXT];
	bool news; /* that nobody has been told yet */
};

struct daemon_views {
	unsigned magic;
	struct daemon *d;
	struct load *load; /* the one that is under way; NULL: none */
	bool again;        /* when that is over */
	void *settling;    /* NULL: none */
	bool published;    /* it is: the first one */
	char *restart;     /* what of it takes a restart; NULL: nothing */
	json_t *warnings;  /* about it */
	char *missing;     /* what it waits for, as last told; NULL: not known */
	mono_time since;
	struct event *timer; /* pending while there is one of the two */
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

static void tell_all(const struct waiters *waiters, const char *text)
{
	const struct waiter *w;

	STAILQ_FOREACH (w, waiters, link)
		control_progress(w->request, "%s", text);
}

static void add_waiter(struct waiters *waiters, struct control_request *request)
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

static bool is_warning(const char *complaint)
{
	static const char word[] = "warning: ";

	return strncmp(complaint, word, strlen(word)) == 0 || strstr(complaint, ": warning: ");
}

/* Each line to the log, as a warning or an error; and all as a list. */
static json_t *log_complaints(const char *complaints)
{
	char *lines = xstrdup(complaints), *rest, *line;
	json_t *list = json_array();

	for (line = strtok_r(lines, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (is_warning(line))
			log_warn("%s", line);
		else
			log_error("%s", line);
		json_array_append_new(list, control_text(line));
	}
	free(lines);
	return list;
}

static void refuse(struct daemon_views *v, const char *complaints)
{
	json_t *list = log_complaints(complaints), *line;
	const char *first = "?";
	size_t i;

	log_error("reload refused: the running configuration stays");
	json_array_foreach(list, i, line)
	{
		first = json_string_value(line);
		if (!is_warning(first))
			break;
	}
	remember(v, first);
	answer_all(&v->for_load,
		   json_pack("{s:s, s:o}", "error",
			     "reload refused: the running configuration stays", "errors", list));
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
	tell_all(&v->for_settling, "published");
	answer_all(&v->for_settling, json_pack("{s:b, s:s?, s:O}", "reloaded", 1, "restart",
					       v->restart, "warnings", v->warnings));
}

/* Settling */

static void start_load(struct daemon_views *v);

static void look_again(struct daemon_views *v)
{
	const struct timeval time = dur_to_timeval(LOOK);

	CHECK(event_add(v->timer, &time) == 0);
}

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

/* Consumes `missing`. */
static void tell_what_is_missing(struct daemon_views *v, char *missing)
{
	char *text;

	if (v->missing == NULL || strcmp(missing, v->missing) != 0) {
		text = xasprintf("settling, waiting for %s", missing);
		tell_all(&v->for_settling, text);
		free(text);
	}
	free(v->missing);
	v->missing = missing;
}

static void look_at_settling(struct daemon_views *v)
{
	char *missing = v->d->ops->waits_for(v->settling);

	if (missing != NULL) {
		tell_what_is_missing(v, missing);
		if (mono_since(clock_mono(), v->since).ns < SETTLE_MAX.ns) {
			look_again(v);
			return;
		}
		log_warn("it has waited for %d s, and goes on without %s",
			 (int)(dur_to_ms(SETTLE_MAX) / 1000), v->missing);
	}
	settled(v);
}

static void settle(struct daemon_views *v, void *view, mono_time since)
{
	v->settling = view;
	v->since = since;
	free(v->missing);
	v->missing = NULL;
	look_at_settling(v);
}

static void drop_settling(struct daemon_views *v)
{
	if (v->settling != NULL && !v->published)
		v->d->ops->drop(v->d, v->settling);
	v->settling = NULL;
}

/* A view for a reload, that is right. */
static void take(struct daemon_views *v, void *view, const char *complaints)
{
	struct daemon *d = v->d;
	mono_time since = v->settling != NULL ? v->since : clock_mono();

	json_decref(v->warnings);
	v->warnings = log_complaints(complaints);
	free(v->restart);
	v->restart = d->ops->needs_restart(d, view);
	if (v->restart != NULL)
		log_warn("%s has changed: that takes a restart", v->restart);
	d->ops->plan(d, view, d->group->n_workers);
	/* First the new one: what both name is kept. */
	d->ops->watch(d, view);
	drop_settling(v);
	STAILQ_CONCAT(&v->for_settling, &v->for_load);
	settle(v, view, since);
}

void daemon_views_settle_first(struct daemon_views *v, void *view)
{
	v->published = true;
	settle(v, view, clock_mono());
}

/* Loading */

/* On the thread of the job. */
static void keep_progress(void *arg, const char *text)
{
	struct load *load = arg;

	pthread_mutex_lock(&load->lock);
	snprintf(load->progress, sizeof(load->progress), "%s", text);
	load->news = true;
	pthread_mutex_unlock(&load->lock);
}

static void look_at_load(struct daemon_views *v)
{
	struct load *load = v->load;
	char text[PROGRESS_TEXT];
	bool news;

	pthread_mutex_lock(&load->lock);
	news = load->news;
	load->news = false;
	memcpy(text, load->progress, sizeof(text));
	pthread_mutex_unlock(&load->lock);
	if (news)
		tell_all(&v->for_load, text);
	look_again(v);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	struct daemon_views *v = arg;

	MAGIC_CHECK(v, VIEWS_MAGIC);
	if (v->load != NULL)
		look_at_load(v);
	if (v->settling != NULL)
		look_at_settling(v);
}

static void run_load(struct job *job)
{
	struct load *load = CONTAINER_OF(job, struct load, job);

	progress_listen(keep_progress, load);
	load->view = load->d->ops->load(load->d, &load->complaints);
	progress_listen(NULL, NULL);
}

static void free_load(struct load *load)
{
	pthread_mutex_destroy(&load->lock);
	free(load->complaints);
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

	v->load = NULL;
	switch (d->state) {
	case DAEMON_STARTING:
		if (load->view != NULL)
			json_decref(log_complaints(load->complaints));
		daemon_loaded(d, &load->view, load->complaints);
		break;
	case DAEMON_SERVING:
		if (load->view != NULL)
			take(v, load->view, load->complaints);
		else
			refuse(v, load->complaints);
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

	v->load = load;
	v->again = false;
	STAILQ_CONCAT(&v->for_load, &v->for_next);
	load->d = v->d;
	CHECK(pthread_mutex_init(&load->lock, NULL) == 0);
	snprintf(load->progress, sizeof(load->progress), "reading %s", v->d->options.config);
	load->news = true;
	look_at_load(v);
	job_start(v->d->jobs, &load->job, &ops);
}

void daemon_views_load_first(struct daemon_views *v)
{
	start_load(v);
}

void daemon_views_reload(struct daemon_views *v, struct control_request *request)
{
	bool starting = v->d->state == DAEMON_STARTING;
	const char *file = v->d->options.config;

	CHECK(v->d->state != DAEMON_STOPPING);
	if (request != NULL)
		add_waiter(&v->for_next, request);
	if (v->load == NULL && !starting) {
		log_info("reload: reading %s", file);
		start_load(v);
		return;
	}
	log_info("reload: %s will be read once more after what is under way", file);
	v->again = true;
	if (request != NULL)
		control_progress(request, "waiting until %s",
				 starting ? "it has started"
					  : "the reload that is under way has read its files");
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
	v->load = NULL;
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
	free(v->missing);
	json_decref(v->warnings);
	free(v->last_error);
	v->magic = MAGIC_DEAD;
	free(v);
}
