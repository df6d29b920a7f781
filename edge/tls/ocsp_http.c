/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Address by address, until one is connected; then the request, and the response as it comes.
 */
#include "edge/tls/ocsp_http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/http/h1.h"

/* For everything but the name. */
#define TIME DUR_S(10)
/* One with the certificates of its signer has 2 KiB; a head of a few more. */
#define ANSWER_MAX (64 * 1024)
#define HEAD_MAX (16 * 1024)
#define FIELDS_MAX 100
#define ARENA_MAX (128 * 1024)

struct exchange {
	int fd, stop;
	mono_time by;
	char host[256], port[8];
	const char *path;
	/* Of the response. */
	struct arena arena;
	struct http_head head;
	struct h1_head_parser parser;
	struct h1_body body;
	bool in_body;
	char *content;
	size_t n;
};

static const struct h1_limits limits = {HEAD_MAX, FIELDS_MAX, HEAD_MAX};

/* http://host[:port][/path]; nothing else is in use. */
static bool read_url(struct exchange *e, const char *url)
{
	static const char scheme[] = "http://";
	const char *host = url + strlen(scheme), *end, *colon;

	if (strncasecmp(url, scheme, strlen(scheme)) != 0)
		return false;
	end = host + strcspn(host, "/?#");
	colon = memchr(host, ':', (size_t)(end - host));
	e->path = *end == '/' ? end : "/";
	strcpy(e->port, "80");
	if (colon != NULL && (size_t)(end - colon - 1) < sizeof(e->port) && end > colon + 1) {
		memcpy(e->port, colon + 1, (size_t)(end - colon - 1));
		e->port[end - colon - 1] = '\0';
		end = colon;
	}
	if (end == host || (size_t)(end - host) >= sizeof(e->host) || strpbrk(url, " \r\n\t"))
		return false;
	memcpy(e->host, host, (size_t)(end - host));
	e->host[end - host] = '\0';
	return true;
}

