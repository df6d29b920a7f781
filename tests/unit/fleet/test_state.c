/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last verdicts on disk: what is written is read again, by a clock that the test turns; and
 * whatever else a file may hold is refused with words, and harms nobody. When it is written, and at
 * the end, is tests/scenario/test_fault_restart.py.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/loop/job.h"
#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "fleet/checks.h"
#include "fleet/state.h"
#include "fleet/verdicts.h"

static struct net_addr addresses[3];
static struct cfg_edge edges[] = {
    {.name = "fra1", .id = 0, .addresses = {.v = addresses, .n = 2}},
    {.name = "nyc1", .id = 1, .addresses = {.v = addresses + 2, .n = 1}},
    {.name = "nil1", .id = 2},
};
static const struct cfg_fleet fleet = {.edges = edges, .n_edges = ARRAY_SIZE(edges)};

#define WALL 1767225600 /* seconds, of "now" */

static mono_time mono(int64_t seconds)
{
	return (mono_time){seconds * 1000000000};
}

static wall_time wall(int64_t seconds)
{
	return (wall_time){seconds * 1000000000};
}

static struct fleet_verdicts *table(void)
{
	assert_true(net_addr_parse("192.0.2.1", 0, &addresses[0]));
	assert_true(net_addr_parse("2001:db8::1", 0, &addresses[1]));
	assert_true(net_addr_parse("192.0.2.2", 0, &addresses[2]));
	return fleet_verdicts_fixed(&fleet);
}

/* "u ok 5, d refused 0, ?": state, cause and age of each. */
static char *found(const struct fleet_verdicts *t, mono_time now)
{
	char *text = xstrdup("");

	for (unsigned i = 0; i < 3; i++) {
		const struct fleet_verdict *v = fleet_verdicts_at(t, i / 2, i % 2);
		enum health_state state = fleet_verdict_state(v, now);
		duration age = mono_since(now, fleet_verdict_last(v));
		char *more = state == HEALTH_UNKNOWN
				 ? xasprintf("%s?,", text)
				 : xasprintf("%s%s %s %d,", text, health_state_text(state),
					     probe_cause_text(fleet_verdict_cause(v)),
					     (int)(dur_to_ms(age) / 1000));

		free(text);
		text = more;
	}
	return text;
}

static void assert_found(const struct fleet_verdicts *t, mono_time now, const char *expected)
{
	char *text = found(t, now);

	assert_string_equal(text, expected);
	free(text);
}

/* What went wrong must be `wrong`; NULL: nothing. */
static void read_text(struct fleet_verdicts *t, const char *text, size_t len, mono_time now,
		      const char *wrong, unsigned n_expected)
{
	unsigned n = 77;
	char *said = fleet_state_read(text, len, t, wall(WALL), now, &n);

	if (wrong == NULL)
		assert_null(said);
	else if (said == NULL || strstr(said, wrong) == NULL)
		fail_msg("%s: \"%s\", not \"%s\"", text, said ? said : "fine", wrong);
	assert_int_equal(n, n_expected);
	free(said);
}

static void test_what_is_written_is_read(void **state)
{
	struct fleet_verdicts *before = table(), *after = table();
	char *text;

	fleet_verdict_recall(fleet_verdicts_at(before, 0, 0), HEALTH_UP, PROBE_OK, mono(95),
			     mono(100));
	fleet_verdict_recall(fleet_verdicts_at(before, 1, 0), HEALTH_DOWN, PROBE_TIMED_OUT,
			     mono(60), mono(100));
	text = fleet_state_write(before, wall(WALL - 20), mono(100));
	/* Of another boot, whose clock has just begun. */
	read_text(after, text, strlen(text), mono(3), NULL, 2);
	assert_found(after, mono(3), "up ok 25,?,down timed-out 60,");
	free(text);
	/* Ages add up over runs that find nothing out. */
	text = fleet_state_write(after, wall(WALL), mono(3));
	fleet_verdicts_unref(&after);
	after = table();
	read_text(after, text, strlen(text), mono(0), NULL, 2);
	assert_found(after, mono(0), "up ok 25,?,down timed-out 60,");
	free(text);
	fleet_verdicts_unref(&after);
	fleet_verdicts_unref(&before);
}

#define ENTRY(state, cause, time)                                                                  \
	"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": {\"192.0.2.1\": {\"state\": "  \
	"\"" state "\", \"cause\": \"" cause "\", \"time\": " #time "}}}}"
#define JUNK "entries that make no sense"
#define FOREIGN "is not a file of verdicts"

static const struct {
	const char *text, *wrong;
	unsigned n;
} files[] = {
    {ENTRY("up", "ok", 1767225600), NULL, 1},
    {ENTRY("down", "bad-certificate", 1767225599), NULL, 1},
    {ENTRY("up", "ok", 1767222000), NULL, 1}, /* an hour ago */
    {ENTRY("up", "ok", 1767221999), NULL, 0},
    {ENTRY("up", "ok", 1767225660), NULL, 1}, /* in a minute */
    {ENTRY("up", "ok", 1767225661), NULL, 0},
    {ENTRY("up", "ok", 9223372036854775807), NULL, 0},
    {ENTRY("up", "ok", -9223372036854775807), NULL, 0},
    {ENTRY("unknown", "pending", 1767225600), JUNK, 0},
    {ENTRY("up", "well", 1767225600), JUNK, 0},
    {ENTRY("up", "prevented", 1767225600), JUNK, 0},
    {ENTRY("up", "ok", "now"), JUNK, 0},
    {ENTRY("up", "ok", 1.5), JUNK, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": {\"192.0.2.1\": 7}}}", JUNK, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1\": [], \"gone1\": 0}}", NULL, 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": []}", FOREIGN, 0},
    {"{\"format\": \"perigee verdicts 2\", \"edges\": {}}", FOREIGN, 0},
    {"{\"format\": 1}", FOREIGN, 0},
    {"[]", FOREIGN, 0},
    {"", "is no JSON", 0},
    {"{\"format\": \"perigee verdicts 1\", \"edges\": {\"fra1", "is no JSON", 0},
    {"\x7f"
     "ELF",
     "is no JSON", 0},
};

static void test_other_files(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		struct fleet_verdicts *t = table();

		read_text(t, files[i].text, strlen(files[i].text), mono(50), files[i].wrong,
			  files[i].n);
		fleet_verdicts_unref(&t);
	}
}

