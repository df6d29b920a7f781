/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-origin: a small HTTP origin for the tests and the demo, on libevent's evhttp. One thread.
 *
 * Every response says which connection carried it and how many requests that connection has seen
 * (Origin-Connection: 3; request=17), so that reuse can be observed from the far end.
 *
 *   /                 a line of text
 *   /bytes/N          N bytes of a repeating pattern, with Content-Length
 *   /chunked/N        the same, chunked
 *   /echo             the request's body, its type, and its length as Echo-Length
 *   /fields           the request line and fields as received, as text
 *   /status/N         an empty response with that status
 *   /delay/MS         a line of text after that many milliseconds
 *   /health           200, or 503 while told to be unwell: POST /health/down, POST /health/up
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "core/net/sock.h"

#define PATTERN_SIZE 65536
#define BODY_MAX (1024L * 1024 * 1024)

struct connection {
	TAILQ_ENTRY(connection) link;
	struct evhttp_connection *evcon;
	unsigned long id, requests;
};

static struct {
	struct event_base *base;
	TAILQ_HEAD(, connection) connections;
	TAILQ_HEAD(, delayed) delayed;
	unsigned long last_id;
	bool unwell;
	const char *name;
	char pattern[PATTERN_SIZE];
} origin;

struct delayed {
	TAILQ_ENTRY(delayed) link;
	struct evhttp_request *request;
	struct event *timer;
};

static void connection_closed(struct evhttp_connection *evcon, void *arg)
{
	struct connection *c = arg;

	TAILQ_REMOVE(&origin.connections, c, link);
	free(c);
}

static struct connection *connection_of(struct evhttp_request *request)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(request);
	struct connection *c;

	TAILQ_FOREACH (c, &origin.connections, link) {
		if (c->evcon == evcon)
			return c;
	}
	c = xcalloc(1, sizeof(*c));
	c->evcon = evcon;
	c->id = ++origin.last_id;
	TAILQ_INSERT_HEAD(&origin.connections, c, link);
	evhttp_connection_set_closecb(evcon, connection_closed, c);
	return c;
}

static void add_field(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void add_pattern(struct evbuffer *out, long size)
{
	for (long n; size > 0; size -= n) {
		n = MIN(size, PATTERN_SIZE);
		CHECK(evbuffer_add_reference(out, origin.pattern, n, NULL, NULL) == 0);
	}
}

/* The number after `prefix` in the path; false when the path is another one or the number is bad.
 */
static bool path_number(const char *path, const char *prefix, long max, long *number)
{
	size_t n = strlen(prefix);
	char *end;

	if (strncmp(path, prefix, n) != 0 || path[n] < '0' || path[n] > '9')
		return false;
	*number = strtol(path + n, &end, 10);
	return *end == '\0' && *number <= max;
}

static void reply_text(struct evhttp_request *request, int status, const char *text)
{
	struct evbuffer *out = evbuffer_new();

	evbuffer_add_printf(out, "%s\n", text);
	add_field(request, "Content-Type", "text/plain");
	evhttp_send_reply(request, status, NULL, out);
	evbuffer_free(out);
}

static void reply_bytes(struct evhttp_request *request, long size)
{
	struct evbuffer *out = evbuffer_new();

	add_pattern(out, size);
	add_field(request, "Content-Type", "application/octet-stream");
	evhttp_send_reply(request, 200, NULL, out);
	evbuffer_free(out);
}

static void reply_chunked(struct evhttp_request *request, long size)
{
	struct evbuffer *out = evbuffer_new();

	evhttp_send_reply_start(request, 200, NULL);
	for (long n; size > 0; size -= n) {
		n = MIN(size, PATTERN_SIZE);
		add_pattern(out, n);
		evhttp_send_reply_chunk(request, out);
	}
	evhttp_send_reply_end(request);
	evbuffer_free(out);
}

static void reply_echo(struct evhttp_request *request)
{
	struct evkeyvalq *in = evhttp_request_get_input_headers(request);
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	const char *type = evhttp_find_header(in, "Content-Type");
	char length[32];

	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	add_field(request, "Echo-Length", length);
	add_field(request, "Content-Type", type ? type : "application/octet-stream");
	evhttp_send_reply(request, 200, NULL, body);
}

static void reply_fields(struct evhttp_request *request)
{
	struct evbuffer *out = evbuffer_new();
	struct evkeyval *field;

	evbuffer_add_printf(out, "%s\n", evhttp_request_get_uri(request));
	TAILQ_FOREACH (field, evhttp_request_get_input_headers(request), next)
		evbuffer_add_printf(out, "%s: %s\n", field->key, field->value);
	add_field(request, "Content-Type", "text/plain");
	evhttp_send_reply(request, 200, NULL, out);
	evbuffer_free(out);
}

static void delayed_free(struct delayed *d)
{
	TAILQ_REMOVE(&origin.delayed, d, link);
	event_free(d->timer);
	free(d);
}

static void delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct delayed *d = arg;

	/* libevent frees the request, also when its connection is gone. */
	reply_text(d->request, 200, "late");
	delayed_free(d);
}

