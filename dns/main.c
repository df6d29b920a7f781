/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-dns: the authoritative responder. The main thread runs the control loop (configuration,
 * probes of the edges, control socket, signals); workers answer. Nothing is answered before every
 * edge has been probed once, so that the first answer is already a good one.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/stream.h"
#include "core/process/control.h"
#include "core/process/daemon.h"
#include "core/process/descriptors.h"
#include "core/process/log_control.h"
#include "dns/answer.h"
#include "dns/counters.h"
#include "dns/edge_health.h"
#include "dns/report.h"
#include "dns/view.h"
#include "dns/worker.h"

static const struct daemon_program program_info = {
    .name = "perigee-dns",
    .summary = "Authoritative DNS that sends each client to its nearest healthy edge.",
};

/* The last probes may be told of a moment after their timeout. */
#define FIRST_PROBES_GRACE DUR_S(1)

enum state { STATE_STARTING, STATE_SERVING, STATE_STOPPING };

struct program {
	struct daemon_options options;
	mono_time started;
	enum state state;
	int exit_code;
	struct loop_group *group;
	struct metrics *metrics;
	struct snapshot_slot views;
	struct stream_buffers *buffers; /* the control loop's */
	struct dns_edge_health *health;
	struct dns_workers *workers;
	struct dns_answerer *answerer; /* for `explain` */
	struct control_server *control;
	struct daemon_signals *signals;
	struct deadline first_probes;
	struct net_addr *bound;
	unsigned n_bound;
	struct descriptor_budget descriptors;
};

/* Configuration, zones and geo database; NULL with every error in `diag`. */
static struct dns_view *load(const struct daemon_options *options, struct diag *diag)
{
	struct cfg_fleet *fleet = cfg_load(options->config, diag);
	struct dns_view *view;

	if (fleet == NULL)
		return NULL;
	if (!options->check_only && cfg_find_nameserver(fleet, options->node) == NULL)
		diag_add(diag, (struct cfg_place){.file = options->config},
			 "there is no name server '%s' (see --node)", options->node);
	view = dns_view_load(&fleet, diag);
	if (view == NULL)
		cfg_fleet_destroy(&fleet);
	else if (diag_count(diag) > 0)
		dns_view_destroy(&view);
	return view;
}

static const struct cfg_nameserver *own_node(const struct program *p, const struct cfg_fleet *fleet)
{
	const struct cfg_nameserver *node = cfg_find_nameserver(fleet, p->options.node);

	CHECK(node != NULL); /* load() has seen to it */
	return node;
}

static void stop(struct program *p, int exit_code)
{
	p->state = STATE_STOPPING;
	p->exit_code = exit_code;
	deadline_clear(&p->first_probes);
	loop_stop_mt(p->group->control);
}

static void serve(struct program *p)
{
	const struct dns_view *view = dns_view_current(&p->views);
	const struct cfg_nameserver *node = own_node(p, view->fleet);
	char *error, text[NET_ADDR_TEXT];

	deadline_clear(&p->first_probes);
	p->bound = xcalloc(node->listen.n, sizeof(*p->bound));
	if (!dns_workers_listen(p->workers, &node->listen, p->bound, &error)) {
		log_error("%s", error);
		free(error);
		stop(p, 1);
		return;
	}
	p->n_bound = node->listen.n;
	p->state = STATE_SERVING;
	for (unsigned i = 0; i < p->n_bound; i++)
		log_info("serving DNS on %s", net_addr_format(&p->bound[i], text));
}

static void probe_ended(void *arg)
{
	struct program *p = arg;

	if (p->state == STATE_STARTING &&
	    dns_edge_watch_settled(dns_view_current(&p->views)->watch))
		serve(p);
}

static void first_probes_late(struct deadline *d)
{
	struct program *p = CONTAINER_OF(d, struct program, first_probes);

	log_warn("some edges have not been probed in time");
	serve(p);
}

static duration longest_probe(const struct cfg_fleet *fleet)
{
	duration longest = DUR_NS(0);

	for (unsigned i = 0; i < fleet->n_edges; i++)
		longest.ns = MAX(longest.ns, fleet->edges[i].check.timeout.ns);
	return longest;
}

static void log_diag(const struct diag *diag)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK(out != NULL);
	diag_print(diag, out);
	fclose(out);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		log_error("%s", line);
	free(text);
}

static void on_reload(void *arg)
{
	struct program *p = arg;
	struct diag *diag = diag_create();
	struct dns_view *view = load(&p->options, diag);
	char path[256];

	if (view == NULL) {
		log_diag(diag);
		log_error("not reloaded: %s is broken; the old configuration stays",
			  p->options.config);
	} else {
		if (cfg_needs_restart(dns_view_current(&p->views)->fleet, view->fleet,
				      p->options.node, path, sizeof(path)))
			log_warn("%s takes effect at the next restart only", path);
		log_set_level(view->fleet->log.level);
		dns_edge_health_watch(p->health, view);
		dns_view_publish(&view, &p->views);
		log_info("reloaded %s", p->options.config);
		probe_ended(p);
	}
	diag_destroy(&diag);
}

static void on_stop(void *arg)
{
	log_info("stopping");
	stop(arg, 0);
}

