/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Verdicts as JSON, by edge and address:
 *
 *   {"format": "perigee verdicts 1",
 *    "edges": {"fra1": {"192.0.2.1": {"state": "up", "cause": "ok", "time": 1767225600}}}}
 *
 * All of the file's making, from the look at the verdicts to the rename, is the job's, which owns
 * a reference to the table and its own copy of the path; all else is the control loop's. Who reads
 * the file takes it for a stranger's: it may be old, broken, huge, or somebody else's.
 */
#define LOG_MODULE LOG_PROBE
#include "fleet/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/loop/job.h"
#include "core/loop/loop.h"
#include "fleet/checks.h"
#include "fleet/verdicts.h"

#define STATE_MAGIC 0x53746174u
#define FORMAT "perigee verdicts 1"

/* An address takes about 100 bytes; JSON in memory ten times as much as in the file at the most. */
#define BYTES_MAX ((size_t)4 << 20)
/* What is older says nothing about now. */
#define AGE_MAX DUR_S(3600)
/* Clocks are set. */
#define AHEAD_MAX DUR_S(60)

/* A change is written after a second, but not sooner than ten after the last time; without one the
 * times are renewed, long before they are too old. */
#define LOOK_INTERVAL DUR_S(1)
#define CHANGED_INTERVAL DUR_S(10)
#define UNCHANGED_INTERVAL DUR_S(300)

/* JSON */

static json_t *verdict_to_json(const struct fleet_verdict *v, wall_time wall, mono_time mono)
{
	/* As it stands, be it too old to be believed: that is for who reads it. */
	enum health_state state = health_get(&v->health);
	duration age = mono_since(mono, fleet_verdict_last(v));

	return json_pack("{s:s, s:s, s:I}", "state", health_state_text(state), "cause",
			 probe_cause_text(fleet_verdict_cause(v)), "time",
			 (json_int_t)((wall.ns - age.ns) / DUR_S(1).ns));
}

static json_t *edge_to_json(const struct fleet_verdicts *table, unsigned edge_id, wall_time wall,
			    mono_time mono)
{
	json_t *addresses = json_object();
	char text[NET_ADDR_TEXT];

	for (unsigned k = 0; k < fleet_verdicts_n_addresses(table, edge_id); k++) {
		const struct fleet_verdict *v = fleet_verdicts_at(table, edge_id, k);

		if (health_get(&v->health) != HEALTH_UNKNOWN)
			json_object_set_new(addresses, net_addr_format_ip(&v->addr, text),
					    verdict_to_json(v, wall, mono));
	}
	return addresses;
}

char *fleet_state_write(const struct fleet_verdicts *table, wall_time wall, mono_time mono)
{
	json_t *edges = json_object(), *root;
	char *text;

	for (unsigned i = 0; i < fleet_verdicts_n_edges(table); i++) {
		if (fleet_verdicts_n_addresses(table, i) > 0)
			json_object_set_new(edges, fleet_verdicts_at(table, i, 0)->edge,
					    edge_to_json(table, i, wall, mono));
	}
	root = json_pack("{s:s, s:o}", "format", FORMAT, "edges", edges);
	text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	CHECK(text != NULL);
	return text;
}

static bool find_cause(const char *text, enum probe_cause *cause)
{
	for (int c = PROBE_OK; c < PROBE_PREVENTED; c++) {
		*cause = (enum probe_cause)c;
		if (strcmp(probe_cause_text(*cause), text) == 0)
			return true;
	}
	return false;
}

enum found { FOUND_NOTHING, FOUND_OLD, FOUND_JUNK, FOUND_VERDICT };

static enum found recall(json_t *entry, struct fleet_verdict *v, wall_time wall, mono_time mono)
{
	const char *state, *cause_text;
	enum probe_cause cause;
	json_int_t time, now = wall.ns / DUR_S(1).ns;
	bool up;

	if (entry == NULL)
		return FOUND_NOTHING;
	if (json_unpack(entry, "{s:s, s:s, s:I}", "state", &state, "cause", &cause_text, "time",
			&time) != 0 ||
	    !find_cause(cause_text, &cause))
		return FOUND_JUNK;
	up = strcmp(state, "up") == 0;
	if (!up && strcmp(state, "down") != 0)
		return FOUND_JUNK;
	if (time > now + AHEAD_MAX.ns / DUR_S(1).ns || time < now - AGE_MAX.ns / DUR_S(1).ns)
		return FOUND_OLD;
	fleet_verdict_recall(v, up ? HEALTH_UP : HEALTH_DOWN, cause,
			     (mono_time){mono.ns - MAX(now - time, 0) * DUR_S(1).ns}, mono);
	return FOUND_VERDICT;
}

