/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * c-ares on the control loop: its sockets and its timer become events, and each watched name is
 * asked for again when its TTL has passed. Owns the channel, the events and the watches; which
 * addresses of an answer are used is gather.c's, what is done with them the server table's.
 *
 * A channel reads resolv.conf once, when it is opened. So the file is looked at every second (a
 * look costs two calls of stat(2), and sees a file that is renamed into place, a symbolic link that
 * is turned to another one, and a mount, all alike), and when it is another one a new channel takes
 * the place of the old. Reading it holds up the control loop for as long as reading a small local
 * file takes; what would hold it up for longer, as a pipe does, is not opened. c-ares 1.34 has
 * ares_reinit() and a thread that watches the file; this does for 1.18 too.
 */
#define LOG_MODULE LOG_RESOLVER
#include "origin-link/servers/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ares.h>

#include "config/units.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/sock.h"
#include "origin-link/conns/counters.h"

#define RESOLVER_MAGIC 0x52736c76u
#define WATCH_MAGIC 0x57a7c401u

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS "/etc/hosts" /* c-ares reads it for every question */

#define RETRY_MIN DUR_S(1)
#define RETRY_MAX DUR_S(30)
/* One lost packet costs 2 s instead of c-ares' own 5 s. */
#define QUERY_TIMEOUT_MS 2000
#define QUERY_TRIES 3
/* How often a channel that name servers do not answer is given up for a new one, whose sockets have
 * the addresses that the machine has now. More than any question takes: three servers are asked
 * three times each, in 2, 4 and 8 s. */
#define DOUBT_INTERVAL DUR_S(60)

static const struct timeval look_interval = {.tv_sec = 1};

struct resolver_socket {
	LIST_ENTRY(resolver_socket) link;
	struct resolver *resolver;
	ares_socket_t fd;
	struct event *ev;
};

/* A file as it was at a look. */
struct sight {
	bool there;
	struct stat st;
};

struct sights {
	struct sight resolv_conf, hosts;
};

struct resolver {
	unsigned magic;
	struct loop *loop;
	struct metrics *metrics;
	struct resolver_sources sources;
	ares_channel channel; /* NULL: none could be opened yet */
	const char *error;    /* why the last one could not be opened, which is tried again at each
				 look; NULL: it could */
	struct sights read;   /* what `channel` has read, or could not be opened for */
	mono_time opened;
	bool start_over;     /* was asked for */
	bool doubtful;       /* a name server has not answered, several times in a row */
	struct event *timer; /* c-ares' own retries */
	struct event *look;
	LIST_HEAD(, resolver_socket) sockets;
	LIST_HEAD(, resolver_watch) watches;
};

/* One question under way. c-ares cannot take back a single one, so it outlives its watch. */
struct question {
	struct resolver_watch *watch; /* NULL: nobody wants the answer any more */
};

struct resolver_watch {
	unsigned magic;
	LIST_ENTRY(resolver_watch) link;
	struct resolver *resolver;
	char *host;
	uint16_t port;
	struct cfg_resolve terms;
	resolver_result *on_result;
	resolver_services *on_services; /* not NULL: it is SRV records that are wanted */
	void *arg;
	struct event *timer; /* the next resolution; NULL for a literal */
	struct question *question;
	duration retry; /* zero: the last one succeeded */
	enum resolver_end last;
	mono_time since; /* see struct resolver_facts */
	bool has;        /* addresses, `found` then and good until `good_until` and its keep */
	mono_time found, good_until;
};

const char *resolver_end_text(enum resolver_end end)
{
	static const char *const texts[] = {
	    [RESOLVER_PENDING] = "pending",       [RESOLVER_FOUND] = "found",
	    [RESOLVER_NO_SERVICE] = "no-service", [RESOLVER_NO_SUCH_NAME] = "no-such-name",
	    [RESOLVER_NO_ADDRESS] = "no-address", [RESOLVER_NO_ANSWER] = "no-answer",
	};

	CHECK((unsigned)end < ARRAY_SIZE(texts));
	return texts[end];
}

/* The channel's events */