static void test_deep_and_cut_files(void **state)
{
	static const char whole[] = ENTRY("up", "ok", 1767225600);
	struct fleet_verdicts *t = table();
	size_t n = 1 << 20;
	char *deep = xmalloc(n);

	memset(deep, '[', n);
	read_text(t, deep, n, mono(50), "is no JSON", 0);
	free(deep);
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		read_text(t, whole, len, mono(50), "is no JSON", 0);
	fleet_verdicts_unref(&t);
}

/* Files */

/* As if the disk took its time: all that write are at it at once. */
static pthread_barrier_t all_write;
static unsigned n_writers;
static bool disk_is_full;

int fsync(int fd)
{
	if (disk_is_full) {
		errno = ENOSPC;
		return -1;
	}
	if (n_writers > 0)
		pthread_barrier_wait(&all_write);
	return (int)syscall(SYS_fsync, fd);
}

static _Atomic unsigned n_not_renamed;

int rename(const char *from, const char *to)
{
	int rc = (int)syscall(SYS_rename, from, to);

	n_not_renamed += rc != 0;
	return rc;
}

struct node {
	struct jobs *jobs;
	struct fleet_state *state;
};

#define COUNTERS(X)                                                                                \
	X(PREVENTED, "prevented", COUNTER, "Prevented")                                            \
	X(STALE, "stale", COUNTER, "Stale")
enum counter { COUNTERS(METRIC_ID) N_COUNTERS };
static const struct metric_desc counters[] = {COUNTERS(METRIC_ROW)};

struct rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct fleet_checks *checks;
	char folder[32], path[64];
	unsigned n_unfinished;
};

static int setup(void **state)
{
	static const struct cfg_fleet none;
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct diag *diag = diag_create();
	struct fleet_verdicts *t = fleet_verdicts_load(&none, diag);

	diag_destroy(&diag);
	rig->group = loop_group_create(0);
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->metrics = metrics_create(counters, N_COUNTERS, 1);
	rig->checks = fleet_checks_create(rig->buffers, rig->metrics,
					  (struct fleet_counters){PREVENTED, STALE});
	fleet_checks_watch(rig->checks, t);
	fleet_verdicts_unref(&t);
	snprintf(rig->folder, sizeof(rig->folder), "/tmp/perigee-test-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/a.state", rig->folder);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	unlink(rig->path);
	rmdir(rig->folder);
	fleet_checks_destroy(&rig->checks);
	metrics_destroy(&rig->metrics);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	free(rig);
	return 0;
}

static void finished(void *arg)
{
	struct rig *rig = arg;

	if (--rig->n_unfinished == 0)
		loop_stop_mt(rig->group->control);
}

/* `n` nodes keep what they know in the same file, and end. */
static void write_by(struct rig *rig, unsigned n)
{
	struct node nodes[2];

	rig->n_unfinished = n;
	for (unsigned i = 0; i < n; i++) {
		nodes[i].jobs = jobs_create(rig->group->control, "jobs");
		nodes[i].state =
		    fleet_state_create(rig->group->control, nodes[i].jobs, rig->checks, rig->path);
		fleet_state_finish(nodes[i].state, finished, rig);
	}
	loop_run(rig->group->control);
	for (unsigned i = 0; i < n; i++) {
		assert_true(jobs_stop(nodes[i].jobs));
		fleet_state_destroy(&nodes[i].state);
		jobs_destroy(&nodes[i].jobs);
	}
}

static unsigned count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* They wrote into one file beside it: the one that came first put the other's half in its place. */
static void test_two_nodes_wrote_into_each_other(void **state)
{
	struct rig *rig = *state;

	n_writers = 2;
	n_not_renamed = 0;
	assert_int_equal(pthread_barrier_init(&all_write, NULL, n_writers), 0);
	write_by(rig, n_writers);
	pthread_barrier_destroy(&all_write);
	n_writers = 0;
	assert_int_equal(n_not_renamed, 0);
	assert_int_equal(access(rig->path, R_OK), 0);
	assert_int_equal(count_files(rig->folder), 1);
}

/* A disk that is full had half a file more on it. */
static void test_half_a_file_was_left_behind(void **state)
{
	struct rig *rig = *state;

	disk_is_full = true;
	write_by(rig, 1);
	disk_is_full = false;
	assert_int_equal(count_files(rig->folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_written_is_read),
	    cmocka_unit_test(test_other_files),
	    cmocka_unit_test(test_deep_and_cut_files),
	    cmocka_unit_test_setup_teardown(test_two_nodes_wrote_into_each_other, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_half_a_file_was_left_behind, setup, teardown),
	};

	alarm(60); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