/* How many entries are none. */
static unsigned recall_edge(json_t *addresses, struct fleet_verdicts *table, unsigned edge_id,
			    wall_time wall, mono_time mono, unsigned *n)
{
	char text[NET_ADDR_TEXT];
	unsigned junk = 0;

	for (unsigned k = 0; k < fleet_verdicts_n_addresses(table, edge_id); k++) {
		struct fleet_verdict *v = fleet_verdicts_at(table, edge_id, k);
		json_t *entry = json_object_get(addresses, net_addr_format_ip(&v->addr, text));
		enum found found = recall(entry, v, wall, mono);

		*n += found == FOUND_VERDICT;
		junk += found == FOUND_JUNK;
	}
	return junk;
}

static bool is_ours(const json_t *root)
{
	const char *format = json_string_value(json_object_get(root, "format"));

	return format != NULL && strcmp(format, FORMAT) == 0 &&
	       json_is_object(json_object_get(root, "edges"));
}

char *fleet_state_read(const char *text, size_t len, struct fleet_verdicts *table, wall_time wall,
		       mono_time mono, unsigned *n)
{
	json_error_t wrong;
	json_t *root = json_loadb(text, len, 0, &wrong), *edges;
	unsigned junk = 0;

	*n = 0;
	if (root == NULL)
		return xasprintf("is no JSON: line %d: %s", wrong.line, wrong.text);
	if (!is_ours(root)) {
		json_decref(root);
		return xstrdup("is not a file of verdicts, or of another version");
	}
	edges = json_object_get(root, "edges");
	for (unsigned i = 0; i < fleet_verdicts_n_edges(table); i++) {
		if (fleet_verdicts_n_addresses(table, i) > 0)
			junk += recall_edge(
			    json_object_get(edges, fleet_verdicts_at(table, i, 0)->edge), table, i,
			    wall, mono, n);
	}
	json_decref(root);
	return junk == 0 ? NULL : xasprintf("has %u entries that make no sense", junk);
}

/* Reading */

void fleet_state_recall(const char *path, struct fleet_verdicts *table)
{
	struct file file;
	unsigned n = 0;
	char *wrong;

	if (*path == '\0' || (access(path, F_OK) != 0 && errno == ENOENT))
		return;
	wrong = file_read(&file, path, BYTES_MAX);
	if (wrong == NULL)
		wrong =
		    fleet_state_read(file.data, file.len, table, clock_wall(), clock_mono(), &n);
	file_wipe(&file);
	if (wrong != NULL)
		log_warn("what the checks of the edges last said: %s %s", path, wrong);
	free(wrong);
	if (n > 0)
		log_info("%u verdicts about edges are known from %s", n, path);
}

/* Writing, in the job */

struct writing {
	struct job job;
	struct fleet_state *state; /* not for the job */
	struct fleet_verdicts *table;
	char *path;
	int error;          /* errno; 0: written */
	const char *failed; /* at what */
};

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* NULL, or at what it failed, with errno. */
static const char *fill(int fd, const char *text)
{
	if (fchmod(fd, 0644) != 0)
		return "open";
	if (!write_all(fd, text, strlen(text)))
		return "write";
	return fsync(fd) == 0 ? NULL : "sync";
}

/* By a file beside it, of its own name: another node may be told to keep the same one. NULL, or at
 * what it failed, with errno. */
static const char *replace_file(const char *path, const char *text)
{
	char *beside = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(beside, O_CLOEXEC), error;
	const char *failed = fd < 0 ? "open" : fill(fd, text);

	if (failed == NULL && rename(beside, path) != 0)
		failed = "rename";
	error = errno;
	if (fd >= 0) {
		if (failed != NULL)
			unlink(beside);
		close(fd);
	}
	free(beside);
	errno = error;
	return failed;
}

