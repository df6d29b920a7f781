/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A daemon on trial, and its operator.
 */
#include "tests/support/trial_daemon.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/progress.h"
#include "core/net/sock.h"
#include "core/process/control.h"
#include "core/process/daemon.h"

#define PATIENCE DUR_S(30)

struct view {
	char word;
};

struct program {
	struct daemon daemon;
	struct view *current;
};

struct trial *trial;
char trial_dir[64], trial_control[96];
pid_t trial_child;
static pthread_t home;

/* The program. */

static void note(const char *what, char word)
{
	size_t n = trial->len;

	CHECK(pthread_equal(pthread_self(), home));
	n += (size_t)snprintf(trial->trace + n, sizeof(trial->trace) - n,
			      word != '\0' ? "%s(%c) " : "%s ", what, word);
	trial->len = n; /* what is before it is whole */
}

static void *load(struct daemon *d, char **complaints)
{
	char word = trial->file;
	struct view *view;

	/* --check alone needs no thread. */
	CHECK(d->options.check_only == (bool)pthread_equal(pthread_self(), home));
	trial->n_loads++;
	while (trial->hold && sem_wait(&trial->go) != 0)
		;
	progress_say("part %d of %d", 1, 2);
	progress_say("part %d of %d", 2, 2);
	*complaints = xstrdup(word == 'x'   ? "file:1:1: warning: is odd\nfile:1:2: is broken\n"
					      "file:3:4: so is this\n"
			      : word == 'w' ? "file:1:1: warning: is odd\n"
					    : "");
	while (trial->hold_end && sem_wait(&trial->go) != 0)
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
	    .control = trial_control, .workers = 2, .log_level = LOG_LEVEL_ERROR};
}

static bool plan(struct daemon *d, void *view, unsigned n_workers)
{
	CHECK(n_workers == 2);
	return !trial->fail_plan;
}

static bool open_program(struct daemon *d, const void *view)
{
	CHECK(d->group->n_workers == 2);
	note("open", ((const struct view *)view)->word);
	return !trial->fail_open;
}

static void watch(struct daemon *d, void *view)
{
	note("watch", ((struct view *)view)->word);
}

static char *waits_for(const void *view)
{
	return ((const struct view *)view)->word == trial->unsettled ? xstrdup("edge fra1") : NULL;
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
	CHECK(access(trial_control, F_OK) == 0);
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

int trial_setup(void **state)
{
	snprintf(trial_dir, sizeof(trial_dir), "/tmp/perigee-daemon-XXXXXX");
	CHECK(mkdtemp(trial_dir) != NULL);
	snprintf(trial_control, sizeof(trial_control), "%s/control", trial_dir);
	trial =
	    mmap(NULL, sizeof(*trial), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(trial != MAP_FAILED && sem_init(&trial->go, 1, 0) == 0);
	trial->file = 'a';
	return 0;
}

/* Nothing was left behind. */
int trial_teardown(void **state)
{
	CHECK(munmap(trial, sizeof(*trial)) == 0);
	return rmdir(trial_dir);
}

int trial_run(const char *argument)
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
pid_t trial_start(const char *argument, FILE *err)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (err != NULL)
			CHECK(dup2(fileno(err), STDERR_FILENO) >= 0);
		exit(trial_run(argument));
	}
	return pid;
}

static void pause_briefly(mono_time since)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	if (mono_since(clock_mono(), since).ns > PATIENCE.ns)
		fail_msg("waited for long; so far: %s", trial->trace);
	nanosleep(&ms, NULL);
}

void trial_wait(const char *expected)
{
	mono_time since = clock_mono();

	while (strcmp(trial->trace, expected) != 0)
		pause_briefly(since);
}

void trial_wait_loads(unsigned n)
{
	mono_time since = clock_mono();

	while (trial->n_loads < n)
		pause_briefly(since);
}

int trial_exit_code(pid_t pid)
{
	int result;

	CHECK(waitpid(pid, &result, 0) == pid);
	assert_true(WIFEXITED(result));
	return WEXITSTATUS(result);
}

void trial_signal(int number)
{
	CHECK(kill(trial_child, number) == 0);
}

void trial_stop(void)
{
	trial_signal(SIGTERM);
	assert_int_equal(trial_exit_code(trial_child), 0);
	assert_int_not_equal(access(trial_control, F_OK), 0);
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

json_t *trial_call(const char *line)
{
	struct control_call c = {.path = trial_control, .command = line, .patience = PATIENCE};
	char *error = NULL;
	json_t *last = control_call(&c, &error);

	if (last == NULL)
		fail_msg("%s: %s", line, error);
	return result_of(last);
}

/* Asks, and leaves the answer for later. */
int trial_ask(const char *line)
{
	const struct timeval limit = dur_to_timeval(PATIENCE);
	int fd = sock_connect_unix(trial_control);

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

void trial_assert_progress(int fd, const char *expected)
{
	json_t *line = line_of(fd);
	const char *said = json_string_value(json_object_get(line, "progress"));

	assert_non_null(said);
	assert_string_equal(said, expected);
	json_decref(line);
}

/* In between may be others, of how a load gets on. */
void trial_wait_progress(int fd, const char *expected)
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
json_t *trial_answer_of(int fd)
{
	json_t *line;
	char c;

	while (json_object_get(line = line_of(fd), "progress") != NULL)
		json_decref(line);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	CHECK(close(fd) == 0);
	return result_of(line);
}

void trial_assert_member(const json_t *object, const char *name, const char *expected)
{
	const char *value = json_string_value(json_object_get(object, name));

	assert_non_null(value);
	assert_string_equal(value, expected);
}

void trial_begin(void)
{
	trial_child = trial_start(NULL, NULL);
	trial_wait(TRIAL_STARTED);
}
