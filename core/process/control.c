/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server's end of the control socket. It belongs to the control loop and owns its clients,
 * which it bounds in number, length of command, unread progress and time. Lines are sent by the
 * loop, never from inside control_progress() or control_answer(): so whoever calls them finds the
 * request and its client as they were.
 */
#include "core/process/control.h"

#include <errno.h>
#include <malloc.h>
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
#include "core/base/printable.h"
#include "core/base/progress.h"
#include "core/loop/deadline.h"
#include "core/net/acceptor.h"
#include "core/net/sock.h"
#include "core/process/pid_lock.h"

#define SERVER_MAGIC 0x43747256u
#define CLIENT_MAGIC 0x4374436cu

/* Operators and their scripts, not the world: the bounds only keep a mistake from hurting. */
#define WORDS_MAX 64
#define CLIENT_TIME DUR_S(5)
/* A status of ten thousand servers is 5 MiB of text, and was 50 MiB of objects before, which the
 * allocator would keep. Giving them back takes some milliseconds. */
#define LARGE (1024 * 1024)
/* How often it is looked whether one has left that has shut down its writing side: of that nothing
 * else tells. */
#define LEFT_CHECK DUR_S(1)

enum client_state {
	CLIENT_ASKS,    /* its command is not whole yet: it has CLIENT_TIME for that */
	CLIENT_WAITS,   /* for the last line: `request` is there, and time does not matter */
	CLIENT_IS_TOLD, /* the last line is in `out`: it has CLIENT_TIME to take it */
};

struct client {
	unsigned magic;
	LIST_ENTRY(client) link;
	struct control_server *server;
	int fd;
	enum client_state state;
	struct event *readable; /* not any more when it has shut down its writing side */
	struct event *writable; /* pending while there is something in `out` */
	struct deadline deadline;
	size_t line_n;
	char line[CONTROL_LINE_MAX];
	struct control_request *request;
	char *out; /* lines, malloc'd */
	size_t out_n, sent;
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
};

json_t *control_text(const char *text)
{
	json_t *string = json_string(text);
	char *shown;

	if (string != NULL)
		return string;
	shown = printable(text);
	string = json_string(shown);
	free(shown);
	return string;
}

json_t *control_error(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_pack("{s:o}", "error", control_text(text));
}

static void client_destroy(struct client *client)
{
	struct control_server *server = client->server;
	bool was_large = client->out_n >= LARGE;

	LIST_REMOVE(client, link);
	if (server->n_clients-- == CONTROL_CLIENTS_MAX)
		acceptor_start(server->acceptor);
	if (client->request != NULL)
		client->request->client = NULL;
	deadline_fini(&client->deadline);
	event_free(client->readable);
	event_free(client->writable);
	close(client->fd);
	free(client->out);
	client->magic = MAGIC_DEAD;
	free(client);
	if (was_large)
		malloc_trim(0);
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
	if (client->state == CLIENT_WAITS && !has_left(client))
		deadline_set(&client->deadline, LEFT_CHECK);
	else
		client_destroy(client); /* too slow, or gone */
}

/* Lines to the client */

