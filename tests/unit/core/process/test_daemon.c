/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A daemon's life, with a program that notes what it is told to do. A view is one character, read
 * by load() from what stands for the configuration file. The daemon is a child process, the test
 * its operator: both share a page of memory with the file and the notes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/progress.h"
#include "core/net/sock.h"
#include "core/process/control.h"
#include "core/process/daemon.h"
#include "tests/support/skip.h"

#define PATIENCE DUR_S(30)

/* What the test and the daemon share. */
struct shared {
	_Atomic char file;      /* 'x': broken */
	_Atomic char unsettled; /* this one never settles */
	_Atomic bool hold;      /* loads wait for `go` when they have read the file */
	_Atomic bool hold_end;  /* or when they have done all */
	sem_t go;
	_Atomic unsigned n_loads;
	_Atomic bool fail_plan, fail_open;
	_Atomic size_t len;
	char trace[512];
};

struct view {
	char word;
};

struct program {
	struct daemon daemon;
	struct view *current;
};

static struct shared *shared;
static char dir[64], control_path[96];
static pthread_t home;
static pid_t child;

/* The program. */

static void note(const char *what, char word)
{
	size_t n = shared->len;

	CHECK(pthread_equal(pthread_self(), home));
	n += (size_t)snprintf(shared->trace + n, sizeof(shared->trace) - n,
			      word != '\0' ? "%s(%c) " : "%s ", what, word);
	shared->len = n; /* what is before it is whole */
}

static void *load(struct daemon *d, char **complaints)
{
	char word = shared->file;
	struct view *view;

	/* --check alone needs no thread. */
	CHECK(d->options.check_only == (bool)pthread_equal(pthread_self(), home));
	shared->n_loads++;
	while (shared->hold && sem_wait(&shared->go) != 0)
		;
	progress_say("part %d of %d", 1, 2);
	progress_say("part %d of %d", 2, 2);
	*complaints = xstrdup(word == 'x'   ? "file:1:1: warning: is odd\nfile:1:2: is broken\n"
					      "file:3:4: so is this\n"
			      : word == 'w' ? "file:1:1: warning: is odd\n"
					    : "");
	while (shared->hold_end && sem_wait(&shared->go) != 0)
		;
	if (word == 'x')
		return NULL;
	view = xcalloc(1, sizeof(*view));
	view->word = word;
	return view;
}

static void discard(void *view)
{
	free(view);
}

static struct daemon_settings settings(struct daemon *d, const void *view)
{
	return (struct daemon_settings){
	    .control = control_path, .workers = 2, .log_level = LOG_LEVEL_ERROR};
}

static bool plan(struct daemon *d, void *view, unsigned n_workers)
{
	CHECK(n_workers == 2);
	return !shared->fail_plan;
}

static bool open_program(struct daemon *d, const void *view)
{
	CHECK(d->group->n_workers == 2);
	note("open", ((const struct view *)view)->word);
	return !shared->fail_open;
}

static void watch(struct daemon *d, void *view)
{
	note("watch", ((struct view *)view)->word);
}

static char *waits_for(const void *view)
{
	return ((const struct view *)view)->word == shared->unsettled ? xstrdup("edge fra1") : NULL;
}

static void drop(struct daemon *d, void *view)
{
	note("drop", ((struct view *)view)->word);
	free(view);
}

static void publish(struct daemon *d, void *view)
{
	struct program *p = CONTAINER_OF(d, struct program, daemon);

	note("publish", ((struct view *)view)->word);
	free(p->current);
	p->current = view;
}

static char *needs_restart(struct daemon *d, const void *view)
{
	return ((const struct view *)view)->word == 'r' ? xstrdup("some.option") : NULL;
}

static void reloaded(struct daemon *d, bool ok)
{
	note(ok ? "reloaded" : "refused", '\0');
}

static void serve(struct daemon *d)
{
	CHECK(d->state == DAEMON_SERVING);
	note("serve", '\0');
}

static duration stop(struct daemon *d)
{
	note("stop", '\0');
	daemon_stopped(d);
	return DUR_S(100);
}

static bool close_program(struct daemon *d)
{
	struct program *p = CONTAINER_OF(d, struct program, daemon);

	note("close", '\0');
	free(p->current);
	/* The node is locked until all is closed. */
	CHECK(access(control_path, F_OK) == 0);
	return true;
}

static void reopen_logs(struct daemon *d)
{
	note("reopen", '\0');
}

static void status(struct daemon *d, json_t *status)
{
	json_object_set_new(status, "own", json_true());
}

