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
static struct control_request *waiting[CONTROL_CLIENTS_MAX];
static unsigned n_waiting;

static unsigned answer_waiting(void)
{
	unsigned n = n_waiting;

	while (n_waiting > 0)
		control_answer(&waiting[--n_waiting], json_pack("{s:s}", "word", "at last"));
	return n;
}

static json_t *words_of(int argc, char **argv)
{
	json_t *words = json_array();

	for (int i = 0; i < argc; i++)
		json_array_append_new(words, json_string(argv[i]));
	return json_pack("{s:o}", "words", words);
}

static json_t *big_answer(void)
{
	char *text = xmalloc(BIG);
	json_t *answer;

	memset(text, 'x', BIG);
	answer = json_pack("{s:s#}", "text", text, BIG);
	free(text);
	return answer;
}

/* "say N TEXT": to all that wait, each in his own number. */
static void say_to_all(int argc, char **argv)
{
	CHECK(argc == 3);
	for (int i = 0; i < atoi(argv[1]); i++)
		for (unsigned k = 0; k < n_waiting; k++)
			control_progress(waiting[k], "%u: %d %s", k, i, argv[2]);
}

static void handler(void *arg, struct control_request *request, int argc, char **argv)
{
	json_t *answer = NULL;

	CHECK(arg == &loop && loop_is_owner(loop));
	if (strcmp(argv[0], "echo") == 0) {
		answer = words_of(argc, argv);
	} else if (strcmp(argv[0], "big") == 0) {
		answer = big_answer();
	} else if (strcmp(argv[0], "nothing") == 0) {
		answer = NULL;
	} else if (strcmp(argv[0], "later") == 0) {
		CHECK(n_waiting < ARRAY_SIZE(waiting));
		waiting[n_waiting++] = request;
		return;
	} else if (strcmp(argv[0], "work") == 0) {
		control_progress(request, "one");
		control_progress(request, "two of %s", argv[1]);
		answer = words_of(argc, argv);
	} else if (strcmp(argv[0], "say") == 0) {
		say_to_all(argc, argv);
		answer = json_true();
	} else if (strcmp(argv[0], "waiting") == 0) {
		answer = json_integer(n_waiting);
	} else if (strcmp(argv[0], "now") == 0) {
		answer = json_integer(answer_waiting());
	} else {
		answer = control_error("unknown command '%s'", argv[0]);
	}
	control_answer(&request, answer);
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
	answer_waiting();
	CHECK(access(path, F_OK) != 0);
	loop_destroy(&loop);
	*strrchr(path, '/') = '\0';
	CHECK(rmdir(path) == 0);
	return rmdir(dir);
}

static struct control_call call_of(const char *line)
{
	return (struct control_call){.path = path, .command = line, .patience = CONTROL_CALL_TIME};
}

static json_t *last_line(const char *line)
{
	struct control_call c = call_of(line);
	char *error = NULL;
	json_t *last = control_call(&c, &error);

	if (last == NULL)
		fail_msg("%s: %s", line, error);
	return last;
}

static json_t *call(const char *line)
{
	json_t *last = last_line(line), *result = json_object_get(last, "result");

	assert_non_null(result);
	json_incref(result);
	json_decref(last);
	return result;
}

static json_int_t call_number(const char *line)
{
	json_t *answer = call(line);
	json_int_t n = json_integer_value(answer);

	json_decref(answer);
	return n;
}

static void assert_no_call(const char *socket, const char *line, const char *expected)
{
	struct control_call c = {.path = socket, .command = line, .patience = CONTROL_CALL_TIME};
	char *error = NULL;

	assert_null(control_call(&c, &error));
	assert_string_equal(error, expected);
	free(error);
}

