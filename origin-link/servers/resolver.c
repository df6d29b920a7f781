/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * c-ares on the control loop: its sockets and its timer become events, and each watched name is
 * asked for again when its TTL has passed. Owns the channel, the events and the watches; what is
 * done with addresses is left to the server table.
 */
#include "origin-link/servers/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ares.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/sock.h"
#include "origin-link/conns/counters.h"

#define WATCH_MAGIC 0x57a7c401u

/* Under 1 s a broken zone would have us ask in a loop; over 5 min a moved origin would be missed
 * for too long. */
#define TTL_MIN DUR_S(1)
#define TTL_MAX DUR_S(300)
/* A TTL of 0 comes from /etc/hosts, or from a zone that forbids caching. */
#define TTL_NONE DUR_S(5)
#define RETRY_MIN DUR_S(1)
#define RETRY_MAX DUR_S(30)
/* One lost packet costs 2 s instead of c-ares' own 5 s. */
#define QUERY_TIMEOUT_MS 2000
#define QUERY_TRIES 3
/* Of one answer so many addresses are looked at. */
#define GATHER_MAX 64

struct resolver_socket {
	LIST_ENTRY(resolver_socket) link;
	struct resolver *resolver;
	ares_socket_t fd;
	struct event *ev;
};

struct resolver {
	struct loop *loop;
	struct metrics *metrics;
	ares_channel channel;
	struct event *timer; /* c-ares' own retries */
	LIST_HEAD(, resolver_socket) sockets;
	unsigned n_watches;
};

/* One question under way. c-ares cannot call back a single one, so it outlives its watch. */
struct question {
	struct resolver_watch *watch; /* NULL: nobody wants the answer any more */
};

struct resolver_watch {
	unsigned magic;
	struct resolver *resolver;
	char *host;
	uint16_t port;
	resolver_result *on_result;
	void *arg;
	struct event *timer; /* the next resolution; NULL for a literal */
	struct question *question;
	duration retry; /* zero: the last one succeeded */
};

static void rearm(struct resolver *r)
{
	struct timeval tv, *next = ares_timeout(r->channel, NULL, &tv);

	if (next)
		event_add(r->timer, next);
	else
		event_del(r->timer);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void socket_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_socket *s = arg;
	struct resolver *r = s->resolver;

	/* May close the socket, and so free `s`. */
	ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	rearm(r);
}

static void socket_state_cb(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct resolver_socket *s;
	short events = EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	LIST_FOREACH (s, &r->sockets, link) {
		if (s->fd == fd)
			break;
	}
	if (s) {
		event_free(s->ev);
		s->ev = NULL;
	}
	if (!readable && !writable) {
		if (s) {
			LIST_REMOVE(s, link);
			free(s);
		}
		return;
	}
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->resolver = r;
		s->fd = fd;
		LIST_INSERT_HEAD(&r->sockets, s, link);
	}
	s->ev = event_new(loop_base(r->loop), fd, events, socket_cb, s);
	CHECK(s->ev && event_add(s->ev, NULL) == 0);
}

