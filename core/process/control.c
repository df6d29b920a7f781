/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The control socket's two ends. The server belongs to the control loop and owns its clients, which
 * it bounds in number, line length and time. The client end blocks and is for perigeectl.
 */
#include "core/process/control.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/deadline.h"
#include "core/net/acceptor.h"
#include "core/net/sock.h"

#define SERVER_MAGIC 0x43747256u
#define CLIENT_MAGIC 0x4374436cu

/* Operators and their scripts, not the world: the bounds only keep a mistake from hurting. */
#define LINE_BYTES 4096
#define WORDS_MAX 64
#define CLIENT_TIME DUR_S(5)

/* An answer larger than this is not one of ours. */
#define ANSWER_BYTES (256u << 20)
#define CALL_TIME DUR_S(10)

struct client {
	unsigned magic;
	LIST_ENTRY(client) link;
	struct control_server *server;
	int fd;
	struct event *ev; /* reading the line, then writing the answer */
	struct deadline deadline;
	size_t line_n;
	char line[LINE_BYTES];
	char *answer; /* malloc'd; NULL while reading */
	size_t answer_n, sent;
};

struct control_server {
	unsigned magic;
	struct loop *loop;
	char *path;
	struct acceptor *acceptor; /* stopped while there are CONTROL_CLIENTS_MAX */
	control_handler *handler;
	void *arg;
	LIST_HEAD(, client) clients;
	unsigned n_clients;
};

json_t *control_error(const char *fmt, ...)
{
	char text[512];
	json_t *string;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	string = json_string(text);
	if (string == NULL) {
		/* It quotes what is not UTF-8, or was cut inside a character. */
		for (char *p = text; *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		string = json_string(text);
	}
	return json_pack("{s:o}", "error", string);
}

static void client_destroy(struct client *client)
{
	struct control_server *server = client->server;

	LIST_REMOVE(client, link);
	if (server->n_clients-- == CONTROL_CLIENTS_MAX)
		acceptor_start(server->acceptor);
	deadline_fini(&client->deadline);
	event_free(client->ev);
	close(client->fd);
	free(client->answer);
	client->magic = MAGIC_DEAD;
	free(client);
}

static void client_too_slow(struct deadline *deadline)
{
	client_destroy(CONTAINER_OF(deadline, struct client, deadline));
}

/* Ends the client when all is sent, or cannot be. */
static void send_answer(struct client *client)
{
	while (client->sent < client->answer_n) {
		ssize_t n = send(client->fd, client->answer + client->sent,
				 client->answer_n - client->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			break;
		client->sent += (size_t)MAX(n, 0);
	}
	client_destroy(client);
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	send_answer(client);
}

/* Splits in place at blanks. Returns how many words there are, or -1 when too many. */
static int split(char *line, char *words[WORDS_MAX])
{
	int n = 0;
	char *save, *word = strtok_r(line, " \t\r", &save);

	for (; word != NULL; word = strtok_r(NULL, " \t\r", &save)) {
		if (n == WORDS_MAX)
			return -1;
		words[n++] = word;
	}
	return n;
}

static json_t *handle(struct control_server *server, char *line)
{
	char *words[WORDS_MAX];
	int n = split(line, words);
	json_t *answer;

	if (n < 0)
		return control_error("more than %d words", WORDS_MAX);
	if (n == 0)
		return control_error("no command");
	answer = server->handler(server->arg, n, words);
	return answer != NULL ? answer : control_error("%s: no answer", words[0]);
}

/* The line is complete, its newline replaced by NUL. */
static void answer_line(struct client *client)
{
	struct control_server *server = client->server;
	json_t *json = handle(server, client->line);
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);

	json_decref(json);
	if (text == NULL) {
		client_destroy(client); /* memory */
		return;
	}
	client->answer_n = strlen(text);
	client->answer = text;
	text[client->answer_n++] = '\n'; /* in the place of the NUL */

	event_free(client->ev);
	client->ev = event_new(loop_base(server->loop), client->fd, EV_WRITE | EV_PERSIST,
			       writable_cb, client);
	CHECK(client->ev != NULL && event_add(client->ev, NULL) == 0);
	send_answer(client);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	char *end;
	ssize_t n;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	n = recv(fd, client->line + client->line_n, sizeof(client->line) - client->line_n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_destroy(client);
		return;
	}
	end = memchr(client->line + client->line_n, '\n', (size_t)n);
	client->line_n += (size_t)n;
	if (end != NULL) {
		*end = '\0';
		answer_line(client);
	} else if (client->line_n == sizeof(client->line)) {
		client_destroy(client);
	}
}

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct control_server *server = arg;
	struct client *client = xcalloc(1, sizeof(*client));

	MAGIC_CHECK(server, SERVER_MAGIC);
	client->magic = CLIENT_MAGIC;
	client->server = server;
	client->fd = fd;
	client->ev =
	    event_new(loop_base(server->loop), fd, EV_READ | EV_PERSIST, readable_cb, client);
	CHECK(client->ev != NULL && event_add(client->ev, NULL) == 0);
	deadline_init(&client->deadline, server->loop, client_too_slow);
	deadline_set(&client->deadline, CLIENT_TIME);
	LIST_INSERT_HEAD(&server->clients, client, link);
	if (++server->n_clients == CONTROL_CLIENTS_MAX)
		acceptor_stop(server->acceptor);
}

