/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of a daemon, from its command line to its exit code. How views are loaded and settle is
 * in daemon_views.c. Main thread, on the control loop once that runs.
 */
#include "core/process/daemon.h"

#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/process/control.h"
#include "core/process/daemon_views.h"
#include "core/process/descriptors.h"
#include "core/process/log_control.h"
#include "core/process/privileges.h"

const char *daemon_state_text(enum daemon_state state)
{
	static const char *const texts[] = {
	    [DAEMON_STARTING] = "starting",
	    [DAEMON_SERVING] = "serving",
	    [DAEMON_STOPPING] = "stopping",
	};

	return texts[state];
}

void daemon_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
			return;
	}
	log_warn("cannot raise the limit on open files: %s", strerrordesc_np(errno));
}

/* The control socket */

static void run_status(struct daemon *d, struct control_request *request, char **arguments, int n)
{
	json_t *status = json_pack(
	    "{s:s, s:s, s:s, s:s, s:I, s:i}", "program", d->ops->program.name, "version",
	    PACKAGE_VERSION, "node", d->options.node, "state", daemon_state_text(d->state),
	    "uptime_seconds", (json_int_t)(dur_to_ms(mono_since(clock_mono(), d->began)) / 1000),
	    "workers", (int)d->group->n_workers);

	daemon_views_status(d->views, status);
	d->ops->status(d, status);
	control_answer(&request, status);
}

static void run_reload(struct daemon *d, struct control_request *request, char **arguments, int n)
{
	if (d->state == DAEMON_STOPPING)
		control_answer(&request, control_error("not reloaded: it is stopping"));
	else
		daemon_views_reload(d->views, request);
}

static void run_log(struct daemon *d, struct control_request *request, char **arguments, int n)
{
	control_answer(&request, log_control(arguments, n));
}

static const struct daemon_verb verbs[] = {
    {"status", "", 0, 0, run_status},
    {"reload", "", 0, 0, run_reload},
    {"log", "[LEVEL [MODULE]]", 0, 2, run_log},
};

static const struct daemon_verb *find_verb(const struct daemon_verb *v, unsigned n,
					   const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	}
	return NULL;
}

static json_t *unknown_command(const struct daemon *d, const char *name)
{
	char *list = xstrdup("");
	json_t *error;

	for (unsigned i = 0; i < ARRAY_SIZE(verbs) + d->ops->n_verbs; i++) {
		const struct daemon_verb *v =
		    i < ARRAY_SIZE(verbs) ? &verbs[i] : &d->ops->verbs[i - ARRAY_SIZE(verbs)];
		char *longer = xasprintf("%s%s%s%s%s", list, i > 0 ? ", " : "", v->name,
					 v->arguments[0] != '\0' ? " " : "", v->arguments);

		free(list);
		list = longer;
	}
	error = control_error("unknown command \"%s\"; there are: %s", name, list);
	free(list);
	return error;
}

static void handle_control(void *arg, struct control_request *request, int argc, char **argv)
{
	struct daemon *d = arg;
	const struct daemon_verb *v = find_verb(verbs, ARRAY_SIZE(verbs), argv[0]);

	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (v == NULL)
		v = find_verb(d->ops->verbs, d->ops->n_verbs, argv[0]);
	if (d->exit_code != 0)
		control_answer(&request, control_error("it cannot go on, and ends"));
	else if (v == NULL)
		control_answer(&request, unknown_command(d, argv[0]));
	else if (argc - 1 < v->min || argc - 1 > v->max)
		control_answer(&request, control_error("usage: %s %s", v->name, v->arguments));
	else
		v->run(d, request, argv + 1, argc - 1);
}

/* False: it was logged. */
static bool open_control(struct daemon *d, const struct daemon_settings *settings)
{
	/* Without one nothing locks the node but its addresses. */
	const char *path = d->options.control != NULL ? d->options.control : settings->control;
	char *error = NULL;

	if (path[0] == '\0')
		return true;
	d->server = control_server_create(d->control, path, handle_control, d, &error);
	if (d->server == NULL)
		log_error("control socket: %s", error);
	free(error);
	return d->server != NULL;
}

/* Start */

static void fail(struct daemon *d)
{
	d->exit_code = 1;
	loop_stop_mt(d->control);
}

static unsigned worker_count(const struct daemon *d, const struct daemon_settings *settings)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (d->options.workers > 0)
		return d->options.workers;
	if (settings->workers > 0)
		return settings->workers;
	return processors > 0 ? (unsigned)processors : 1;
}

/* False: it was logged. */
static bool open_all(struct daemon *d, void *view)
{
	struct daemon_settings settings = d->ops->settings(d, view);
	unsigned n_workers = worker_count(d, &settings);
	struct loop *control = d->control;

	log_set_level(settings.log_level);
	if (!d->ops->plan(d, view, n_workers))
		return false;
	/* Alone: nothing else may be touched while another process of this node lives. */
	if (!open_control(d, &settings))
		return false;
	d->group = loop_group_create_around(&control, n_workers);
	return d->ops->open(d, view);
}