static void reply_delayed(struct evhttp_request *request, long ms)
{
	struct delayed *d = xcalloc(1, sizeof(*d));
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	d->request = request;
	TAILQ_INSERT_TAIL(&origin.delayed, d, link);
	d->timer = evtimer_new(origin.base, delay_over, d);
	evtimer_add(d->timer, &tv);
}

static void reply_health(struct evhttp_request *request, const char *path)
{
	if (evhttp_request_get_command(request) == EVHTTP_REQ_POST)
		origin.unwell = strcmp(path, "/health/down") == 0;
	reply_text(request, origin.unwell ? 503 : 200, origin.unwell ? "unwell" : "well");
}

static void handle(struct evhttp_request *request, void *arg)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	struct connection *c = connection_of(request);
	char text[128];
	long number;

	snprintf(text, sizeof(text), "%lu; request=%lu", c->id, ++c->requests);
	add_field(request, "Origin-Connection", text);
	add_field(request, "Origin-Name", origin.name);
	if (path_number(path, "/bytes/", BODY_MAX, &number))
		reply_bytes(request, number);
	else if (path_number(path, "/chunked/", BODY_MAX, &number))
		reply_chunked(request, number);
	else if (path_number(path, "/delay/", 60000, &number))
		reply_delayed(request, number);
	else if (path_number(path, "/status/", 599, &number) && number >= 200)
		evhttp_send_reply(request, (int)number, NULL, NULL);
	else if (strcmp(path, "/echo") == 0)
		reply_echo(request);
	else if (strcmp(path, "/fields") == 0)
		reply_fields(request);
	else if (strncmp(path, "/health", 7) == 0)
		reply_health(request, path);
	else if (strcmp(path, "/") == 0)
		reply_text(request, 200, "hello from the origin");
	else
		reply_text(request, 404, "not found");
}

static void stop(evutil_socket_t number, short what, void *arg)
{
	event_base_loopbreak(origin.base);
}

static void usage(FILE *out)
{
	fputs(
	    "usage: perigee-origin [--listen ADDRESS:PORT] [--name NAME]\n"
	    "A small HTTP origin for tests and demos. Default: 127.0.0.1:0, a free port, which is\n"
	    "printed as `listening on ADDRESS:PORT`.\n",
	    out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"listen", required_argument, NULL, 'l'},
	    {"name", required_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const char *listen = "127.0.0.1:0";
	char text[NET_ADDR_TEXT];
	struct evhttp *http;
	struct event *on_term, *on_int;
	struct net_addr addr;
	struct delayed *d;
	int c, fd;

	origin.name = "origin";
	while ((c = getopt_long(argc, argv, "l:n:h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			listen = optarg;
			break;
		case 'n':
			origin.name = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!net_addr_parse(listen, 80, &addr)) {
		fprintf(stderr, "perigee-origin: %s is not an address\n", listen);
		return 1;
	}
	fd = sock_listen_tcp(&addr, 1024);
	if (fd < 0) {
		fprintf(stderr, "perigee-origin: cannot listen on %s: %s\n", listen, strerror(-fd));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	TAILQ_INIT(&origin.connections);
	TAILQ_INIT(&origin.delayed);
	for (int i = 0; i < PATTERN_SIZE; i++)
		origin.pattern[i] = (char)('a' + i % 26);
	origin.base = event_base_new();
	CHECK(origin.base != NULL);
	http = evhttp_new(origin.base);
	CHECK(http != NULL && evhttp_accept_socket(http, fd) == 0);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
					     EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_PATCH |
					     EVHTTP_REQ_OPTIONS);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_gencb(http, handle, NULL);
	on_term = evsignal_new(origin.base, SIGTERM, stop, NULL);
	on_int = evsignal_new(origin.base, SIGINT, stop, NULL);
	event_add(on_term, NULL);
	event_add(on_int, NULL);

	CHECK(sock_local_addr(fd, &addr) == 0);
	printf("listening on %s\n", net_addr_format(&addr, text));
	fflush(stdout);
	event_base_dispatch(origin.base);

	event_free(on_term);
	event_free(on_int);
	while ((d = TAILQ_FIRST(&origin.delayed)) != NULL) {
		if (evhttp_request_get_connection(d->request) == NULL)
			evhttp_request_free(d->request);
		delayed_free(d);
	}
	evhttp_free(http);
	event_base_free(origin.base);
	return 0;
}