static void run_add(struct daemon *d, struct control_request *request, char **arguments, int n)
{
	control_answer(&request,
		       json_integer(atoi(arguments[0]) + (n == 2 ? atoi(arguments[1]) : 0)));
}

static const struct daemon_verb verbs[] = {{"add", "A [B]", 1, 2, run_add}};

static const struct daemon_ops ops = {
    .program = {"perigee-test", "Stands in for a daemon."},
    .verbs = verbs,
    .n_verbs = ARRAY_SIZE(verbs),
    .load = load,
    .discard = discard,
    .settings = settings,
    .plan = plan,
    .open = open_program,
    .watch = watch,
    .waits_for = waits_for,
    .drop = drop,
    .publish = publish,
    .needs_restart = needs_restart,
    .reloaded = reloaded,
    .serve = serve,
    .stop = stop,
    .close = close_program,
    .reopen_logs = reopen_logs,
    .status = status,
};

/* The operator. */

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/perigee-daemon-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(control_path, sizeof(control_path), "%s/control", dir);
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && sem_init(&shared->go, 1, 0) == 0);
	shared->file = 'a';
	return 0;
}

/* Nothing was left behind. */
static int teardown(void **state)
{
	CHECK(munmap(shared, sizeof(*shared)) == 0);
	return rmdir(dir);
}

static int run_daemon(const char *argument)
{
	char name[] = "perigee-test", word[16];
	char *argv[] = {name, word, NULL};
	struct program program = {0};

	/* It ends with a test that failed. */
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	snprintf(word, sizeof(word), "%s", argument == NULL ? "" : argument);
	home = pthread_self();
	daemon_signals_block();
	return daemon_main(&program.daemon, &ops, argument == NULL ? 1 : 2, argv);
}

/* A daemon whose standard error goes to `err`; NULL: to ours. */
static pid_t start_daemon(const char *argument, FILE *err)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (err != NULL)
			CHECK(dup2(fileno(err), STDERR_FILENO) >= 0);
		exit(run_daemon(argument));
	}
	return pid;
}

static void pause_briefly(mono_time since)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	if (mono_since(clock_mono(), since).ns > PATIENCE.ns)
		fail_msg("waited for long; so far: %s", shared->trace);
	nanosleep(&ms, NULL);
}

static void wait_trace(const char *expected)
{
	mono_time since = clock_mono();

	while (strcmp(shared->trace, expected) != 0)
		pause_briefly(since);
}

static void wait_loads(unsigned n)
{
	mono_time since = clock_mono();

	while (shared->n_loads < n)
		pause_briefly(since);
}

static int exit_code(pid_t pid)
{
	int result;

	CHECK(waitpid(pid, &result, 0) == pid);
	assert_true(WIFEXITED(result));
	return WEXITSTATUS(result);
}

static void signal_child(int number)
{
	CHECK(kill(child, number) == 0);
}

static void stop_child(void)
{
	signal_child(SIGTERM);
	assert_int_equal(exit_code(child), 0);
	assert_int_not_equal(access(control_path, F_OK), 0);
}

/* What was answered in the end: the result, or the object with the error. */
static json_t *result_of(json_t *last)
{
	json_t *result = json_object_get(last, "result");

	if (result == NULL)
		return last;
	json_incref(result);
	json_decref(last);
	return result;
}

static json_t *call(const char *line)
{
	struct control_call c = {.path = control_path, .command = line, .patience = PATIENCE};
	char *error = NULL;
	json_t *last = control_call(&c, &error);

	if (last == NULL)
		fail_msg("%s: %s", line, error);
	return result_of(last);
}

/* Asks, and leaves the answer for later. */
static int ask(const char *line)
{
	const struct timeval limit = dur_to_timeval(PATIENCE);
	int fd = sock_connect_unix(control_path);

	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	CHECK(send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line));
	CHECK(send(fd, "\n", 1, MSG_NOSIGNAL) == 1);
	return fd;
}

/* One line of an answer. */
static json_t *line_of(int fd)
{
	char text[1024];
	size_t n = 0;
	json_t *line;

	while (n == 0 || text[n - 1] != '\n') {
		assert_true(n < sizeof(text));
		assert_int_equal(recv(fd, text + n, 1, 0), 1);
		n++;
	}
	line = json_loadb(text, n, 0, NULL);
	assert_non_null(line);
	return line;
}

static void assert_progress(int fd, const char *expected)
{
	json_t *line = line_of(fd);
	const char *said = json_string_value(json_object_get(line, "progress"));

	assert_non_null(said);
	assert_string_equal(said, expected);
	json_decref(line);
}