void daemon_loaded(struct daemon *d, void **viewp, const char *complaints)
{
	void *view = TAKE(viewp);

	if (view == NULL) {
		log_text(complaints);
		fail(d);
		return;
	}
	if (!open_all(d, view)) {
		d->ops->discard(view);
		fail(d);
		return;
	}
	d->ops->watch(d, view);
	d->ops->publish(d, view);
	if (!loop_group_start_workers(d->group)) {
		fail(d);
		return;
	}
	daemon_views_settle_first(d->views, view);
}

void daemon_settled(struct daemon *d)
{
	d->state = DAEMON_SERVING;
	d->ops->serve(d);
}

/* Stop */

static void out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	MAGIC_CHECK(d, DAEMON_MAGIC);
	log_warn("what was under way has had its time: it is cut off");
	loop_stop_mt(d->control);
}

static void stop(void *arg)
{
	struct daemon *d = arg;
	bool serving = d->state == DAEMON_SERVING;
	struct timeval limit;

	MAGIC_CHECK(d, DAEMON_MAGIC);
	log_info("stopping");
	d->state = DAEMON_STOPPING;
	daemon_views_stop(d->views);
	if (!serving) {
		loop_stop_mt(d->control);
		return;
	}
	limit = dur_to_timeval(d->ops->stop(d));
	CHECK(event_add(d->patience, &limit) == 0);
}

static void stop_now(void *arg)
{
	struct daemon *d = arg;

	MAGIC_CHECK(d, DAEMON_MAGIC);
	loop_stop_mt(d->control);
}

void daemon_stopped(struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (d->state == DAEMON_STOPPING)
		loop_stop_mt(d->control);
}

void daemon_end(struct daemon *d)
{
	d->exit_code = 1;
	if (d->state != DAEMON_STOPPING)
		stop(d);
}

/* The other signals */

void daemon_reload(struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (d->state != DAEMON_STOPPING)
		daemon_views_reload(d->views, NULL);
}

static void reload(void *arg)
{
	daemon_reload(arg);
}

static void reopen_logs(void *arg)
{
	struct daemon *d = arg;

	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (d->group != NULL)
		d->ops->reopen_logs(d);
}

static const struct daemon_signal_ops signal_ops = {
    .stop = stop,
    .stop_now = stop_now,
    .reload = reload,
    .reopen_logs = reopen_logs,
};

/* All of it */

/* False: a job is left behind. */
static bool end(struct daemon *d)
{
	struct loop *control = d->group == NULL ? d->control : NULL;
	bool whole;

	daemon_views_stop(d->views);
	whole = jobs_stop(d->jobs);
	if (d->group != NULL) {
		loop_group_stop_workers(d->group);
		whole = d->ops->close(d) && whole;
	}
	/* The lock of the node last: whoever gets it finds the addresses free. */
	control_server_destroy(&d->server);
	daemon_views_destroy(&d->views);
	daemon_signals_destroy(&d->signals);
	event_free(d->patience);
	loop_group_destroy(&d->group);
	loop_destroy(&control);
	jobs_destroy(&d->jobs);
	return whole;
}

static int check(struct daemon *d)
{
	char *complaints = NULL;
	void *view;

	daemon_signals_unblock();
	view = d->ops->load(d, &complaints);
	fputs(complaints, stderr);
	free(complaints);
	if (view == NULL)
		return 1;
	d->ops->discard(view);
	return puts("ok") >= 0 && fflush(stdout) == 0 ? 0 : 1;
}

int daemon_main(struct daemon *d, const struct daemon_ops *ops, int argc, char **argv)
{
	int code = daemon_options_parse(&d->options, &ops->program, argc, argv);

	if (code >= 0)
		return code;
	d->magic = DAEMON_MAGIC;
	d->ops = ops;
	if (d->options.check_only)
		return check(d);
	if (ops->begin != NULL && !ops->begin(d))
		return 1;
	privileges_want_no_more();
	if (!log_start_writer())
		return 1;
	d->began = clock_mono();
	daemon_raise_file_limit();
	d->open_files = descriptors_open();
	if (!descriptors_suffice(d->open_files))
		return 1;
	d->control = loop_create("control");
	d->jobs = jobs_create(d->control, "jobs");
	if (d->jobs == NULL) {
		loop_destroy(&d->control);
		return 1;
	}
	d->signals = daemon_signals_create(d->control, &signal_ops, d);
	d->patience = evtimer_new(loop_base(d->control), out_of_patience, d);
	CHECK(d->patience != NULL);
	d->views = daemon_views_create(d);
	daemon_views_load_first(d->views);
	loop_run(d->control);
	if (!end(d)) {
		/* The job goes on using what it uses, until this is over. */
		log_stop_writer();
		_exit(d->exit_code);
	}
	return d->exit_code;
}
