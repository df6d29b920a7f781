/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket: a server on its own thread, the client in this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "core/process/control.h"

/* More than a socket's buffers take. */
#define BIG (2 << 20)

static char dir[64];
static char path[96];
static struct loop *loop;
static struct control_server *server;

/* Its loop's. */
static struct control_request *deferred[CONTROL_CLIENTS_MAX];
static unsigned n_deferred;

static unsigned answer_deferred(void)
{
	unsigned n = n_deferred;

	while (n_deferred > 0)
		control_answer(&deferred[--n_deferred], json_pack("{s:s}", "word", "at last"));
	return n;
}

static json_t *handler(void *arg, int argc, char **argv)
{
	CHECK(arg == &loop && loop_is_owner(loop));
	if (strcmp(argv[0], "echo") == 0) {
		json_t *words = json_array();

		for (int i = 0; i < argc; i++)
			json_array_append_new(words, json_string(argv[i]));
		return json_pack("{s:o}", "words", words);
	}
	if (strcmp(argv[0], "big") == 0) {
		char *text = xmalloc(BIG);
		json_t *answer;

		memset(text, 'x', BIG);
		answer = json_pack("{s:s#}", "text", text, BIG);
		free(text);
		return answer;
	}
	if (strcmp(argv[0], "nothing") == 0)
		return NULL;
	if (strcmp(argv[0], "later") == 0) {
		CHECK(n_deferred < ARRAY_SIZE(deferred));
		deferred[n_deferred++] = control_defer(server);
		return NULL;
	}
	if (strcmp(argv[0], "deferred") == 0)
		return json_integer(n_deferred);
	if (strcmp(argv[0], "now") == 0)
		return json_integer(answer_deferred());
	return control_error("unknown command '%s'", argv[0]);
}