static void rearm(struct resolver *r)
{
	struct timeval tv, *next = r->channel ? ares_timeout(r->channel, NULL, &tv) : NULL;

	if (next)
		event_add(r->timer, next);
	else
		event_del(r->timer);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	MAGIC_CHECK(r, RESOLVER_MAGIC);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void socket_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_socket *s = arg;
	struct resolver *r = s->resolver;

	MAGIC_CHECK(r, RESOLVER_MAGIC);
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

/* The files */

static struct sight look_at(const char *path)
{
	struct sight sight = {0};

	sight.there = stat(path, &sight.st) == 0;
	return sight;
}

static struct sights look(const struct resolver *r)
{
	const char *conf = r->sources.resolv_conf ? r->sources.resolv_conf : RESOLV_CONF;

	return (struct sights){.resolv_conf = look_at(conf), .hosts = look_at(HOSTS)};
}

static bool is_same(const struct sight *a, const struct sight *b)
{
	const struct stat *x = &a->st, *y = &b->st;

	if (!a->there || !b->there)
		return a->there == b->there;
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_mode == y->st_mode &&
	       x->st_size == y->st_size && x->st_ctim.tv_sec == y->st_ctim.tv_sec &&
	       x->st_ctim.tv_nsec == y->st_ctim.tv_nsec;
}

static bool have_changed(const struct sights *a, const struct sights *b)
{
	return !is_same(&a->resolv_conf, &b->resolv_conf) || !is_same(&a->hosts, &b->hosts);
}

/* None is as good as an empty one: c-ares then asks the name server of this machine. */
static bool can_be_read(const struct sight *sight)
{
	return !sight->there || S_ISREG(sight->st.st_mode);
}

/* The channel */

/* Returns what went wrong, in words that stay, or NULL. */
static const char *open_channel(struct resolver *r, ares_channel *channel)
{
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	char by_name_server_only[] = "b";
	struct ares_options options = {
	    .timeout = QUERY_TIMEOUT_MS,
	    .tries = QUERY_TRIES,
	    .sock_state_cb = socket_state_cb,
	    .sock_state_cb_data = r,
	    .udp_port = r->sources.port,
	    .tcp_port = r->sources.port,
	    .lookups = by_name_server_only,
	    .resolvconf_path = (char *)r->sources.resolv_conf,
	};
	int rc;

	if (!can_be_read(&r->read.resolv_conf))
		return "resolv.conf is not a file";
	if (!can_be_read(&r->read.hosts))
		mask |= ARES_OPT_LOOKUPS;
	if (r->sources.port)
		mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
	if (r->sources.resolv_conf)
		mask |= ARES_OPT_RESOLVCONF;
#ifdef ARES_OPT_QUERY_CACHE
	/* Answers are kept here, for their time and no longer: who asks, asks a name server. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	rc = ares_init_options(channel, &options, mask);
	return rc == ARES_SUCCESS ? NULL : ares_strerror(rc);
}

/* The one in use stays when no other can be opened: false. */
static bool renew_channel(struct resolver *r)
{
	ares_channel old = r->channel, new = NULL;
	const char *before = r->error;

	r->opened = loop_now(r->loop);
	r->doubtful = false;
	r->error = open_channel(r, &new);
	if (r->error) {
		if (r->error != before)
			log_warn("cannot read how names are looked up: %s", r->error);
		return false;
	}
	r->channel = new;
	if (old)
		ares_destroy(old); /* who has a question open asks it again: see answer_cb() */
	rearm(r);
	return true;
}

static void ask_after(struct resolver_watch *w, duration time)
{
	struct timeval tv = dur_to_timeval(time);

	CHECK(event_add(w->timer, &tv) == 0);
}

/* All that have no question open; those that have ask it again anyway. */
static void ask_all(struct resolver *r)
{
	struct resolver_watch *w;

	LIST_FOREACH (w, &r->watches, link) {
		w->retry = DUR_NS(0);
		if (w->timer && !w->question)
			ask_after(w, DUR_NS(0));
	}
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct sights now = look(r);
	bool changed = have_changed(&now, &r->read);
	bool all = changed || r->start_over || r->error;
	mono_time doubt = mono_add(r->opened, DOUBT_INTERVAL);

	MAGIC_CHECK(r, RESOLVER_MAGIC);
	if (!all && !(r->doubtful && mono_reached(doubt, loop_now(r->loop))))
		return;
	if (changed)
		log_info("resolv.conf or the hosts file has changed: names are looked up anew");
	r->start_over = false;
	r->read = now;
	if (renew_channel(r) && all)
		ask_all(r);
}

void resolver_start_over(struct resolver *r)
{
	LOOP_ASSERT_OWNER(r->loop);
	r->start_over = true;
	event_active(r->look, 0, 0);
}

struct resolver *resolver_create(struct loop *control, struct metrics *metrics,
				 const struct resolver_sources *sources)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	LOOP_ASSERT_OWNER(control);
	CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
	r->magic = RESOLVER_MAGIC;
	r->loop = control;
	r->metrics = metrics;
	if (sources)
		r->sources = *sources;
	LIST_INIT(&r->sockets);
	LIST_INIT(&r->watches);
	r->timer = evtimer_new(loop_base(control), timer_cb, r);
	r->look = event_new(loop_base(control), -1, EV_PERSIST, look_cb, r);
	CHECK(r->timer && r->look && event_add(r->look, &look_interval) == 0);
	r->read = look(r);
	renew_channel(r);
	return r;
}

void resolver_destroy(struct resolver **resolverp)
{
	struct resolver *r = TAKE(resolverp);

	if (!r)
		return;
	MAGIC_CHECK(r, RESOLVER_MAGIC);
	CHECK(LIST_EMPTY(&r->watches));
	if (r->channel)
		ares_destroy(r->channel); /* answers the open questions and closes the sockets */
	CHECK(LIST_EMPTY(&r->sockets));
	event_free(r->timer);
	event_free(r->look);
	ares_library_cleanup();
	r->magic = MAGIC_DEAD;
	free(r);
}

/* Questions */

static void ended(struct resolver_watch *w, enum resolver_end end)
{
	mono_time now = loop_now(w->resolver->loop);

	if (w->last == end)
		return;
	if (end == RESOLVER_FOUND && w->last != RESOLVER_PENDING)
		log_info("%s is resolved again, after %lld s: it was %s", w->host,
			 (long long)dur_to_ms(mono_since(now, w->since)) / 1000,
			 resolver_end_text(w->last));
	w->last = end;
	w->since = now;
}

/* No sooner than half of that: those who have lost the same name server do not come back to it at
 * the same moment. */
static duration with_jitter(duration time)
{
	int64_t half = time.ns / 2;

	return DUR_NS(half + half * (int64_t)arc4random_uniform(1001) / 1000);
}

/* What was found long ago may be anybody's by now. */
static bool expires(struct resolver_watch *w)
{
	struct resolver *r = w->resolver;
	char *keep;

	if (!w->has || !mono_reached(mono_add(w->good_until, w->terms.keep), loop_now(r->loop)))
		return false;
	w->has = false;
	keep = cfg_format_duration(w->terms.keep);
	log_warn("%s: its last addresses were kept for %s, and are not used any more", w->host,
		 keep);
	free(keep);
	metrics_add(r->metrics, r->loop, OLINK_RESOLVES_EXPIRED, 1);
	return true;
}

static void failed(struct resolver_watch *w, enum resolver_end end, const char *why)
{
	struct resolver *r = w->resolver;
	bool denied = end == RESOLVER_NO_SUCH_NAME || end == RESOLVER_NO_ADDRESS;

	metrics_add(r->metrics, r->loop, OLINK_RESOLVE_FAILURES, 1);
	if (denied)
		metrics_add(r->metrics, r->loop, OLINK_RESOLVES_DENIED, 1);
	LOG_LIMITED(LOG_LEVEL_WARN, "cannot resolve %s: %s (%s)%s", w->host, resolver_end_text(end),
		    why, w->has ? "; its last addresses are kept" : "");
	r->doubtful |= !denied && w->retry.ns != 0;
	w->retry.ns = w->retry.ns ? MIN(w->retry.ns * 2, RETRY_MAX.ns) : RETRY_MIN.ns;
	ended(w, end);
	ask_after(w, with_jitter(w->retry));
	if (w->on_services)
		w->on_services(w->arg, expires(w) ? NAME_EXPIRED : NAME_KEPT, NULL, 0);
	else
		w->on_result(w->arg, expires(w) ? NAME_EXPIRED : NAME_KEPT, NULL, 0);
}

/* What has been found may be used for so long. */
static void succeeded(struct resolver_watch *w, enum resolver_end end, duration ttl)
{
	w->retry = DUR_NS(0);
	w->has = end == RESOLVER_FOUND;
	w->found = loop_now(w->resolver->loop);
	w->good_until = mono_add(w->found, ttl);
	ended(w, end);
	ask_after(w, ttl);
}

static void answered(struct resolver_watch *w, const struct ares_addrinfo *result)
{
	struct net_addr addrs[RESOLVER_ADDRS_MAX];
	duration ttl;
	unsigned n = gather_addrs(result, w->port, &w->terms, addrs, &ttl);

	if (n == 0) {
		failed(w, RESOLVER_NO_ADDRESS, "none that can be used");
		return;
	}
	succeeded(w, RESOLVER_FOUND, ttl);
	w->on_result(w->arg, NAME_FOUND, addrs, n);
}

static void answered_services(struct resolver_watch *w, const unsigned char *wire, size_t len)
{
	struct srv_answer answer;

	if (!srv_answer_parse(wire, len, &answer))
		failed(w, RESOLVER_NO_ANSWER, "what came cannot be understood");
	else if (answer.n == 0 && !answer.no_service)
		failed(w, RESOLVER_NO_ADDRESS, "no record that can be used");
	else {
		succeeded(w, answer.n > 0 ? RESOLVER_FOUND : RESOLVER_NO_SERVICE,
			  gather_ttl(answer.ttl, &w->terms));
		w->on_services(w->arg, NAME_FOUND, answer.v, answer.n);
	}
}

/* c-ares 1.18 tells of a server that says SERVFAIL or REFUSED as of one that is not there. */
static enum resolver_end end_of(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return RESOLVER_NO_SUCH_NAME;
	case ARES_ENODATA:
		return RESOLVER_NO_ADDRESS;
	default:
		return RESOLVER_NO_ANSWER;
	}
}

