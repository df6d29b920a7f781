/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files that change in all the ways in which certificates are renewed: each change is told once,
 * and nothing else is. The look that comes once a minute is later than these tests have patience.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/process/file_watch.h"

#define PATIENCE DUR_S(30)

static char folder[64];

static struct world {
	struct loop *loop;
	struct jobs *jobs;
	struct file_watch watch;
	struct event *patience;
	unsigned told;
	char *path; /* that was told last */
} world;

static void out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("nothing was told");
}

static void changed(struct file_watch *w, const char *path)
{
	CHECK(w == &world.watch);
	free(world.path);
	world.path = xstrdup(path);
	world.told++;
	loop_stop_mt(world.loop);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* As a job that loads does; a file that is not there is noted too. */
struct reading {
	struct job job;
	const char *const *paths;
	const char *meanwhile; /* a file that is written then; NULL: none */
};

static void run_reading(struct job *job)
{
	const struct reading *reading = CONTAINER_OF(job, struct reading, job);
	struct file_notes *notes = file_notes_create();
	struct file file;

	file_notes_begin(notes);
	for (unsigned i = 0; reading->paths[i] != NULL; i++) {
		free(file_read(&file, reading->paths[i], 4096));
		file_wipe(&file);
	}
	file_notes_begin(NULL);
	if (reading->meanwhile != NULL)
		write_file(reading->meanwhile, "two, in place");
	file_watch_notes(&world.watch, &notes);
}

static void reading_done(struct job *job)
{
	file_watch_look(&world.watch);
	loop_stop_mt(world.loop);
}

static void read_files(const char *const *paths, const char *meanwhile)
{
	static const struct job_ops ops = {run_reading, reading_done, reading_done};
	struct reading reading = {.paths = paths, .meanwhile = meanwhile};

	job_start(world.jobs, &reading.job, &ops);
	loop_run(world.loop);
}

static void stop_when_settled(evutil_socket_t fd, short what, void *arg)
{
	if (world.watch.look == NULL && !world.watch.stirred)
		loop_stop_mt(world.loop);
}

/* Runs until a look has set the watches. */
static void settle(void)
{
	struct event *timer =
	    event_new(loop_base(world.loop), -1, EV_PERSIST, stop_when_settled, NULL);
	const struct timeval time = dur_to_timeval(DUR_MS(1));

	assert_int_equal(event_add(timer, &time), 0);
	loop_run(world.loop);
	event_free(timer);
}

static void expect_told(const char *path)
{
	const struct timeval time = dur_to_timeval(PATIENCE);
	unsigned before = world.told;

	event_add(world.patience, &time);
	loop_run(world.loop);
	event_del(world.patience);
	assert_int_equal(world.told, before + 1);
	assert_string_equal(world.path, path);
	settle();
}

static int set_up(void **state)
{
	strcpy(folder, "/tmp/perigee-watch-XXXXXX");
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return -1;
	memset(&world, 0, sizeof(world));
	world.loop = loop_create("control");
	world.jobs = jobs_create(world.loop, "jobs");
	world.patience = evtimer_new(loop_base(world.loop), out_of_patience, NULL);
	file_watch_init(&world.watch, world.loop, world.jobs, changed);
	return 0;
}

static int tear_down(void **state)
{
	char *command = xasprintf("rm -rf %s", folder);
	int rc;

	jobs_finish(world.jobs);
	file_watch_stop(&world.watch);
	file_watch_fini(&world.watch);
	jobs_destroy(&world.jobs);
	event_free(world.patience);
	loop_destroy(&world.loop);
	free(world.path);
	rc = chdir("/") == 0 ? system(command) : -1;
	free(command);
	return rc;
}

static void watch_file(const char *path)
{
	const char *const paths[] = {path, NULL};

	read_files(paths, NULL);
	settle();
}

static void test_written_and_replaced(void **state)
{
	write_file("a.pem", "one");
	watch_file("a.pem");
	write_file("a.pem", "two, in place");
	expect_told("a.pem");
	write_file("a.tmp", "three");
	assert_int_equal(rename("a.tmp", "a.pem"), 0);
	expect_told("a.pem");
	assert_int_equal(chmod("a.pem", 0600), 0);
	expect_told("a.pem");
	assert_int_equal(unlink("a.pem"), 0);
	expect_told("a.pem");
	write_file("a.pem", "four");
	expect_told("a.pem");
}

/* What is in the folder beside it, and what happens before it is watched. */
static void test_only_what_was_read_counts(void **state)
{
	static const char *const paths[] = {"a.pem", "b.pem", "missing/c.pem", NULL};

	write_file("a.pem", "one");
	write_file("b.pem", "one");
	/* between reading and watching */
	read_files(paths, "b.pem");
	expect_told("b.pem");
	write_file("other", "one");
	assert_int_equal(rename("other", "another"), 0);
	write_file("a.pem", "two, in place");
	expect_told("a.pem");
	assert_int_equal(mkdir("missing", 0700), 0);
	write_file("missing/c.pem", "one");
	expect_told("missing/c.pem");
	assert_int_equal(world.told, 3);
}

/* live/www/fullchain.pem -> ../../archive/www/fullchain1.pem */
static void test_link_that_leads_elsewhere_as_of_certbot(void **state)
{
	assert_int_equal(system("mkdir -p live/www archive/www"), 0);
	write_file("archive/www/1.pem", "one");
	write_file("archive/www/2.pem", "two");
	assert_int_equal(symlink("../../archive/www/1.pem", "live/www/a.pem"), 0);
	watch_file("live/www/a.pem");
	assert_int_equal(unlink("live/www/a.pem"), 0);
	assert_int_equal(symlink("../../archive/www/2.pem", "live/www/a.pem"), 0);
	expect_told("live/www/a.pem");
	/* and what it leads to */
	write_file("archive/www/2.pem", "two, in place");
	expect_told("live/www/a.pem");
}

/* certs/tls.crt -> ..data/tls.crt, ..data -> ..1 */
static void test_folder_behind_a_link_as_of_kubernetes(void **state)
{
	char *path = xasprintf("%s/certs/tls.crt", folder);

	assert_int_equal(system("mkdir -p certs/..1 certs/..2"), 0);
	write_file("certs/..1/tls.crt", "one");
	write_file("certs/..2/tls.crt", "two");
	assert_int_equal(symlink("..1", "certs/..data"), 0);
	assert_int_equal(symlink("..data/tls.crt", "certs/tls.crt"), 0);
	watch_file(path);
	assert_int_equal(symlink("..2", "certs/..new"), 0);
	assert_int_equal(rename("certs/..new", "certs/..data"), 0);
	expect_told(path);
	free(path);
}

/* current -> v1, further up than the folder of the file. */
static void test_link_further_up(void **state)
{
	assert_int_equal(system("mkdir -p v1/certs v2/certs"), 0);
	write_file("v1/certs/a.pem", "one");
	write_file("v2/certs/a.pem", "two");
	assert_int_equal(symlink("v1", "current"), 0);
	watch_file("./current/../current/certs/a.pem");
	assert_int_equal(symlink("v2", "new"), 0);
	assert_int_equal(rename("new", "current"), 0);
	expect_told("./current/../current/certs/a.pem");
}

static void test_folder_that_is_put_in_place_of_another(void **state)
{
	assert_int_equal(system("mkdir certs new"), 0);
	write_file("certs/a.pem", "one");
	write_file("new/a.pem", "two");
	watch_file("certs/a.pem");
	assert_int_equal(rename("certs", "old"), 0);
	expect_told("certs/a.pem");
	assert_int_equal(rename("new", "certs"), 0);
	expect_told("certs/a.pem");
	write_file("certs/a.pem", "three, in place");
	expect_told("certs/a.pem");
}

/* Each reload finds it changed when it is over: the next one is not to follow at once. */
static void test_fault_reloads_without_a_pause(void **state)
{
	static const char *const paths[] = {"a.pem", NULL};

	for (unsigned i = 0; i < 3; i++) {
		mono_time before = clock_mono();

		write_file("a.pem", "one");
		read_files(paths, "a.pem");
		expect_told("a.pem");
		assert_true(mono_since(clock_mono(), before).ns >= DUR_MS(400).ns);
	}
}

static void test_links_in_a_circle(void **state)
{
	assert_int_equal(symlink("b.pem", "a.pem"), 0);
	assert_int_equal(symlink("a.pem", "b.pem"), 0);
	watch_file("a.pem");
	assert_int_equal(unlink("b.pem"), 0);
	write_file("b.pem", "one");
	expect_told("a.pem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_written_and_replaced, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_only_what_was_read_counts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_link_that_leads_elsewhere_as_of_certbot, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_folder_behind_a_link_as_of_kubernetes, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_link_further_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_folder_that_is_put_in_place_of_another, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_reloads_without_a_pause, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_links_in_a_circle, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