/* In between may be others, of how a load gets on. */
static void wait_progress(int fd, const char *expected)
{
	const char *said = "";

	while (strcmp(said, expected) != 0) {
		json_t *line = line_of(fd);

		said = json_string_value(json_object_get(line, "progress"));
		assert_non_null(said);
		said = strcmp(said, expected) == 0 ? expected : "";
		json_decref(line);
	}
}

/* The last line, whatever was said before. */
static json_t *answer_of(int fd)
{
	json_t *line;
	char c;

	while (json_object_get(line = line_of(fd), "progress") != NULL)
		json_decref(line);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	CHECK(close(fd) == 0);
	return result_of(line);
}

static void assert_member(const json_t *object, const char *name, const char *expected)
{
	const char *value = json_string_value(json_object_get(object, name));

	assert_non_null(value);
	assert_string_equal(value, expected);
}

#define STARTED "open(a) watch(a) publish(a) serve "

static void start_child(void)
{
	child = start_daemon(NULL, NULL);
	wait_trace(STARTED);
}

/* Tests. */

static void test_start_and_stop(void **state)
{
	json_t *answer;

	start_child();
	answer = call("status");
	assert_member(answer, "program", "perigee-test");
	assert_member(answer, "state", "serving");
	assert_int_equal(json_integer_value(json_object_get(answer, "workers")), 2);
	assert_true(json_is_true(json_object_get(answer, "own")));
	assert_null(json_object_get(answer, "last_reload"));
	json_decref(answer);
	stop_child();
	assert_string_equal(shared->trace, STARTED "stop close ");
}

static void test_commands(void **state)
{
	json_t *answer;

	start_child();
	answer = call("add 3 4");
	assert_int_equal(json_integer_value(answer), 7);
	json_decref(answer);
	answer = call("add");
	assert_member(answer, "error", "usage: add A [B]");
	json_decref(answer);
	answer = call("add 1 2 3");
	assert_member(answer, "error", "usage: add A [B]");
	json_decref(answer);
	answer = call("frob");
	assert_member(
	    answer, "error",
	    "unknown command \"frob\"; there are: status, reload, log [LEVEL [MODULE]], add A [B]");
	json_decref(answer);
	stop_child();
}

static void test_reload_tells_its_outcome(void **state)
{
	json_t *answer, *last;

	start_child();
	shared->file = 'r';
	answer = call("reload");
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	assert_member(answer, "restart", "some.option");
	assert_int_equal(json_array_size(json_object_get(answer, "warnings")), 0);
	json_decref(answer);
	answer = call("status");
	last = json_object_get(answer, "last_reload");
	assert_member(last, "result", "ok");
	assert_int_equal(json_string_length(json_object_get(last, "time")),
			 strlen("2026-01-02T03:04:05Z"));
	json_decref(answer);

	shared->file = 'x';
	answer = call("reload");
	assert_non_null(json_object_get(answer, "error"));
	last = json_object_get(answer, "errors");
	assert_int_equal(json_array_size(last), 3);
	assert_string_equal(json_string_value(json_array_get(last, 2)), "file:3:4: so is this");
	json_decref(answer);
	answer = call("status");
	assert_member(json_object_get(answer, "last_reload"), "result", "file:1:2: is broken");
	json_decref(answer);
	stop_child();
	assert_string_equal(shared->trace,
			    STARTED "watch(r) publish(r) reloaded refused stop close ");
}

static void test_reload_tells_warnings(void **state)
{
	json_t *answer, *warnings;

	start_child();
	shared->file = 'w';
	answer = call("reload");
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	warnings = json_object_get(answer, "warnings");
	assert_int_equal(json_array_size(warnings), 1);
	assert_string_equal(json_string_value(json_array_get(warnings, 0)),
			    "file:1:1: warning: is odd");
	json_decref(answer);
	answer = call("status");
	assert_member(json_object_get(answer, "last_reload"), "result", "ok");
	json_decref(answer);
	stop_child();
}

static void test_reload_tells_what_is_being_done(void **state)
{
	char *reading = xasprintf("reading %s/perigee/perigee.yaml", SYSCONFDIR);
	json_t *answer;
	int asked, second;

	start_child();
	shared->hold_end = true;
	shared->unsettled = shared->file = 'u';
	asked = ask("reload");
	assert_progress(asked, reading);
	wait_progress(asked, "part 2 of 2");
	/* Another one is told what concerns it, and the first nothing of that. */
	second = ask("reload");
	assert_progress(second, "waiting until the reload that is under way has read its files");
	shared->hold_end = false;
	sem_post(&shared->go);
	assert_progress(second, reading);
	wait_progress(asked, "settling, waiting for edge fra1");
	shared->unsettled = '\0';
	answer = answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	json_decref(answer_of(second));
	stop_child();
	free(reading);
}