/* c-ares does not say why it could neither read the hosts file nor ask a server; and with an answer
 * at hand, which of its addresses have a route takes a descriptor too. */
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
	LOG_LIMITED(LOG_LEVEL_WARN, "cannot ask for %s: out of file descriptors", w->host);
	metrics_add(w->resolver->metrics, w->resolver->loop, OLINK_RESOLVES_PREVENTED, 1);
	ask_after(w, RETRY_MIN);
}

/* The end of a question, whose watch is to be told of it; NULL: there is nobody, or nothing to
 * tell. */
static struct resolver_watch *conclude(struct question *question, int status)
{
	struct resolver_watch *w = question->watch;

	free(question);
	if (!w)
		return NULL;
	MAGIC_CHECK(w, WATCH_MAGIC);
	w->question = NULL;
	if (status == ARES_EDESTRUCTION) {
		/* Another channel has taken the place of the one that was asked. */
		ask_after(w, DUR_NS(0));
		return NULL;
	}
	if (is_short_of_descriptors()) {
		ask_prevented(w);
		return NULL;
	}
	metrics_add(w->resolver->metrics, w->resolver->loop, OLINK_RESOLVES, 1);
	return w;
}

static void addresses_cb(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct resolver_watch *w = conclude(arg, status);

	if (w && status == ARES_SUCCESS && result)
		answered(w, result);
	else if (w)
		failed(w, end_of(status), ares_strerror(status));
	if (result)
		ares_freeaddrinfo(result);
}