/* As many as it takes now. False: it takes none any more. */
static bool send_lines(struct client *client)
{
	while (client->sent < client->out_n) {
		ssize_t n = send(client->fd, client->out + client->sent,
				 client->out_n - client->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		client->sent += (size_t)MAX(n, 0);
	}
	return true;
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	bool listens;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	listens = send_lines(client);
	if (listens && client->sent < client->out_n) {
		CHECK(event_add(client->writable, NULL) == 0);
		return;
	}
	if (!listens || client->state == CLIENT_IS_TOLD) {
		client_destroy(client);
		return;
	}
	free(client->out);
	client->out = NULL;
	client->out_n = client->sent = 0;
}

/* Consumes `object`. False: there is no memory for it. */
static bool add_line(struct client *client, json_t *object)
{
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL, *longer = NULL;
	size_t n = text != NULL ? strlen(text) : 0, unread = client->out_n - client->sent;

	json_decref(object);
	if (text != NULL)
		longer = malloc(unread + n + 1);
	if (longer == NULL) {
		free(text);
		return false;
	}
	if (unread > 0)
		memcpy(longer, client->out + client->sent, unread);
	memcpy(longer + unread, text, n);
	longer[unread + n] = '\n';
	free(text);
	free(client->out);
	client->out = longer;
	client->out_n = unread + n + 1;
	client->sent = 0;
	CHECK(event_add(client->writable, NULL) == 0);
	return true;
}

void control_progress(struct control_request *request, const char *fmt, ...)
{
	struct client *client = request->client;
	char text[PROGRESS_TEXT];
	va_list ap;

	if (client == NULL || client->out_n - client->sent > CONTROL_UNREAD_MAX)
		return;
	LOOP_ASSERT_OWNER(client->server->loop);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Without memory it goes without saying. */
	(void)add_line(client, json_pack("{s:o}", "progress", control_text(text)));
}

/* Consumes `answer`. */
static json_t *last_line(json_t *answer)
{
	if (answer == NULL)
		return control_error("no answer: there is no memory, or it is not UTF-8");
	if (json_is_string(json_object_get(answer, "error")))
		return answer;
	return json_pack("{s:o}", "result", answer);
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
	client->state = CLIENT_IS_TOLD;
	event_del(client->readable);
	deadline_set(&client->deadline, CLIENT_TIME);
	if (!add_line(client, last_line(answer)))
		event_active(client->writable, EV_WRITE, 0); /* then it ends without */
}

/* Commands */

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

/* The line is complete, its newline replaced by NUL. */
static void run_command(struct client *client)
{
	struct control_request *request = xmalloc(sizeof(*request));
	char *words[WORDS_MAX];
	int n = split(client->line, words);

	request->client = client;
	client->request = request;
	client->state = CLIENT_WAITS;
	deadline_clear(&client->deadline);
	if (n < 0)
		control_answer(&request, control_error("more than %d words", WORDS_MAX));
	else if (n == 0)
		control_answer(&request, control_error("no command"));
	else
		client->server->handler(client->server->arg, request, n, words);
}

/* Nothing more is expected of it; but who has closed altogether need not be told anything. */
static void read_while_waiting(struct client *client)
{
	char ignored[256];
	ssize_t n = recv(client->fd, ignored, sizeof(ignored), 0);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n < 0 || has_left(client)) {
		client_destroy(client);
		return;
	}
	event_del(client->readable);
	deadline_set(&client->deadline, LEFT_CHECK);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	char *end;
	ssize_t n;

	MAGIC_CHECK(client, CLIENT_MAGIC);
	if (client->state == CLIENT_WAITS) {
		read_while_waiting(client);
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
		run_command(client);
	} else if (client->line_n == sizeof(client->line)) {
		client_destroy(client);
	}
}

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct control_server *server = arg;
	struct client *client = xcalloc(1, sizeof(*client));
	struct event_base *base = loop_base(server->loop);

	MAGIC_CHECK(server, SERVER_MAGIC);
	client->magic = CLIENT_MAGIC;
	client->server = server;
	client->fd = fd;
	client->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, client);
	client->writable = event_new(base, fd, EV_WRITE, writable_cb, client);
	CHECK(client->readable != NULL && client->writable != NULL &&
	      event_add(client->readable, NULL) == 0);
	deadline_init(&client->deadline, server->loop, deadline_cb);
	deadline_set(&client->deadline, CLIENT_TIME);
	LIST_INSERT_HEAD(&server->clients, client, link);
	if (++server->n_clients == CONTROL_CLIENTS_MAX)
		acceptor_stop(server->acceptor);
}

/* Life */

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
	struct client *client;

	if (server == NULL)
		return;
	MAGIC_CHECK(server, SERVER_MAGIC);
	LOOP_ASSERT_OWNER(server->loop);
	while ((client = LIST_FIRST(&server->clients)) != NULL) {
		send_lines(client);
		client_destroy(client);
	}
	/* First unlink: nobody shall find a socket that does not answer any more. */
	if (is_still_bound(server))
		unlink(server->path);
	acceptor_destroy(&server->acceptor);
	pid_lock_give(&server->lock_fd, server->lock_path);
	server_free(server);
}