/* It was lost, or came to a program that could not bear it. */
static void test_hup_before_the_start_is_over_is_a_reload_after_it(void **state)
{
	shared->hold = true;
	child = start_daemon(NULL, NULL);
	wait_loads(1);
	signal_child(SIGHUP);
	shared->file = 'b';
	shared->hold = false;
	sem_post(&shared->go);
	wait_trace(STARTED "watch(b) publish(b) reloaded ");
	stop_child();
}

/* It was forgotten, and who had asked by the control socket was not answered. */
static void test_reload_while_the_first_view_settles_comes_after_it(void **state)
{
	json_t *answer;
	int asked;

	shared->unsettled = 'a';
	child = start_daemon(NULL, NULL);
	wait_trace("open(a) watch(a) publish(a) ");
	shared->file = 'b';
	asked = ask("reload");
	signal_child(SIGHUP);
	json_decref(call("status"));
	answer = call("status"); /* a turn later: both have come */
	assert_member(answer, "state", "starting");
	json_decref(answer);
	shared->unsettled = '\0';
	answer = answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	assert_string_equal(shared->trace, STARTED "watch(b) publish(b) reloaded ");
	assert_int_equal(shared->n_loads, 2);
	stop_child();
}

static void test_reloads_during_a_reload_are_one_more(void **state)
{
	json_t *answer;
	int asked;

	start_child();
	shared->hold = true;
	shared->file = 'b';
	signal_child(SIGHUP);
	wait_loads(2);
	/* The one under way has read the file before this. */
	shared->file = 'c';
	signal_child(SIGHUP);
	json_decref(call("status"));
	signal_child(SIGHUP);
	asked = ask("reload");
	/* It does answer meanwhile. */
	json_decref(call("status"));
	shared->hold = false;
	sem_post(&shared->go);
	answer = answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	assert_string_equal(shared->trace,
			    STARTED "watch(b) publish(b) reloaded watch(c) publish(c) reloaded ");
	assert_int_equal(shared->n_loads, 3);
	stop_child();
}

static void test_later_view_takes_the_place_of_one_that_settles(void **state)
{
	json_t *answer;
	int asked;

	start_child();
	shared->unsettled = 'u';
	shared->file = 'u';
	asked = ask("reload");
	wait_trace(STARTED "watch(u) ");
	shared->file = 'x';
	answer = call("reload");
	assert_non_null(json_object_get(answer, "error"));
	json_decref(answer);
	shared->file = 'c';
	signal_child(SIGHUP);
	answer = answer_of(asked);
	assert_true(json_is_true(json_object_get(answer, "reloaded")));
	json_decref(answer);
	stop_child();
	assert_string_equal(shared->trace, STARTED
			    "watch(u) refused watch(c) drop(u) publish(c) reloaded stop close ");
}

/* Each began its time anew, so that nothing that they brought was ever published. */
static void test_reloads_that_follow_each_other_fast_are_published(void **state)
{
	const duration apart = DUR_S(1); /* less than a view may take to settle */
	bool published = false;

	start_child();
	shared->unsettled = 'u';
	shared->file = 'u';
	for (unsigned i = 0; i < 10 && !published; i++) {
		mono_time began = clock_mono();

		signal_child(SIGHUP);
		while (!published && mono_since(clock_mono(), began).ns < apart.ns) {
			usleep(1000);
			published = strstr(shared->trace, "publish(u)") != NULL;
		}
	}
	assert_true(published);
	stop_child();
}

static void test_who_waits_is_told_of_a_stop(void **state)
{
	json_t *answer;
	int asked;

	start_child();
	shared->unsettled = 'u';
	shared->file = 'u';
	asked = ask("reload");
	wait_trace(STARTED "watch(u) ");
	stop_child();
	assert_string_equal(shared->trace, STARTED "watch(u) drop(u) stop close ");
	answer = answer_of(asked);
	assert_non_null(json_object_get(answer, "error"));
	json_decref(answer);
}

/* It waited for a load that might never end. */
static void test_stop_during_a_load_ends_at_once(void **state)
{
	shared->hold = true;
	child = start_daemon(NULL, NULL);
	wait_loads(1);
	stop_child();
	assert_string_equal(shared->trace, "");

	shared->hold = false;
	start_child();
	shared->hold = true;
	signal_child(SIGHUP);
	wait_loads(3);
	stop_child();
	assert_string_equal(shared->trace, STARTED "stop close ");
}

