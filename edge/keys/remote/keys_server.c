/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See keys_server.h. A connection is taken out of the idle ones by whoever asks, last used first,
 * and put back after the answer. One that has died meanwhile says nothing about the server, which
 * may have been started anew: the next one is taken, and then a fresh one.
 */
#define LOG_MODULE LOG_TLS
#include "edge/keys/remote/keys_server.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/thread.h"
#include "core/net/sock.h"
#include "edge/keys/remote/wire.h"

/* For one server, from the connection to the answer: half of what a handshake waits at most, so
 * that there is time for another one. Six round trips of 300 ms, which is once around the earth. */
#define ASK DUR_MS(2000)
/* One that is down is tried again after that. */
#define RETRY DUR_MS(1000)
/* One that is up is asked whether it still is. */
#define PING DUR_S(10)
/* So many connections are kept, others are closed when nobody has used them for so long. */
#define WARM_MIN 4
#define IDLE DUR_S(60)
/* A server that was just started anew, or has read its configuration again, ends what it has. */
#define FRESH_TRIES 2
#define ADDRESSES_MAX 8

TAILQ_HEAD(connection_list, connection);

struct connection {
	TAILQ_ENTRY(connection) link;
	struct wire wire;
	gnutls_certificate_credentials_t credentials;
	const char *host;
	char *refusal; /* why its certificate was not taken */
	mono_time used;
};

struct keys_server {
	/* Immutable. */
	const char *name;
	char *host, *port;
	struct wire_files files;
	void (*changed)(void);
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	enum keys_server_state state;
	char *fault; /* the last; NULL: there was none */
	mono_time failed;
	mono_time answered; /* anybody, the last time */
	struct net_addr addrs[ADDRESSES_MAX];
	unsigned n_addrs;
	struct connection_list idle;
	unsigned n_idle;
};

/* What is asked of it. */
struct call {
	enum signer_verb verb;
	const void *request;
	size_t n;
	void *response;
	size_t size; /* of the response; 0: there is none */
	mono_time deadline;
};

/* Connections */

static void end_connection(struct connection **cp)
{
	struct connection *c = TAKE(cp);

	if (c->wire.fd >= 0)
		wire_end(&c->wire);
	if (c->credentials != NULL)
		gnutls_certificate_free_credentials(c->credentials);
	free(c->refusal);
	free(c);
}