struct resolver *resolver_create(struct loop *control, struct metrics *metrics, const char *servers,
				 char **error)
{
	struct resolver *r = xcalloc(1, sizeof(*r));
	struct ares_options options = {
	    .timeout = QUERY_TIMEOUT_MS,
	    .tries = QUERY_TRIES,
	    .sock_state_cb = socket_state_cb,
	    .sock_state_cb_data = r,
	};
	int rc;

	r->loop = control;
	r->metrics = metrics;
	LIST_INIT(&r->sockets);
	rc = ares_library_init(ARES_LIB_INIT_ALL);
	if (rc == ARES_SUCCESS) {
		rc =
		    ares_init_options(&r->channel, &options,
				      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
		if (rc != ARES_SUCCESS)
			ares_library_cleanup();
	}
	if (rc == ARES_SUCCESS && servers) {
		rc = ares_set_servers_ports_csv(r->channel, servers);
		if (rc != ARES_SUCCESS) {
			ares_destroy(r->channel);
			ares_library_cleanup();
		}
	}
	if (rc != ARES_SUCCESS) {
		*error = xasprintf("c-ares: %s", ares_strerror(rc));
		free(r);
		return NULL;
	}
	r->timer = evtimer_new(loop_base(control), timer_cb, r);
	CHECK(r->timer);
	return r;
}

void resolver_destroy(struct resolver **resolverp)
{
	struct resolver *r = TAKE(resolverp);

	if (!r)
		return;
	CHECK(r->n_watches == 0);
	ares_destroy(r->channel); /* answers the open questions and closes the sockets */
	CHECK(LIST_EMPTY(&r->sockets));
	event_free(r->timer);
	ares_library_cleanup();
	free(r);
}

static int addr_order(const void *a, const void *b)
{
	const struct net_addr *x = a, *y = b;

	if (x->sa.sa_family != y->sa.sa_family)
		return x->sa.sa_family < y->sa.sa_family ? -1 : 1;
	if (x->sa.sa_family == AF_INET)
		return memcmp(&x->in.sin_addr, &y->in.sin_addr, sizeof(x->in.sin_addr));
	return memcmp(&x->in6.sin6_addr, &y->in6.sin6_addr, sizeof(x->in6.sin6_addr));
}

/* False on a machine without that family, say: its addresses can only cost time. Sends nothing. */
static bool has_route(const struct net_addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (fd < 0)
		return sock_is_shortage(errno); /* then we cannot tell */
	found = connect(fd, &a->sa, net_addr_len(a)) == 0;
	close(fd);
	return found;
}

/* Sorts, drops duplicates (a hosts file may repeat itself), and those without a route unless that
 * is all of them. */
static unsigned tidy(struct net_addr *addrs, unsigned n)
{
	bool routed[GATHER_MAX];
	unsigned kept = 0, n_routed = 0, out = 0;

	qsort(addrs, n, sizeof(*addrs), addr_order);
	for (unsigned i = 0; i < n; i++) {
		if (kept > 0 && net_addr_equal(&addrs[kept - 1], &addrs[i]))
			continue;
		addrs[kept] = addrs[i];
		routed[kept] = has_route(&addrs[kept]);
		n_routed += routed[kept++];
	}
	if (n_routed == 0)
		return kept;
	for (unsigned i = 0; i < kept; i++) {
		if (routed[i])
			addrs[out++] = addrs[i];
	}
	return out;
}

/* Cut only after sorting: the same answer in another order is the same. */
static unsigned gather(const struct ares_addrinfo *result, uint16_t port,
		       struct net_addr out[RESOLVER_ADDRS_MAX], duration *ttl)
{
	struct net_addr all[GATHER_MAX];
	unsigned n = 0;
	int lowest = INT32_MAX;

	for (struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next) {
		struct net_addr a = {0};

		if (node->ai_family != AF_INET && node->ai_family != AF_INET6)
			continue;
		lowest = MIN(lowest, node->ai_ttl);
		if (n == GATHER_MAX)
			continue;
		memcpy(&a, node->ai_addr, MIN(sizeof(a), (size_t)node->ai_addrlen));
		net_addr_set_port(&a, port);
		all[n++] = a;
	}
	for (struct ares_addrinfo_cname *c = result->cnames; c; c = c->next)
		lowest = MIN(lowest, c->ttl);
	*ttl = lowest <= 0 ? TTL_NONE : DUR_S(lowest);
	ttl->ns = MIN(MAX(ttl->ns, TTL_MIN.ns), TTL_MAX.ns);

	n = MIN(tidy(all, n), RESOLVER_ADDRS_MAX);
	memcpy(out, all, n * sizeof(*out));
	return n;
}

/* c-ares does not say why it could neither read the hosts file nor ask a server. */
static bool is_short_of_descriptors(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return sock_is_shortage(errno);
	close(fd);
	return false;
}

/* Says nothing about the name: what is known stays known, and it is asked for again soon. */
static void ask_prevented(struct resolver_watch *w)
{
	struct timeval tv = dur_to_timeval(RETRY_MIN);

	LOG_LIMITED(LOG_LEVEL_WARN, "cannot ask for %s: out of file descriptors", w->host);
	metrics_add(w->resolver->metrics, w->resolver->loop, OLINK_RESOLVES_PREVENTED, 1);
	event_add(w->timer, &tv);
}

static void answer_cb(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct question *question = arg;
	struct resolver_watch *w = question->watch;
	struct net_addr addrs[RESOLVER_ADDRS_MAX];
	unsigned n = 0;
	duration again;

	free(question);
	if (!w) {
		if (result)
			ares_freeaddrinfo(result);
		return;
	}
	MAGIC_CHECK(w, WATCH_MAGIC);
	w->question = NULL;
	if (status == ARES_SUCCESS && result)
		n = gather(result, w->port, addrs, &again);
	if (result)
		ares_freeaddrinfo(result);
	if (n == 0 && is_short_of_descriptors()) {
		ask_prevented(w);
		return;
	}

	struct metrics *m = w->resolver->metrics;

	metrics_add(m, w->resolver->loop, OLINK_RESOLVES, 1);
	if (n == 0) {
		metrics_add(m, w->resolver->loop, OLINK_RESOLVE_FAILURES, 1);
		LOG_LIMITED(LOG_LEVEL_WARN, "cannot resolve %s: %s", w->host,
			    status == ARES_SUCCESS ? "no address" : ares_strerror(status));
		w->retry.ns = w->retry.ns ? MIN(w->retry.ns * 2, RETRY_MAX.ns) : RETRY_MIN.ns;
		again = w->retry;
	} else {
		w->retry = DUR_NS(0);
	}

	struct timeval tv = dur_to_timeval(again);

	event_add(w->timer, &tv);
	w->on_result(w->arg, addrs, n);
}

static void ask_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_watch *w = arg;
	struct resolver *r = w->resolver;
	/* Unsorted: every address is used in turn, and health says which ones can be reached. */
	struct ares_addrinfo_hints hints = {
	    .ai_flags = ARES_AI_NOSORT,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};

	MAGIC_CHECK(w, WATCH_MAGIC);
	if (is_short_of_descriptors()) {
		ask_prevented(w);
		return;
	}
	w->question = xcalloc(1, sizeof(*w->question));
	w->question->watch = w;
	/* May answer at once (hosts file). */
	ares_getaddrinfo(r->channel, w->host, NULL, &hints, answer_cb, w->question);
	rearm(r);
}