/* The log goes to standard error. */
static void on_reopen_logs(void *arg)
{
}

static const struct daemon_signal_ops signal_ops = {
    .stop = on_stop,
    .stop_now = on_stop,
    .reload = on_reload,
    .reopen_logs = on_reopen_logs,
};

static json_t *report_status(struct program *p)
{
	static const char *const states[] = {"starting", "serving", "stopping"};
	json_t *listeners = json_array(), *counters = json_object();
	duration uptime = mono_since(clock_mono(), p->started);
	json_t *status;
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < p->n_bound; i++)
		json_array_append_new(listeners, json_string(net_addr_format(&p->bound[i], text)));
	metrics_set_total(p->metrics, p->group->control, DNS_LOG_DROPPED, log_dropped());
	metrics_to_json(p->metrics, counters);
	status = json_pack("{s:s, s:s, s:s, s:s, s:f, s:o, s:i, s:o}", "program", "perigee-dns",
			   "version", PACKAGE_VERSION, "node", p->options.node, "state",
			   states[p->state], "uptime_seconds", (double)dur_to_ms(uptime) / 1000,
			   "listeners", listeners, "workers", (int)p->group->n_workers, "counters",
			   counters);
	json_object_set_new(status, "descriptors", descriptors_status(&p->descriptors));
	dns_report_view(dns_view_current(&p->views), status);
	return status;
}

static json_t *control_cb(void *arg, int argc, char **argv)
{
	struct program *p = arg;

	if (strcmp(argv[0], "status") == 0 && argc == 1)
		return report_status(p);
	if (strcmp(argv[0], "explain") == 0 && argc == 4)
		return dns_report_explain(dns_view_current(&p->views), p->answerer, argv[1],
					  argv[2], argv[3]);
	if (strcmp(argv[0], "log") == 0)
		return log_control(argc, argv);
	return control_error("commands: status; log [LEVEL [MODULE]]; explain NAME TYPE CLIENT");
}

static unsigned worker_count(const struct program *p, const struct cfg_nameserver *node)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (p->options.workers > 0)
		return p->options.workers;
	if (node->workers > 0)
		return node->workers;
	return processors > 0 ? processors : 1;
}

/* Everything but the sockets, which wait for the first probes. False: the error was logged. */
static bool start(struct program *p, struct dns_view *view)
{
	const struct cfg_nameserver *node = own_node(p, view->fleet);
	const char *path = p->options.control != NULL ? p->options.control : node->control;
	duration wait = longest_probe(view->fleet);
	char *error;

	log_set_level(view->fleet->log.level);
	daemon_raise_file_limit();
	if (!dns_workers_plan(view->fleet, node, worker_count(p, node), &p->descriptors)) {
		dns_view_destroy(&view);
		return false;
	}
	p->group = loop_group_create(worker_count(p, node));
	p->metrics = dns_counters_create(p->group->n_workers + 1);
	p->buffers = stream_buffers_create(p->group->control);
	p->health = dns_edge_health_create(p->buffers, p->metrics, probe_ended, p);
	p->answerer = dns_answerer_create();
	snapshot_slot_init(&p->views, p->group);
	p->workers = dns_workers_create(p->group, &p->views, p->metrics, &p->descriptors);
	p->signals = daemon_signals_create(p->group->control, &signal_ops, p);
	deadline_init(&p->first_probes, p->group->control, first_probes_late);
	wait.ns += FIRST_PROBES_GRACE.ns;
	deadline_set(&p->first_probes, wait);
	loop_group_start_workers(p->group);

	dns_edge_health_watch(p->health, view);
	dns_view_publish(&view, &p->views);
	p->control = control_server_create(p->group->control, path, control_cb, p, &error);
	if (p->control == NULL) {
		log_error("control socket %s: %s", path, error);
		free(error);
		return false;
	}
	probe_ended(p); /* without edges there is nothing to wait for */
	return true;
}

static void finish(struct program *p)
{
	if (p->group == NULL)
		return; /* it did not begin */
	control_server_destroy(&p->control);
	daemon_signals_destroy(&p->signals);
	deadline_fini(&p->first_probes);
	loop_group_stop_workers(p->group);
	dns_workers_destroy(&p->workers);
	snapshot_slot_fini(&p->views);
	dns_edge_health_destroy(&p->health);
	dns_answerer_destroy(&p->answerer);
	stream_buffers_destroy(&p->buffers);
	loop_group_destroy(&p->group);
	metrics_destroy(&p->metrics);
	free(p->bound);
}

int main(int argc, char **argv)
{
	struct program p = {.started = clock_mono()};
	int done = daemon_options_parse(&p.options, &program_info, argc, argv);
	struct diag *diag;
	struct dns_view *view;

	if (done >= 0)
		return done;
	if (!p.options.check_only)
		log_start_writer();
	diag = diag_create();
	view = load(&p.options, diag);
	if (view == NULL)
		diag_print(diag, stderr);
	diag_destroy(&diag);
	if (view == NULL)
		return 1;
	if (p.options.check_only) {
		dns_view_destroy(&view);
		puts("ok");
		return 0;
	}
	if (start(&p, view))
		loop_run(p.group->control);
	else
		p.exit_code = 1;
	finish(&p);
	return p.exit_code;
}