static int setup(void **state)
{
	char *error;

	snprintf(dir, sizeof(dir), "/tmp/perigee-control-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	/* In a folder that is not there yet, as /run/perigee is not after a boot. */
	snprintf(path, sizeof(path), "%s/run/control", dir);
	loop = loop_create("control");
	server = control_server_create(loop, path, handler, &loop, &error);
	CHECK(server != NULL);
	loop_start(loop);
	return 0;
}

static int teardown(void **state)
{
	loop_stop_mt(loop);
	loop_join(loop);
	control_server_destroy(&server);
	CHECK(server == NULL);
	answer_deferred();
	CHECK(access(path, F_OK) != 0);
	loop_destroy(&loop);
	*strrchr(path, '/') = '\0';
	CHECK(rmdir(path) == 0);
	return rmdir(dir);
}

static json_t *call(const char *line)
{
	char *error = NULL;
	json_t *answer = control_call(path, line, CONTROL_CALL_TIME, &error);

	if (answer == NULL)
		fail_msg("%s: %s", line, error);
	return answer;
}

static void assert_error(const char *line, const char *expected)
{
	json_t *answer = call(line);

	assert_string_equal(json_string_value(json_object_get(answer, "error")), expected);
	json_decref(answer);
}

static void test_a_line_is_split_into_words_and_answered(void **state)
{
	json_t *answer = call("echo  www.example.com\tA 192.0.2.0/24 ");
	json_t *words = json_object_get(answer, "words");

	assert_int_equal(json_array_size(words), 4);
	assert_string_equal(json_string_value(json_array_get(words, 1)), "www.example.com");
	assert_string_equal(json_string_value(json_array_get(words, 3)), "192.0.2.0/24");
	json_decref(answer);
}

static void test_what_is_wrong_is_said(void **state)
{
	char words[2 * 65 + 1] = "";

	assert_error("frobnicate", "unknown command 'frobnicate'");
	assert_error("frob\xff", "unknown command 'frob?'");
	assert_error("", "no command");
	assert_error("   ", "no command");
	assert_error("nothing", "nothing: no answer");
	for (int i = 0; i < 65; i++)
		strcat(words, "x ");
	assert_error(words, "more than 64 words");
}

static void test_a_large_answer_arrives_whole(void **state)
{
	json_t *answer = call("big");

	assert_int_equal(json_string_length(json_object_get(answer, "text")), BIG);
	json_decref(answer);
}

static int connect_client(void)
{
	/* So that a bug fails the test instead of hanging it. */
	const struct timeval limit = {.tv_sec = 30};
	int fd = sock_connect_unix(path);

	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	return fd;
}

static void test_a_line_that_is_too_long_is_closed(void **state)
{
	char line[4096], c, *error = NULL;
	int fd = connect_client();

	memset(line, 'x', sizeof(line));
	assert_int_equal(send(fd, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
	assert_true(recv(fd, &c, 1, 0) <= 0); /* closed, or reset: not an answer */
	close(fd);

	/* Just short enough. */
	fd = connect_client();
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(send(fd, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	assert_int_equal(c, '{');
	close(fd);

	/* The client does not even try. */
	line[sizeof(line) - 1] = '\0';
	assert_null(control_call(path, "two\nlines", CONTROL_CALL_TIME, &error));
	assert_non_null(error);
	free(error);
}

static void test_a_line_may_come_in_pieces(void **state)
{
	const char *line = "echo\n";
	int fd = connect_client();
	char c;

	for (; *line != '\0'; line++)
		assert_int_equal(send(fd, line, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	assert_int_equal(c, '{');
	close(fd);
}

static void test_those_over_the_limit_wait_for_their_turn(void **state)
{
	int fds[CONTROL_CLIENTS_MAX], waiting;
	char c;

	/* All places are held by clients that do not read their whole answer. */
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_client();
		assert_int_equal(send(fds[i], "big\n", 4, MSG_NOSIGNAL), 4);
		assert_int_equal(recv(fds[i], &c, 1, 0), 1);
	}
	waiting = connect_client();
	assert_int_equal(send(waiting, "echo\n", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(recv(waiting, &c, 1, MSG_DONTWAIT), -1);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	assert_int_equal(recv(waiting, &c, 1, 0), 1);
	assert_int_equal(c, '{');
	close(waiting);
}

static void test_a_second_server_is_refused_and_the_first_lives_on(void **state)
{
	struct loop *other = loop_create("other");
	char *error = NULL;

	assert_null(control_server_create(other, path, handler, NULL, &error));
	assert_non_null(strstr(error, path));
	assert_non_null(strstr(error, "already running"));
	free(error);
	loop_destroy(&other);
	json_decref(call("echo"));
}

struct replacement {
	struct control_server *server;
	int done; /* says when, to the test */
};

/* On the control loop: the folder has been emptied, as by who cleans /run. */
static void replace(void *arg)
{
	struct replacement *r = arg;
	char *error, *lock = xasprintf("%s.lock", path);

	CHECK(unlink(path) == 0 && unlink(lock) == 0);
	r->server = control_server_create(loop, path, handler, &loop, &error);
	CHECK(r->server != NULL);
	control_server_destroy(&server);
	server = r->server;
	CHECK(access(path, F_OK) == 0 && access(lock, F_OK) == 0);
	free(lock);
	CHECK(write(r->done, "", 1) == 1);
}

static void test_the_socket_of_a_successor_is_not_removed(void **state)
{
	struct replacement r;
	int done[2];
	char c;

	CHECK(pipe(done) == 0);
	r.done = done[1];
	loop_post_mt(loop, replace, &r);
	assert_int_equal(read(done[0], &c, 1), 1);
	json_decref(call("echo"));
	close(done[0]);
	close(done[1]);
}

static void test_a_client_left_in_the_middle_is_cleaned_up(void **state)
{
	int fd = connect_client();

	assert_int_equal(send(fd, "echo", 4, MSG_NOSIGNAL), 4);
	json_decref(call("echo")); /* by now the other has been accepted */
	teardown(state);
	setup(state);
	close(fd);
}

static void read_answer(int fd, const char *expected)
{
	char text[64] = "";
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	assert_int_equal(got, 0);
	assert_string_equal(text, expected);
	close(fd);
}

static int say(const char *line)
{
	int fd = connect_client();

	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	return fd;
}

static void wait_until_deferred(json_int_t n)
{
	json_t *answer;
	bool enough;

	do {
		answer = call("deferred");
		enough = json_integer_value(answer) == n;
		json_decref(answer);
	} while (!enough);
}

static void test_an_answer_may_come_later(void **state)
{
	int whole = say("later\n"), half = say("later\n"), gone = say("later\n");
	json_t *answer;

	/* One that has nothing more to say still listens; one that has closed does not. */
	wait_until_deferred(3);
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	close(gone);
	json_decref(call("echo"));
	answer = call("now");
	assert_int_equal(json_integer_value(answer), 3);
	json_decref(answer);
	read_answer(whole, "{\n  \"word\": \"at last\"\n}\n");
	read_answer(half, "{\n  \"word\": \"at last\"\n}\n");
}

/* They kept their places until their answers came, if ever. */
static void test_those_who_ended_their_question_and_left_make_room(void **state)
{
	json_t *answer;
	int last;

	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++) {
		int fd = say("later\n");

		wait_until_deferred(i);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		json_decref(call("echo")); /* it has been seen */
		close(fd);
	}
	last = say("later\n");
	answer = call("now");
	assert_int_equal(json_integer_value(answer), CONTROL_CLIENTS_MAX);
	json_decref(answer);
	read_answer(last, "{\n  \"word\": \"at last\"\n}\n");
}

static void test_a_server_may_end_before_its_answers(void **state)
{
	int fd = say("later\n");

	wait_until_deferred(1);
	teardown(state);
	setup(state);
	read_answer(fd, "");
}

static void test_nobody_there_is_an_error(void **state)
{
	char *error = NULL;

	assert_null(control_call("/nonexistent/control", "status", CONTROL_CALL_TIME, &error));
	assert_string_equal(error,
			    "cannot connect to /nonexistent/control: No such file or directory");
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_is_split_into_words_and_answered),
	    cmocka_unit_test(test_what_is_wrong_is_said),
	    cmocka_unit_test(test_a_large_answer_arrives_whole),
	    cmocka_unit_test(test_a_line_that_is_too_long_is_closed),
	    cmocka_unit_test(test_a_line_may_come_in_pieces),
	    cmocka_unit_test(test_those_over_the_limit_wait_for_their_turn),
	    cmocka_unit_test(test_a_second_server_is_refused_and_the_first_lives_on),
	    cmocka_unit_test(test_the_socket_of_a_successor_is_not_removed),
	    cmocka_unit_test(test_a_client_left_in_the_middle_is_cleaned_up),
	    cmocka_unit_test(test_an_answer_may_come_later),
	    cmocka_unit_test(test_those_who_ended_their_question_and_left_make_room),
	    cmocka_unit_test(test_a_server_may_end_before_its_answers),
	    cmocka_unit_test(test_nobody_there_is_an_error),
	};

	return cmocka_run_group_tests_name("control", tests, setup, teardown);
}