struct resolver_watch *resolver_watch_create(struct resolver *r, const char *host, uint16_t port,
					     resolver_result *on_result, void *arg)
{
	struct resolver_watch *w = xcalloc(1, sizeof(*w));
	struct net_addr literal;

	LOOP_ASSERT_OWNER(r->loop);
	w->magic = WATCH_MAGIC;
	w->resolver = r;
	w->host = xstrdup(host);
	w->port = port;
	w->on_result = on_result;
	w->arg = arg;
	r->n_watches++;
	if (net_addr_parse(host, port, &literal)) {
		net_addr_set_port(&literal, port);
		on_result(arg, &literal, 1);
	} else {
		w->timer = evtimer_new(loop_base(r->loop), ask_cb, w);
		CHECK(w->timer && event_add(w->timer, &(struct timeval){0}) == 0);
	}
	return w;
}

void resolver_watch_destroy(struct resolver_watch **watchp)
{
	struct resolver_watch *w = TAKE(watchp);

	if (!w)
		return;
	MAGIC_CHECK(w, WATCH_MAGIC);
	LOOP_ASSERT_OWNER(w->resolver->loop);
	w->magic = MAGIC_DEAD;
	if (w->question)
		w->question->watch = NULL;
	if (w->timer)
		event_free(w->timer);
	w->resolver->n_watches--;
	free(w->host);
	free(w);
}