static int verify(struct wire *wire)
{
	struct connection *c = CONTAINER_OF(wire, struct connection, wire);
	gnutls_alert_description_t alert;

	c->refusal = wire_verify(wire->session, GNUTLS_KP_TLS_WWW_SERVER, c->host, &alert);
	if (c->refusal == NULL)
		return 0;
	gnutls_alert_send(wire->session, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* 0 or a negative errno. */
static int await_connected(int fd, mono_time deadline)
{
	struct pollfd pollfd = {fd, POLLOUT, 0};
	int64_t left_ms;
	int n;

	do {
		left_ms = MAX(dur_to_ms(mono_since(deadline, clock_mono())), 0);
		n = poll(&pollfd, 1, (int)left_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : sock_error(fd);
}

/* A descriptor, or a negative errno. */
static int dial(const struct net_addr *addr, mono_time deadline)
{
	int fd = sock_connect_tcp(addr), error;

	if (fd < 0)
		return fd;
	error = await_connected(fd, deadline);
	if (error < 0) {
		close(fd);
		return error;
	}
	/* An idle one that a middlebox has forgotten is found out before it is used. */
	sock_set_keepalive(fd, DUR_S(30), DUR_S(10), 3);
	return fd;
}

/* Each address gets its share of the time. */
static int dial_any(struct keys_server *server, mono_time deadline)
{
	struct net_addr addrs[ADDRESSES_MAX];
	int fd = -EHOSTUNREACH;
	unsigned n;

	pthread_mutex_lock(&server->lock);
	n = server->n_addrs;
	memcpy(addrs, server->addrs, n * sizeof(*addrs));
	pthread_mutex_unlock(&server->lock);
	for (unsigned i = 0; i < n && fd < 0; i++) {
		mono_time now = clock_mono();
		duration share = {mono_since(deadline, now).ns / (n - i)};

		fd = dial(&addrs[i], mono_add(now, share));
	}
	return fd;
}

static char *fault_of(struct connection *c, int error)
{
	if (c->refusal != NULL)
		return xasprintf("its certificate: %s", c->refusal);
	return xstrdup(wire_fault(&c->wire, error));
}

/* NULL, with why in *fault. */
static struct connection *begin_connection(struct keys_server *server, mono_time deadline,
					   char **fault)
{
	struct connection *c = xcalloc(1, sizeof(*c));
	int fd, ret;

	c->wire.fd = -1;
	c->host = server->host;
	/* Anew for each: so a certificate that was renewed is shown from then on. */
	c->credentials = wire_credentials_load(&server->files, fault);
	if (c->credentials == NULL) {
		end_connection(&c);
		return NULL;
	}
	fd = dial_any(server, deadline);
	if (fd < 0) {
		*fault = xstrdup(strerrordesc_np(-fd));
		end_connection(&c);
		return NULL;
	}
	ret = wire_begin(&c->wire, fd, GNUTLS_CLIENT, c->credentials, verify);
	if (ret == 0)
		ret = wire_shake_hands(&c->wire, deadline);
	if (ret < 0) {
		*fault = fault_of(c, ret);
		end_connection(&c);
	}
	return c;
}

static int exchange(struct connection *c, struct call *call)
{
	struct signer_response response;
	int ret = wire_send(&c->wire, call->request, call->n, call->deadline);
	size_t size;

	/* It takes a round trip: GnuTLS would look in vain first. */
	if (ret == 0)
		ret = wire_await(&c->wire, call->deadline);
	if (ret == 0)
		ret = wire_receive(&c->wire, call->response, &size, call->deadline);
	if (ret == 0 && !signer_response_parse(&response, call->verb, call->response, size))
		ret = GNUTLS_E_UNEXPECTED_PACKET;
	if (ret == 0)
		call->size = size;
	return ret;
}

/* Idle connections */

static struct connection *take_last_used(struct keys_server *server)
{
	struct connection *c;

	pthread_mutex_lock(&server->lock);
	c = TAILQ_FIRST(&server->idle);
	if (c != NULL) {
		TAILQ_REMOVE(&server->idle, c, link);
		server->n_idle--;
	}
	pthread_mutex_unlock(&server->lock);
	return c;
}

/* The one that has waited for longest, which is to be closed if nobody needs it any more. */
static struct connection *take_first_used(struct keys_server *server, bool *needless)
{
	struct connection *c;

	pthread_mutex_lock(&server->lock);
	c = TAILQ_LAST(&server->idle, connection_list);
	if (c != NULL) {
		*needless = server->n_idle > WARM_MIN &&
			    mono_reached(mono_add(c->used, IDLE), clock_mono());
		TAILQ_REMOVE(&server->idle, c, link);
		server->n_idle--;
	}
	pthread_mutex_unlock(&server->lock);
	return c;
}

/* It has answered by it. */
static void put_back(struct keys_server *server, struct connection **cp)
{
	struct connection *c = TAKE(cp);

	pthread_mutex_lock(&server->lock);
	server->answered = clock_mono();
	TAILQ_INSERT_HEAD(&server->idle, c, link);
	server->n_idle++;
	pthread_mutex_unlock(&server->lock);
}

/* Its state */

static void mark_up(struct keys_server *server)
{
	bool news;

	pthread_mutex_lock(&server->lock);
	news = server->state != KEYS_SERVER_UP;
	server->state = KEYS_SERVER_UP;
	pthread_mutex_unlock(&server->lock);
	if (!news)
		return;
	log_info("the server of keys %s answers", server->name);
	server->changed();
}

/* Consumes the text. */
static void mark_down(struct keys_server *server, char **fault)
{
	struct connection_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct connection *c;
	bool news;

	pthread_mutex_lock(&server->lock);
	news = server->state != KEYS_SERVER_DOWN;
	if (news)
		log_warn("the server of keys %s does not answer: %s", server->name, *fault);
	server->state = KEYS_SERVER_DOWN;
	server->failed = clock_mono();
	free(server->fault);
	server->fault = TAKE(fault);
	TAILQ_CONCAT(&gone, &server->idle, link);
	server->n_idle = 0;
	pthread_cond_signal(&server->wake);
	pthread_mutex_unlock(&server->lock);
	while ((c = TAILQ_FIRST(&gone)) != NULL) {
		TAILQ_REMOVE(&gone, c, link);
		end_connection(&c);
	}
	if (news)
		server->changed();
}

enum keys_server_state keys_server_state(struct keys_server *server)
{
	enum keys_server_state state;

	pthread_mutex_lock(&server->lock);
	state = server->state;
	pthread_mutex_unlock(&server->lock);
	return state;
}

char *keys_server_fault(struct keys_server *server)
{
	char *text;

	pthread_mutex_lock(&server->lock);
	text = xasprintf("%s: %s", server->name,
			 server->fault != NULL ? server->fault : "was not reached yet");
	pthread_mutex_unlock(&server->lock);
	return text;
}

/* Asking */

/* False: none has answered. One that does not in time is not to be waited for again: *fault. */
static bool ask_idle(struct keys_server *server, struct call *call, char **fault)
{
	struct connection *c;

	while (*fault == NULL && (c = take_last_used(server)) != NULL) {
		int ret = exchange(c, call);

		if (ret == 0) {
			c->used = clock_mono();
			put_back(server, &c);
			return true;
		}
		if (ret == GNUTLS_E_TIMEDOUT)
			*fault = fault_of(c, ret);
		end_connection(&c);
	}
	return false;
}

/* False, with why in *fault. */
static bool ask_fresh(struct keys_server *server, struct call *call, char **fault)
{
	struct connection *c;
	int ret = -1;

	for (unsigned tries = 0; tries < FRESH_TRIES; tries++) {
		free(TAKE(fault));
		c = begin_connection(server, call->deadline, fault);
		if (c == NULL)
			continue;
		ret = exchange(c, call);
		if (ret == 0) {
			c->used = clock_mono();
			put_back(server, &c);
			return true;
		}
		*fault = fault_of(c, ret);
		end_connection(&c);
	}
	return false;
}

/* Consumes the text. A server that did not have its time, because others were asked before it, or
 * that has answered somebody else meanwhile, is not down: a key may be on a slow token. */
static void ask_failed(struct keys_server *server, mono_time began, const struct call *call,
		       char **fault)
{
	bool had_time = mono_reached(mono_add(began, ASK), call->deadline) ||
			!mono_reached(call->deadline, clock_mono());
	bool is_down;

	pthread_mutex_lock(&server->lock);
	is_down = had_time && !mono_reached(began, server->answered);
	if (!is_down) {
		free(server->fault);
		server->fault = TAKE(fault);
	}
	pthread_mutex_unlock(&server->lock);
	if (is_down)
		mark_down(server, fault);
}

size_t keys_server_ask(struct keys_server *server, enum signer_verb verb, const void *request,
		       size_t n, void *out, mono_time deadline)
{
	mono_time began = clock_mono(), own = mono_add(began, ASK);
	struct call call = {.verb = verb,
			    .request = request,
			    .n = n,
			    .response = out,
			    .deadline = mono_reached(own, deadline) ? own : deadline};
	char *fault = NULL;

	if (ask_idle(server, &call, &fault))
		return call.size;
	if (fault == NULL && ask_fresh(server, &call, &fault))
		return call.size;
	ask_failed(server, began, &call, &fault);
	return 0;
}

/* Looking after it */

/* False, with why in *fault: it has no address. */
static bool resolve(struct keys_server *server, char **fault)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(server->host, server->port, &hints, &found);
	bool ok;

	pthread_mutex_lock(&server->lock);
	/* Those that were found before are better than none. */
	if (error == 0)
		server->n_addrs = 0;
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		if (a->ai_addrlen <= sizeof(*server->addrs) && server->n_addrs < ADDRESSES_MAX)
			memcpy(&server->addrs[server->n_addrs++], a->ai_addr, a->ai_addrlen);
	}
	ok = server->n_addrs > 0;
	pthread_mutex_unlock(&server->lock);
	if (found != NULL)
		freeaddrinfo(found);
	if (!ok)
		*fault = xasprintf("its name: %s", gai_strerror(error));
	return ok;
}

static bool answers(struct keys_server *server, char **fault)
{
	const struct signer_request ping = {.verb = SIGNER_PING};
	unsigned char request[SIGNER_MESSAGE_MAX], response[SIGNER_REMOTE_MAX];
	struct call call = {.verb = SIGNER_PING,
			    .request = request,
			    .n = signer_request_write(&ping, request),
			    .response = response,
			    .deadline = mono_add(clock_mono(), ASK)};
	struct connection *c;
	bool needless = false;

	while ((c = take_first_used(server, &needless)) != NULL) {
		if (!needless && exchange(c, &call) == 0) {
			put_back(server, &c); /* to the other end: so each has its turn */
			return true;
		}
		end_connection(&c);
		call.deadline = mono_add(clock_mono(), ASK);
	}
	return ask_fresh(server, &call, fault);
}

static bool has_address(struct keys_server *server)
{
	bool has;

	pthread_mutex_lock(&server->lock);
	has = server->n_addrs > 0;
	pthread_mutex_unlock(&server->lock);
	return has;
}

/* Its name is asked for when there is no address yet at which it answers, as that may take long:
 * who answers names may be away too. */
static void look(struct keys_server *server)
{
	bool known = has_address(server);
	char *fault = NULL;

	if ((known || resolve(server, &fault)) && answers(server, &fault)) {
		mark_up(server);
		return;
	}
	mark_down(server, &fault);
	/* For the next time: it may be elsewhere by now. */
	if (known && !resolve(server, &fault))
		free(fault);
}

static mono_time due_locked(const struct keys_server *server, mono_time looked)
{
	if (server->state == KEYS_SERVER_UP)
		return mono_add(looked, PING);
	return mono_add(server->failed, RETRY);
}

static void *look_after(void *arg)
{
	struct keys_server *server = arg;

	for (;;) {
		mono_time looked, due;

		look(server);
		looked = clock_mono();
		pthread_mutex_lock(&server->lock);
		while (due = due_locked(server, looked), !mono_reached(due, clock_mono())) {
			const struct timespec until = {due.ns / 1000000000, due.ns % 1000000000};

			pthread_cond_timedwait(&server->wake, &server->lock, &until);
		}
		pthread_mutex_unlock(&server->lock);
	}
	return NULL;
}

/* "host:port", "[address]:port". */
static bool split_name(struct keys_server *server)
{
	const char *colon = strrchr(server->name, ':');
	bool bracketed = server->name[0] == '[' && colon != NULL && colon[-1] == ']';

	if (colon == NULL || colon == server->name)
		return false;
	server->port = xstrdup(colon + 1);
	server->host = xasprintf("%.*s", (int)(colon - server->name) - (bracketed ? 2 : 0),
				 server->name + bracketed);
	return true;
}

struct keys_server *keys_server_create(const char *name, const struct wire_files *files,
				       void (*changed)(void))
{
	struct keys_server *server = xcalloc(1, sizeof(*server));
	pthread_condattr_t monotonic;
	pthread_t thread;

	server->name = name;
	server->files = *files;
	server->changed = changed;
	TAILQ_INIT(&server->idle);
	CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&monotonic) == 0);
	CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&server->wake, &monotonic) == 0);
	if (!split_name(server) || thread_start(&thread, "keys-server", look_after, server) != 0)
		return NULL;
	pthread_detach(thread);
	return server;
}
