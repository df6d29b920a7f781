/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The client's end of the control socket, for perigeectl: one command, and its answer line by line.
 * It blocks, for a bounded time and an answer of bounded size. One thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "core/process/control.h"

/* A line that is longer is not one of ours: the status of 100,000 sites has 20 MB. */
#define ANSWER_LINE_MAX (256u << 20)

struct answer {
	const struct control_call *call;
	int fd;
	mono_time until; /* for the next line */
	char *text;      /* what has come and is not read yet, from `begin` to `end` */
	size_t begin, end, cap;
};

static int wait_for(const struct answer *a, short events)
{
	struct pollfd p = {.fd = a->fd, .events = events};
	int64_t left = dur_to_ms(mono_since(a->until, clock_mono()));
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n == 0)
		return -ETIMEDOUT;
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int send_command(const struct answer *a)
{
	char *line = xasprintf("%s\n", a->call->command), *p = line;
	int error = 0;

	while (*p != '\0' && error == 0) {
		ssize_t sent;

		error = wait_for(a, POLLOUT);
		if (error < 0)
			break;
		sent = send(a->fd, p, strlen(p), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			error = -errno;
		p += MAX(sent, 0);
	}
	free(line);
	return error;
}

/* Room behind what is unread. */
static void make_room(struct answer *a)
{
	if (a->begin > 0) {
		memmove(a->text, a->text + a->begin, a->end - a->begin);
		a->end -= a->begin;
		a->begin = 0;
	}
	if (a->end == a->cap) {
		a->cap = MAX(2 * a->cap, 64 * 1024);
		a->text = xreallocarray(a->text, a->cap, 1);
	}
}

/* The next line, whose newline has become NUL, until the next call; NULL with *error < 0, or 0 when
 * the other side has closed. */
static char *next_line(struct answer *a, int *error)
{
	size_t seen = a->begin;

	a->until = mono_add(clock_mono(), a->call->patience);
	for (;;) {
		char *newline = memchr(a->text + seen, '\n', a->end - seen);
		ssize_t got;

		if (newline != NULL) {
			char *line = a->text + a->begin;

			*newline = '\0';
			a->begin = (size_t)(newline + 1 - a->text);
			return line;
		}
		seen = a->end - a->begin;
		make_room(a);
		*error = seen > ANSWER_LINE_MAX ? -EMSGSIZE : wait_for(a, POLLIN);
		if (*error < 0)
			return NULL;
		got = recv(a->fd, a->text + a->end, a->cap - a->end, MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			*error = -errno;
		if (got == 0 || *error < 0)
			return NULL;
		a->end += (size_t)MAX(got, 0);
	}
}

static char *why_no_line(const struct answer *a, int error)
{
	const char *path = a->call->path;

	if (error < 0)
		return xasprintf("%s: %s", path, strerror(-error));
	if (a->end > a->begin)
		return xasprintf("%s: closed in the middle of an answer", path);
	return xasprintf("%s: closed without an answer", path);
}

/* A line in which nothing has the form of control.h. */
static char *not_ours(const struct answer *a)
{
	return xasprintf("%s: this is no daemon of Perigee, or one of another version: its answer "
			 "is not understood",
			 a->call->path);
}

static json_t *last_line(struct answer *a, char **error)
{
	for (;;) {
		int failure = 0;
		char *line = next_line(a, &failure);
		json_t *object, *progress;

		if (line == NULL) {
			*error = why_no_line(a, failure);
			return NULL;
		}
		object = json_loads(line, 0, NULL);
		if (json_object_get(object, "result") != NULL ||
		    json_is_string(json_object_get(object, "error")))
			return object;
		progress = json_object_get(object, "progress");
		if (!json_is_string(progress)) {
			json_decref(object);
			*error = not_ours(a);
			return NULL;
		}
		if (a->call->listener != NULL)
			a->call->listener(a->call->arg, json_string_value(progress));
		json_decref(object);
	}
}

json_t *control_call(const struct control_call *call, char **error)
{
	struct answer a = {.call = call, .until = mono_add(clock_mono(), call->patience)};
	json_t *last = NULL;
	int failure;

	if (strlen(call->command) + 1 > CONTROL_LINE_MAX || strchr(call->command, '\n') != NULL) {
		*error = xasprintf("a command is one line of less than %d bytes", CONTROL_LINE_MAX);
		return NULL;
	}
	a.fd = sock_connect_unix(call->path);
	if (a.fd < 0) {
		*error = xasprintf(
		    "cannot connect to %s: %s%s", call->path, strerror(-a.fd),
		    a.fd == -ENOENT || a.fd == -ECONNREFUSED ? ": is the daemon running?" : "");
		return NULL;
	}
	make_room(&a);
	failure = send_command(&a);
	if (failure < 0)
		*error = why_no_line(&a, failure);
	else
		last = last_line(&a, error);
	close(a.fd);
	free(a.text);
	return last;
}