static void services_come(struct question *question, int status, const unsigned char *wire,
			  size_t len)
{
	struct resolver_watch *w = conclude(question, status);

	if (w && status == ARES_SUCCESS)
		answered_services(w, wire, len);
	else if (w)
		failed(w, end_of(status), ares_strerror(status));
}

/* Of the very name: search lists are for names of hosts. */
#if ARES_VERSION >= 0x011c00 /* ares_query() is deprecated */
static void services_cb(void *arg, ares_status_t status, size_t timeouts,
			const ares_dns_record_t *record)
{
	unsigned char *wire = NULL;
	size_t len = 0;

	if (status == ARES_SUCCESS)
		status = ares_dns_write(record, &wire, &len);
	services_come(arg, (int)status, wire, len);
	ares_free_string(wire);
}

static void ask_services(struct resolver_watch *w)
{
	/* What it returns it has told services_cb() too. */
	ares_query_dnsrec(w->resolver->channel, w->host, ARES_CLASS_IN, ARES_REC_TYPE_SRV,
			  services_cb, w->question, NULL);
}
#else
static void services_cb(void *arg, int status, int timeouts, unsigned char *wire, int len)
{
	services_come(arg, status, wire, wire ? (size_t)len : 0);
}

static void ask_services(struct resolver_watch *w)
{
	ares_query(w->resolver->channel, w->host, SRV_CLASS, SRV_TYPE, services_cb, w->question);
}
#endif