/* False when the time is over, or it is to stop. */
static bool wait_until(const struct exchange *e, short events)
{
	struct pollfd fds[] = {{.fd = e->fd, .events = events}, {.fd = e->stop, .events = POLLIN}};
	int64_t left;
	int n;

	do {
		left = dur_to_ms(mono_since(e->by, clock_mono()));
		n = left > 0 ? poll(fds, 2, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0 && fds[1].revents == 0;
}

static bool connect_to(struct exchange *e, const struct addrinfo *a)
{
	int error = 0;
	socklen_t size = sizeof(error);

	e->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return false;
	if (connect(e->fd, a->ai_addr, a->ai_addrlen) == 0)
		return true;
	if (errno == EINPROGRESS && wait_until(e, POLLOUT) &&
	    getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
		return true;
	close(e->fd);
	e->fd = -1;
	return false;
}

static bool connect_to_any(struct exchange *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	bool connected = false;
	mono_time end;

	if (getaddrinfo(e->host, e->port, &hints, &list) != 0)
		return false;
	end = mono_add(clock_mono(), TIME);
	for (const struct addrinfo *a = list; a != NULL && !connected; a = a->ai_next) {
		mono_time now = clock_mono();

		/* Half of what is left, so that one that is dead leaves the others some. */
		e->by =
		    a->ai_next != NULL ? mono_add(now, DUR_NS(mono_since(end, now).ns / 2)) : end;
		connected = connect_to(e, a);
	}
	e->by = end;
	freeaddrinfo(list);
	return connected;
}

static bool send_all(const struct exchange *e, const void *data, size_t n)
{
	const char *p = data;
	ssize_t sent;

	while (n > 0) {
		sent = send(e->fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && (errno != EAGAIN || !wait_until(e, POLLOUT)))
			return false;
		p += MAX(sent, 0);
		n -= (size_t)MAX(sent, 0);
	}
	return true;
}

static bool ask(const struct exchange *e, const gnutls_datum_t *question)
{
	char *head = xasprintf("POST %s HTTP/1.1\r\nHost: %s%s%s\r\n"
			       "Content-Type: application/ocsp-request\r\nContent-Length: %u\r\n"
			       "Accept: application/ocsp-response\r\nConnection: close\r\n\r\n",
			       e->path, e->host, strcmp(e->port, "80") != 0 ? ":" : "",
			       strcmp(e->port, "80") != 0 ? e->port : "", question->size);
	bool ok = send_all(e, head, strlen(head)) && send_all(e, question->data, question->size);

	free(head);
	return ok;
}

/* What has come, from the start of the buffer; what is left of it stays there. */
struct input {
	char bytes[HEAD_MAX + 4096]; /* the longest line, and more */
	size_t n;
	bool more; /* is to come */
};

/* What is wrong, or NULL. */
static const char *take_content(struct exchange *e, struct input *in, size_t *used)
{
	struct span data;
	size_t more;
	enum h1_result r = h1_body_decode(&e->body, in->bytes + *used, in->n - *used,
					  ANSWER_MAX - e->n, &more, &data);

	*used += more;

	if (r == H1_BAD)
		return "its response is malformed";
	if (data.n > 0)
		memcpy(e->content + e->n, data.p, data.n);
	e->n += data.n;
	in->more = r == H1_MORE;
	return in->more && e->n == ANSWER_MAX ? "its response is too large" : NULL;
}

static const char *take(struct exchange *e, struct input *in)
{
	const char *wrong = NULL;
	size_t used = 0;

	if (!e->in_body) {
		switch (h1_head_parse(&e->parser, &e->head, in->bytes, in->n, &used)) {
		case H1_BAD:
			return "its response is malformed";
		case H1_MORE:
			break;
		case H1_OK:
			if (e->head.status != 200)
				return "its response has another status than 200";
			e->in_body = true;
			h1_body_init(&e->body, &e->head, &limits);
		}
	}
	if (e->in_body)
		wrong = take_content(e, in, &used);
	memmove(in->bytes, in->bytes + used, in->n - used);
	in->n -= used;
	return wrong;
}

static const char *receive_some(struct exchange *e, struct input *in)
{
	ssize_t n = recv(e->fd, in->bytes + in->n, sizeof(in->bytes) - in->n, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return wait_until(e, POLLIN) ? NULL : "it does not answer in time";
	if (n > 0) {
		in->n += (size_t)n;
		return take(e, in);
	}
	if (n < 0 || !e->in_body || !h1_body_close_is_end(&e->body))
		return "it closes the connection";
	in->more = false;
	return NULL;
}

static const char *receive(struct exchange *e)
{
	struct input in = {.more = true};
	const char *wrong = NULL;

	while (wrong == NULL && in.more)
		wrong = receive_some(e, &in);
	return wrong;
}

char *ocsp_http_ask(const char *url, const gnutls_datum_t *question, int stop,
		    gnutls_datum_t *answer)
{
	struct exchange e = {.fd = -1, .stop = stop};
	const char *wrong;

	if (!read_url(&e, url))
		return xasprintf("%s is no URL by HTTP", url);
	if (!connect_to_any(&e))
		return xasprintf("%s cannot be reached", url);
	e.content = xmalloc(ANSWER_MAX);
	arena_init(&e.arena, ARENA_MAX);
	http_head_init(&e.head, &e.arena);
	h1_response_parser_init(&e.parser, &limits, false);
	wrong = ask(&e, question) ? receive(&e) : "it does not take the question";
	close(e.fd);
	arena_fini(&e.arena);
	if (wrong == NULL) {
		/* It is kept for days, for each certificate: no more of it than there is. */
		*answer =
		    (gnutls_datum_t){xreallocarray(e.content, MAX(e.n, 1U), 1), (unsigned)e.n};
		return NULL;
	}
	free(e.content);
	return xasprintf("%s: %s", url, wrong);
}