static void run_write(struct job *job)
{
	struct writing *w = CONTAINER_OF(job, struct writing, job);
	char *text = fleet_state_write(w->table, clock_wall(), clock_mono());

	/* Here, not on control: it may be the last reference to thousands. */
	fleet_verdicts_unref(&w->table);
	w->failed = replace_file(w->path, text);
	if (w->failed != NULL)
		w->error = errno;
	free(text);
}

static void free_writing(struct job *job)
{
	struct writing *w = CONTAINER_OF(job, struct writing, job);

	fleet_verdicts_unref(&w->table);
	free(w->path);
	free(w);
}

/* The rest, on control */

struct fleet_state {
	unsigned magic;
	struct jobs *jobs;
	struct fleet_checks *checks;
	char *path;
	struct event *timer;
	struct writing *writing; /* under way */
	uint64_t epoch;          /* that is in the file, or will be */
	mono_time since;         /* the last time it was written */
	bool failed;             /* and was told */
	bool again;              /* the last time is still to come */
	/* At the end. */
	void (*done)(void *arg);
	void *arg;
};

static void start_write(struct fleet_state *s);

static void tell(struct fleet_state *s, const struct writing *w)
{
	if (w->error != 0 && !s->failed)
		log_warn("what the checks of the edges say is not kept for the next start: cannot "
			 "%s %s: %s",
			 w->failed, s->path, strerrordesc_np(w->error));
	else if (w->error == 0 && s->failed)
		log_info("what the checks of the edges say is kept again in %s", s->path);
	s->failed = w->error != 0;
}

static void write_done(struct job *job)
{
	struct writing *w = CONTAINER_OF(job, struct writing, job);
	struct fleet_state *s = w->state;

	MAGIC_CHECK(s, STATE_MAGIC);
	s->writing = NULL;
	tell(s, w);
	free_writing(job);
	if (s->again)
		start_write(s);
	else if (s->done != NULL)
		s->done(s->arg);
}

static void start_write(struct fleet_state *s)
{
	static const struct job_ops ops = {run_write, write_done, free_writing};
	struct writing *w = xcalloc(1, sizeof(*w));

	w->state = s;
	w->table = fleet_verdicts_ref(fleet_checks_current(s->checks));
	w->path = xstrdup(s->path);
	s->writing = w;
	s->again = false;
	s->epoch = fleet_verdicts_epoch(w->table);
	s->since = clock_mono();
	job_start(s->jobs, &w->job, &ops);
}

static bool keeps(const struct fleet_state *s)
{
	return *s->path != '\0' && fleet_checks_current(s->checks) != NULL;
}

static bool is_due(const struct fleet_state *s, mono_time now)
{
	bool changed = fleet_verdicts_epoch(fleet_checks_current(s->checks)) != s->epoch;
	duration interval = changed ? CHANGED_INTERVAL : UNCHANGED_INTERVAL;

	return mono_reached(mono_add(s->since, interval), now);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct fleet_state *s = arg;

	MAGIC_CHECK(s, STATE_MAGIC);
	if (keeps(s) && s->writing == NULL && is_due(s, clock_mono()))
		start_write(s);
}

struct fleet_state *fleet_state_create(struct loop *control, struct jobs *jobs,
				       struct fleet_checks *checks, const char *path)
{
	const struct timeval interval = dur_to_timeval(LOOK_INTERVAL);
	struct fleet_state *s = xcalloc(1, sizeof(*s));

	s->magic = STATE_MAGIC;
	s->jobs = jobs;
	s->checks = checks;
	s->path = xstrdup(path);
	s->since = (mono_time){INT64_MIN / 2};
	s->timer = event_new(loop_base(control), -1, EV_PERSIST, timer_cb, s);
	CHECK(s->timer != NULL && event_add(s->timer, &interval) == 0);
	return s;
}

void fleet_state_finish(struct fleet_state *s, void (*done)(void *arg), void *arg)
{
	MAGIC_CHECK(s, STATE_MAGIC);
	event_del(s->timer);
	if (!keeps(s)) {
		done(arg);
		return;
	}
	s->done = done;
	s->arg = arg;
	s->again = true;
	if (s->writing == NULL)
		start_write(s);
}

void fleet_state_destroy(struct fleet_state **sp)
{
	struct fleet_state *s = TAKE(sp);

	if (s == NULL)
		return;
	MAGIC_CHECK(s, STATE_MAGIC);
	event_free(s->timer);
	s->magic = MAGIC_DEAD;
	free(s->path);
	free(s);
}