static void ask_addresses(struct resolver_watch *w)
{
	static const int families[] = {
	    [CFG_FAMILY_ANY] = AF_UNSPEC,
	    [CFG_FAMILY_IPV4] = AF_INET,
	    [CFG_FAMILY_IPV6] = AF_INET6,
	};
	/* Unsorted: every address is used in turn, and health says which ones can be reached. */
	struct ares_addrinfo_hints hints = {
	    .ai_flags = ARES_AI_NOSORT,
	    .ai_family = families[w->terms.family],
	    .ai_socktype = SOCK_STREAM,
	};

	ares_getaddrinfo(w->resolver->channel, w->host, NULL, &hints, addresses_cb, w->question);
}

static void ask_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_watch *w = arg;
	struct resolver *r = w->resolver;

	MAGIC_CHECK(w, WATCH_MAGIC);
	if (is_short_of_descriptors()) {
		ask_prevented(w);
		return;
	}
	if (!r->channel) {
		failed(w, RESOLVER_NO_ANSWER, r->error);
		return;
	}
	w->question = xcalloc(1, sizeof(*w->question));
	w->question->watch = w;
	/* May answer at once (hosts file). */
	if (w->on_services)
		ask_services(w);
	else
		ask_addresses(w);
	rearm(r);
}

static struct resolver_watch *create(struct resolver *r, const struct resolver_question *q,
				     void *arg)
{
	struct resolver_watch *w = xcalloc(1, sizeof(*w));

	LOOP_ASSERT_OWNER(r->loop);
	w->magic = WATCH_MAGIC;
	w->resolver = r;
	w->host = xstrdup(q->host);
	w->port = q->port;
	w->terms = *q->terms;
	w->arg = arg;
	w->since = loop_now(r->loop);
	if (q->before) {
		w->has = q->before->has;
		w->found = q->before->found;
		w->good_until = q->before->good_until;
	}
	LIST_INSERT_HEAD(&r->watches, w, link);
	return w;
}

static void begin(struct resolver_watch *w)
{
	w->timer = evtimer_new(loop_base(w->resolver->loop), ask_cb, w);
	CHECK(w->timer);
	ask_after(w, DUR_NS(0));
}

struct resolver_watch *resolver_watch_services(struct resolver *r,
					       const struct resolver_question *q,
					       resolver_services *on_services, void *arg)
{
	struct resolver_watch *w = create(r, q, arg);

	w->on_services = on_services;
	begin(w);
	return w;
}

struct resolver_watch *resolver_watch_create(struct resolver *r, const struct resolver_question *q,
					     resolver_result *on_result, void *arg)
{
	struct resolver_watch *w = create(r, q, arg);
	struct net_addr literal;

	w->on_result = on_result;
	if (cfg_is_unix(q->host) ? net_addr_unix(cfg_unix_path(q->host), &literal)
				 : net_addr_parse(q->host, q->port, &literal)) {
		net_addr_set_port(&literal, q->port);
		on_result(arg, NAME_FOUND, &literal, 1);
	} else {
		begin(w);
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
	LIST_REMOVE(w, link);
	free(w->host);
	free(w);
}

struct resolver_facts resolver_watch_facts(const struct resolver_watch *w)
{
	MAGIC_CHECK(w, WATCH_MAGIC);
	return (struct resolver_facts){
	    .is_literal = w->timer == NULL,
	    .last = w->last,
	    .since = w->since,
	    .has = w->has,
	    .found = w->found,
	};
}