static void assert_error(const char *line, const char *expected)
{
	json_t *last = last_line(line);

	assert_null(json_object_get(last, "result"));
	assert_string_equal(json_string_value(json_object_get(last, "error")), expected);
	json_decref(last);
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
	assert_error("frob\xff", "unknown command 'frob\\xff'");
	assert_error("", "no command");
	assert_error("   ", "no command");
	assert_error("nothing", "no answer: there is no memory, or it is not UTF-8");
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
	char line[4096], c;
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
	assert_no_call(path, "two\nlines", "a command is one line of less than 4096 bytes");
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
	int fds[CONTROL_CLIENTS_MAX], next;
	char c;

	/* All places are held by clients that do not read their whole answer. */
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_client();
		assert_int_equal(send(fds[i], "big\n", 4, MSG_NOSIGNAL), 4);
		assert_int_equal(recv(fds[i], &c, 1, 0), 1);
	}
	next = connect_client();
	assert_int_equal(send(next, "echo\n", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(recv(next, &c, 1, MSG_DONTWAIT), -1);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	assert_int_equal(recv(next, &c, 1, 0), 1);
	assert_int_equal(c, '{');
	close(next);
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

/* All lines up to the end. */
static void read_answer(int fd, const char *expected)
{
	char text[1024] = "";
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

static void wait_until_waiting(json_int_t n)
{
	while (call_number("waiting") != n)
		;
}

static void test_what_is_being_done_is_said_before_the_result(void **state)
{
	read_answer(say("work 9\n"), "{\"progress\":\"one\"}\n"
				     "{\"progress\":\"two of 9\"}\n"
				     "{\"result\":{\"words\":[\"work\",\"9\"]}}\n");
	read_answer(say("frob\n"), "{\"error\":\"unknown command 'frob'\"}\n");
}

static void append(void *arg, const char *progress)
{
	strcat(arg, progress);
	strcat(arg, ";");
}

static void test_the_client_hears_what_is_being_done(void **state)
{
	struct control_call c = call_of("work 9");
	char said[64] = "", *error = NULL;
	json_t *last;

	c.listener = append;
	c.arg = said;
	last = control_call(&c, &error);
	assert_non_null(json_object_get(last, "result"));
	assert_string_equal(said, "one;two of 9;");
	json_decref(last);
}

static void test_an_answer_may_come_later(void **state)
{
	static const char last[] = "{\"result\":{\"word\":\"at last\"}}\n";
	int whole = say("later\n"), half = say("later\n"), gone = say("later\n");

	/* One that has nothing more to say still listens; one that has closed does not. */
	wait_until_waiting(3);
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	close(gone);
	json_decref(call("echo"));
	assert_int_equal(call_number("now"), 3);
	read_answer(whole, last);
	read_answer(half, last);
}

static void test_commands_of_several_clients_do_not_mix(void **state)
{
	int fds[CONTROL_CLIENTS_MAX - 1];
	char expected[128];

	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = say("later\n");
		wait_until_waiting(i + 1);
	}
	json_decref(call("say 2 word"));
	assert_int_equal(call_number("now"), ARRAY_SIZE(fds));
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(expected, sizeof(expected),
			 "{\"progress\":\"%u: 0 word\"}\n{\"progress\":\"%u: 1 word\"}\n"
			 "{\"result\":{\"word\":\"at last\"}}\n",
			 i, i);
		read_answer(fds[i], expected);
	}
}

/* How many bytes there are up to the end, and the last line of them. */
static size_t read_to_the_end(int fd, char *last, size_t size)
{
	size_t total = 0, n = 0;
	char c;

	while (recv(fd, &c, 1, 0) == 1) {
		total++;
		if (c == '\n') {
			last[n] = '\0';
			n = 0;
		} else if (n < size - 1) {
			last[n++] = c;
		}
	}
	return total;
}

static void test_who_does_not_read_costs_little_and_stops_nothing(void **state)
{
	int fd = say("later\n");
	char last[64];
	size_t total;

	wait_until_waiting(1);
	/* 5 MB in all; what the kernel takes is a part of it. */
	for (int i = 0; i < 100; i++)
		json_decref(call("say 1000 much-and-even-more-of-it"));
	assert_int_equal(call_number("now"), 1);
	total = read_to_the_end(fd, last, sizeof(last));
	assert_in_range(total, 1, 1 << 20);
	/* What counts has come. */
	assert_string_equal(last, "{\"result\":{\"word\":\"at last\"}}");
	close(fd);
}

static void test_who_leaves_in_the_middle_stops_nothing(void **state)
{
	int stays = say("later\n"), leaves;

	wait_until_waiting(1);
	leaves = say("later\n");
	wait_until_waiting(2);
	close(leaves);
	json_decref(call("say 1 on"));
	json_decref(call("say 1 on"));
	assert_int_equal(call_number("now"), 2);
	read_answer(stays, "{\"progress\":\"0: 0 on\"}\n{\"progress\":\"0: 0 on\"}\n"
			   "{\"result\":{\"word\":\"at last\"}}\n");
}

/* They kept their places until their answers came, if ever. */
static void test_those_who_ended_their_question_and_left_make_room(void **state)
{
	int last;

	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++) {
		int fd = say("later\n");

		wait_until_waiting(i);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		json_decref(call("echo")); /* it has been seen */
		close(fd);
	}
	last = say("later\n");
	assert_int_equal(call_number("now"), CONTROL_CLIENTS_MAX);
	read_answer(last, "{\"result\":{\"word\":\"at last\"}}\n");
}

static void test_a_server_may_end_before_its_answers(void **state)
{
	int fd = say("later\n");

	wait_until_waiting(1);
	teardown(state);
	setup(state);
	read_answer(fd, "");
}

/* On the control loop: as when a daemon ends. */
static void answer_and_end(void *arg)
{
	control_answer(&waiting[--n_waiting], control_error("it ends"));
	control_server_destroy(&server);
	CHECK(write(*(int *)arg, "", 1) == 1);
}

static void test_last_words_are_heard_of_a_server_that_ends(void **state)
{
	int fd = say("later\n"), done[2];
	char c;

	wait_until_waiting(1);
	CHECK(pipe(done) == 0);
	loop_post_mt(loop, answer_and_end, &done[1]);
	assert_int_equal(read(done[0], &c, 1), 1);
	read_answer(fd, "{\"error\":\"it ends\"}\n");
	close(done[0]);
	close(done[1]);
	loop_stop_mt(loop);
	loop_join(loop);
	loop_destroy(&loop);
	*strrchr(path, '/') = '\0';
	CHECK(rmdir(path) == 0 && rmdir(dir) == 0);
	setup(state);
}

static void test_nobody_there_is_an_error(void **state)
{
	assert_no_call("/nonexistent/control", "status",
		       "cannot connect to /nonexistent/control: No such file or directory: is the "
		       "daemon running?");
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
	    cmocka_unit_test(test_what_is_being_done_is_said_before_the_result),
	    cmocka_unit_test(test_the_client_hears_what_is_being_done),
	    cmocka_unit_test(test_an_answer_may_come_later),
	    cmocka_unit_test(test_commands_of_several_clients_do_not_mix),
	    cmocka_unit_test(test_who_does_not_read_costs_little_and_stops_nothing),
	    cmocka_unit_test(test_who_leaves_in_the_middle_stops_nothing),
	    cmocka_unit_test(test_those_who_ended_their_question_and_left_make_room),
	    cmocka_unit_test(test_a_server_may_end_before_its_answers),
	    cmocka_unit_test(test_last_words_are_heard_of_a_server_that_ends),
	    cmocka_unit_test(test_nobody_there_is_an_error),
	};

	return cmocka_run_group_tests_name("control", tests, setup, teardown);
}
