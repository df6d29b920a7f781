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
#include "core/process/pid_lock.h"

#define SERVER_MAGIC 0x43747256u
#define CLIENT_MAGIC 0x4374436cu

/* Operators and their scripts, not the world: the bounds only keep a mistake from hurting. */
#define LINE_BYTES 4096
#define WORDS_MAX 64
#define CLIENT_TIME DUR_S(5)
/* How often it is looked whether one has left that has shut down its writing side: of that nothing
 * else tells. */
#define LEFT_CHECK DUR_S(1)

/* An answer larger than this is not one of ours. */
#define ANSWER_BYTES (256u << 20)

struct client {
	unsigned magic;
	LIST_ENTRY(client) link;
	struct control_server *server;
	int fd;
	struct event *ev; /* reading the line, then writing the answer */
	struct deadline deadline;
	size_t line_n;
	char line[LINE_BYTES];
	struct control_request *request; /* to be answered later; else NULL */
	char *answer;                    /* malloc'd; NULL until there is one */
	size_t answer_n, sent;
};

struct control_request {
	struct client *client; /* NULL: it has left */
};

struct control_server {
	unsigned magic;
	struct loop *loop;
	char *path, *lock_path;
	struct stat bound; /* what was made at that path */
	int lock_fd;
	struct acceptor *acceptor; /* stopped while there are CONTROL_CLIENTS_MAX */
	control_handler *handler;
	void *arg;
	LIST_HEAD(, client) clients;
	unsigned n_clients;
	struct client *asking; /* its command is being handled; else NULL */
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
	if (client->request != NULL)
		client->request->client = NULL;
	deadline_fini(&client->deadline);
	event_free(client->ev);
	close(client->fd);
	free(client->answer);
	client->magic = MAGIC_DEAD;
	free(client);
}

/* It has closed altogether, and not only its writing side. */
static bool has_left(const struct client *client)
{
	struct pollfd p = {.fd = client->fd};

	return poll(&p, 1, 0) < 0 || (p.revents & POLLHUP) != 0;
}

static void deadline_cb(struct deadline *deadline)
{
	struct client *client = CONTAINER_OF(deadline, struct client, deadline);

	MAGIC_CHECK(client, CLIENT_MAGIC);
	if (client->request != NULL && !has_left(client))
		deadline_set(&client->deadline, LEFT_CHECK);
	else
		client_destroy(client); /* too slow */
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

/* Consumes `json`. */
static void answer_client(struct client *client, json_t *json)
{
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
	client->ev = event_new(loop_base(client->server->loop), client->fd, EV_WRITE | EV_PERSIST,
			       writable_cb, client);
	CHECK(client->ev != NULL && event_add(client->ev, NULL) == 0);
	deadline_set(&client->deadline, CLIENT_TIME);
	send_answer(client);
}

struct control_request *control_defer(struct control_server *server)
{
	struct client *client = server->asking;

	LOOP_ASSERT_OWNER(server->loop);
	CHECK(client != NULL && client->request == NULL);
	client->request = xmalloc(sizeof(*client->request));
	client->request->client = client;
	deadline_clear(&client->deadline);
	return client->request;
}

void control_answer(struct control_request **requestp, json_t *answer)
{
	struct control_request *request = TAKE(requestp);
	struct client *client = request->client;

	free(request);
	if (client == NULL) {
		json_decref(answer);
		return;
	}
	LOOP_ASSERT_OWNER(client->server->loop);
	client->request = NULL;
	answer_client(client, answer);
}

/* The line is complete, its newline replaced by NUL. NULL: the answer comes later. */
static json_t *handle(struct client *client)
{
	struct control_server *server = client->server;
	char *words[WORDS_MAX];
	int n = split(client->line, words);
	json_t *answer;

	if (n < 0)
		return control_error("more than %d words", WORDS_MAX);
	if (n == 0)
		return control_error("no command");
	server->asking = client;
	answer = server->handler(server->arg, n, words);
	server->asking = NULL;
	if (answer == NULL && client->request == NULL)
		return control_error("%s: no answer", words[0]);
	CHECK(answer == NULL || client->request == NULL);
	return answer;
}

/* Nothing more is expected of it; but who has closed altogether wants no answer. */
static void read_while_deferred(struct client *client)
{
	char ignored[256];
	ssize_t n = recv(client->fd, ignored, sizeof(ignored), 0);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n < 0 || has_left(client)) {
		client_destroy(client);
		return;
	}
	event_del(client->ev);
	deadline_set(&client->deadline, LEFT_CHECK);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	json_t *answer;
	char *end;
	ssize_t n;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	if (client->request != NULL) {
		read_while_deferred(client);
		return;
	}
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
		answer = handle(client);
		if (answer != NULL)
			answer_client(client, answer);
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
	deadline_init(&client->deadline, server->loop, deadline_cb);
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

static int listen_on(const char *path, char **error)
{
	int fd = sock_listen_unix(path);

	if (fd < 0)
		*error = xasprintf("cannot listen on %s: %s", path,
				   fd == -EADDRINUSE ? "another process listens there, or it is "
						       "not a socket"
						     : strerrordesc_np(-fd));
	return fd;
}

/* The lock first: whoever holds it may replace a socket that nobody listens on. A listening socket,
 * or < 0. */
static int take_path(struct control_server *server, const char *path, char **error)
{
	int fd;

	server->path = xstrdup(path);
	server->lock_path = xasprintf("%s.lock", path);
	make_folder_of(path);
	server->lock_fd = pid_lock_take(server->lock_path, error);
	if (server->lock_fd < 0)
		return -1;
	fd = listen_on(path, error);
	if (fd < 0)
		pid_lock_give(&server->lock_fd, server->lock_path);
	else if (lstat(path, &server->bound) < 0)
		server->bound = (struct stat){0}; /* it is gone already */
	return fd;
}

/* Somebody may have removed it, so that another process could bind its own. */
static bool is_still_bound(const struct control_server *server)
{
	struct stat named;

	return lstat(server->path, &named) == 0 && named.st_dev == server->bound.st_dev &&
	       named.st_ino == server->bound.st_ino;
}

static void server_free(struct control_server *server)
{
	free(server->path);
	free(server->lock_path);
	server->magic = MAGIC_DEAD;
	free(server);
}

struct control_server *control_server_create(struct loop *control, const char *path,
					     control_handler *handler, void *arg, char **error)
{
	struct control_server *server = xcalloc(1, sizeof(*server));
	char *what;
	int fd;

	LOOP_ASSERT_OWNER(control);
	server->magic = SERVER_MAGIC;
	fd = take_path(server, path, error);
	if (fd < 0) {
		server_free(server);
		return NULL;
	}
	server->loop = control;
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
	if (is_still_bound(server))
		unlink(server->path);
	acceptor_destroy(&server->acceptor);
	pid_lock_give(&server->lock_fd, server->lock_path);
	server_free(server);
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

json_t *control_call(const char *path, const char *line, duration limit, char **error)
{
	const mono_time until = mono_add(clock_mono(), limit);
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