static void test_stop_before_the_first_view_has_settled(void **state)
{
	shared->unsettled = 'a';
	child = start_daemon(NULL, NULL);
	wait_trace("open(a) watch(a) publish(a) ");
	stop_child();
	assert_string_equal(shared->trace, "open(a) watch(a) publish(a) close ");
}

static void test_logs_are_reopened(void **state)
{
	start_child();
	signal_child(SIGUSR1);
	wait_trace(STARTED "reopen ");
	stop_child();
}

static void read_all(FILE *f, char *text, size_t size)
{
	rewind(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void test_broken_configuration_is_told_whole(void **state)
{
	static const char *const arguments[] = {NULL, "--check"};
	char text[256];

	shared->file = 'x';
	for (unsigned i = 0; i < ARRAY_SIZE(arguments); i++) {
		FILE *err = tmpfile();

		assert_int_equal(exit_code(start_daemon(arguments[i], err)), 1);
		read_all(err, text, sizeof(text));
		assert_string_equal(text, "file:1:1: warning: is odd\nfile:1:2: is broken\n"
					  "file:3:4: so is this\n");
	}
	assert_string_equal(shared->trace, "");
}

static void test_failed_start_leaves_nothing(void **state)
{
	shared->fail_plan = true;
	assert_int_equal(exit_code(start_daemon(NULL, NULL)), 1);
	assert_string_equal(shared->trace, "");
	shared->fail_plan = false;
	shared->fail_open = true;
	assert_int_equal(exit_code(start_daemon(NULL, NULL)), 1);
	assert_string_equal(shared->trace, "open(a) close ");
	assert_int_not_equal(access(control_path, F_OK), 0);
}

/* An account of its own, so that its threads are counted alone. */
#define POOR_USER 32343

static int start_poor(rlim_t threads)
{
	struct rlimit limit;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		int code;

		CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0 && setuid(POOR_USER) == 0);
		limit.rlim_cur = threads;
		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		code = run_daemon(NULL);
		/* A sanitizer looks for leaks by a process of its own. */
		limit.rlim_cur = limit.rlim_max;
		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		exit(code);
	}
	return exit_code(pid);
}

/* It aborted, and left its socket behind. */
static void test_too_few_threads_are_an_error_of_the_start(void **state)
{
	unsigned n_opened = 0;

	if (geteuid() != 0)
		SKIP("it takes root to become another user");
	CHECK(chmod(dir, 0777) == 0);
	/* The log's is missing, then that of the jobs, the first worker's and the second's;
	 * sanitizers have some of their own before. */
	for (rlim_t threads = 1; n_opened < 2; threads++) {
		shared->len = 0;
		shared->trace[0] = '\0';
		assert_int_equal(start_poor(threads), 1);
		assert_int_not_equal(access(control_path, F_OK), 0);
		n_opened += shared->len > 0;
	}
	assert_string_equal(shared->trace, "open(a) watch(a) publish(a) close ");
}

static void test_second_start_touches_nothing(void **state)
{
	FILE *err = tmpfile();
	char text[512], *says;

	start_child();
	assert_int_equal(exit_code(start_daemon(NULL, err)), 1);
	read_all(err, text, sizeof(text));
	says = xasprintf("already running: process %d holds %s", (int)child, control_path);
	assert_non_null(strstr(text, says));
	free(says);
	assert_string_equal(shared->trace, STARTED);
	json_decref(call("status"));
	stop_child();
}

static void test_the_file_limit_is_raised(void **state)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, 64);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	daemon_raise_file_limit();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur == limit.rlim_max);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_start_and_stop),
	    TEST(test_commands),
	    TEST(test_reload_tells_its_outcome),
	    TEST(test_reload_tells_warnings),
	    TEST(test_reload_tells_what_is_being_done),
	    TEST(test_hup_before_the_start_is_over_is_a_reload_after_it),
	    TEST(test_reload_while_the_first_view_settles_comes_after_it),
	    TEST(test_reloads_during_a_reload_are_one_more),
	    TEST(test_later_view_takes_the_place_of_one_that_settles),
	    TEST(test_reloads_that_follow_each_other_fast_are_published),
	    TEST(test_who_waits_is_told_of_a_stop),
	    TEST(test_stop_during_a_load_ends_at_once),
	    TEST(test_stop_before_the_first_view_has_settled),
	    TEST(test_logs_are_reopened),
	    TEST(test_broken_configuration_is_told_whole),
	    TEST(test_failed_start_leaves_nothing),
	    TEST(test_too_few_threads_are_an_error_of_the_start),
	    TEST(test_second_start_touches_nothing),
	    TEST(test_the_file_limit_is_raised),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