/* /run/perigee, say, is not there after a boot. What goes wrong shows when the socket is bound. */
static void make_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder;

	if (slash == NULL || slash == path)
		return;
	folder = xasprintf("%.*s", (int)(slash - path), path);
	mkdir(folder, 0755);
	free(folder);
}

struct control_server *control_server_create(struct loop *control, const char *path,
					     control_handler *handler, void *arg, char **error)
{
	struct control_server *server;
	char *what;
	int fd;

	LOOP_ASSERT_OWNER(control);
	make_folder_of(path);
	fd = sock_listen_unix(path);
	if (fd < 0) {
		*error = xasprintf("cannot listen on control socket %s: %s", path,
				   fd == -EADDRINUSE ? "another process listens there, or it is "
						       "not a socket"
						     : strerror(-fd));
		return NULL;
	}
	server = xcalloc(1, sizeof(*server));
	server->magic = SERVER_MAGIC;
	server->loop = control;
	server->path = xstrdup(path);
	server->handler = handler;
	server->arg = arg;
	LIST_INIT(&server->clients);
	what = xasprintf("connections to the control socket %s", path);
	server->acceptor = acceptor_create(control, fd, what, accepted, server);
	free(what);
	acceptor_start(server->acceptor);
	return server;
}

void control_server_destroy(struct control_server **serverp)
{
	struct control_server *server = TAKE(serverp);

	if (server == NULL)
		return;
	MAGIC_CHECK(server, SERVER_MAGIC);
	LOOP_ASSERT_OWNER(server->loop);
	while (!LIST_EMPTY(&server->clients))
		client_destroy(LIST_FIRST(&server->clients));
	/* First unlink: nobody shall find a socket that does not answer any more. */
	unlink(server->path);
	acceptor_destroy(&server->acceptor);
	free(server->path);
	server->magic = MAGIC_DEAD;
	free(server);
}

static int wait_for(int fd, short events, mono_time until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = dur_to_ms(mono_since(until, clock_mono()));
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n == 0)
		return -ETIMEDOUT;
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int send_all(int fd, const char *p, size_t n, mono_time until)
{
	while (n > 0) {
		ssize_t sent;
		int error = wait_for(fd, POLLOUT, until);

		if (error < 0)
			return error;
		sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		p += MAX(sent, 0);
		n -= (size_t)MAX(sent, 0);
	}
	return 0;
}

/* Until the other side closes. *text is malloc'd whatever is returned. */
static int receive_all(int fd, char **text, size_t *text_n, mono_time until)
{
	size_t cap = 64 * 1024, n = 0;
	char *p = xmalloc(cap);
	int error = 0;

	for (;;) {
		ssize_t got;

		error = n == ANSWER_BYTES ? -EMSGSIZE : wait_for(fd, POLLIN, until);
		if (error < 0)
			break;
		if (n == cap)
			p = xreallocarray(p, cap *= 2, 1);
		got = recv(fd, p + n, cap - n, MSG_DONTWAIT);
		if (got == 0)
			break;
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			error = -errno;
			break;
		}
		n += (size_t)MAX(got, 0);
	}
	*text = p;
	*text_n = n;
	return error;
}

json_t *control_call(const char *path, const char *line, char **error)
{
	const mono_time until = mono_add(clock_mono(), CALL_TIME);
	json_error_t json_error;
	json_t *answer = NULL;
	char *text = NULL;
	size_t n = 0;
	int fd, result;

	if (strlen(line) + 1 > LINE_BYTES || strchr(line, '\n') != NULL) {
		*error = xasprintf("not one line of at most %d bytes", LINE_BYTES - 1);
		return NULL;
	}
	fd = sock_connect_unix(path);
	if (fd < 0) {
		*error = xasprintf("cannot connect to %s: %s", path, strerror(-fd));
		return NULL;
	}
	result = send_all(fd, line, strlen(line), until);
	if (result == 0)
		result = send_all(fd, "\n", 1, until);
	if (result == 0)
		result = receive_all(fd, &text, &n, until);
	close(fd);
	if (result < 0) {
		*error = xasprintf("%s: %s", path, strerror(-result));
	} else if (n == 0) {
		*error = xasprintf("%s: closed without an answer", path);
	} else {
		answer = json_loadb(text, n, JSON_DECODE_ANY, &json_error);
		if (answer == NULL)
			*error = xasprintf("%s: not JSON: %s", path, json_error.text);
	}
	free(text);
	return answer;
}
