/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-tlsload: opens TLS 1.3 connections as fast as the server takes them, a fixed number at a
 * time. One operation is all that a client with one question does: connect, handshake, GET, the
 * whole response, close_notify, close. With --resume each handshake uses the newest ticket. With
 * --hold the connections are kept open instead, so that the server's memory can be looked at. With
 * --h2 the question is asked by HTTP/2. With --again each connection is kept, and asks again some
 * time after each answer: the operations and latencies are those of the questions after the first.
 * With --poisson as well these times are random, so that all questions together come by a Poisson
 * process, and the first comes no sooner either.
 *
 * Everything that was begun is finished before the result is printed, so that operations here,
 * requests at the origin and connections at the server are the same number. A response that is not
 * the expected one is an error, never an operation. One thread; OpenSSL, which none of Perigee
 * uses.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "tests/bench/load.h"

/* How long what was begun may take to finish, and a hold to be reached. */
#define PATIENCE DUR_S(30)

enum state { CONNECTING, HANDSHAKE, SENDING, HEAD, BODY, FRAMES, HELD, RESTING };

#define FRAME_HEADER 9 /* RFC 9113 section 4.1 */
enum frame_type { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_SETTINGS = 4 };
#define FLAG_END_STREAM 1
#define FLAG_ACK 1
#define FLAG_END_HEADERS 4

struct visit {
	int fd; /* -1: free */
	enum state state;
	uint32_t events; /* registered for */
	SSL *tls;
	mono_time began; /* connecting; with again, asking */
	bool asked;      /* once at least */
	size_t head_len;
	long body_left;
	char head[2048];
	/* of the frame that is being read */
	long frame_left; /* of its payload */
	bool last_frame;
};

struct load {
	struct net_addr server;
	SSL_CTX *tls;
	SSL_SESSION *session; /* the newest, with resume */
	int epoll;
	const char *name;
	long body; /* expected length of a response's body */
	bool resume;
	bool hold;
	bool h2;
	duration again; /* ns > 0: how long each rests, or in the mean if poisson */
	bool poisson;
	char request[512];
	size_t request_len;
	struct visit *visits;
	long n_visits;
	/* Results. */
	long operations;
	long errors;
	long resumed;
	long held;
	char first_error[256];
	struct load_latency latency;
};

static void watch(struct load *l, struct visit *v, uint32_t events)
{
	if (v->events == events)
		return;
	struct epoll_event e = {.events = events, .data.ptr = v};
	CHECK(epoll_ctl(l->epoll, v->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, v->fd, &e) == 0);
	v->events = events;
}

static void close_visit(struct visit *v)
{
	SSL_free(v->tls);
	close(v->fd);
	v->fd = -1;
}

static void fail(struct load *l, struct visit *v, const char *what)
{
	if (!l->errors++)
		snprintf(l->first_error, sizeof(l->first_error), "%s: %s", what,
			 ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error())
					  : strerror(errno));
	ERR_clear_error();
	SSL_set_quiet_shutdown(v->tls, 1);
	close_visit(v);
}

/* Exponentially distributed; drand48() is less than 1. */
static duration rest_time(const struct load *l)
{
	return l->poisson ? DUR_NS(-log(1 - drand48()) * (double)l->again.ns) : l->again;
}

/* Until it asks again. */
static void rest(struct load *l, struct visit *v)
{
	if (v->asked) {
		load_latency_add(&l->latency, mono_since(clock_mono(), v->began));
		l->operations++;
	}
	v->asked = true;
	v->state = RESTING;
	v->began = mono_add(clock_mono(), rest_time(l));
	v->head_len = 0;
	watch(l, v, EPOLLIN);
}

static void succeed(struct load *l, struct visit *v)
{
	if (l->again.ns > 0) {
		rest(l, v);
		return;
	}
	load_latency_add(&l->latency, mono_since(clock_mono(), v->began));
	l->operations++;
	l->resumed += SSL_session_reused(v->tls);
	if (l->hold) {
		v->state = HELD;
		l->held++;
		/* An error of it is for the end, not for the loop. */
		CHECK(epoll_ctl(l->epoll, EPOLL_CTL_DEL, v->fd, NULL) == 0);
		return;
	}
	SSL_shutdown(v->tls);
	ERR_clear_error();
	close_visit(v);
}

static int keep_session(SSL *tls, SSL_SESSION *session)
{
	struct load *l = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
	if (!l->resume)
		return 0;
	SSL_SESSION_free(l->session);
	l->session = session;
	return 1;
}

/* Reads the status and the length of the body once the head is whole; false when it is not what it
 * should be. */
static bool understand(struct load *l, struct visit *v)
{
	v->head[v->head_len] = '\0';
	char *end = strstr(v->head, "\r\n\r\n");
	if (!end) {
		errno = EMSGSIZE;
		return v->head_len < sizeof(v->head) - 1;
	}
	errno = EBADMSG;
	const char *length = strcasestr(v->head, "\r\ncontent-length:");
	if (strncmp(v->head, "HTTP/1.1 200 ", 13) != 0 || !length || length > end ||
	    atol(length + 17) != l->body)
		return false;
	v->body_left = l->body - (long)(v->head + v->head_len - (end + 4));
	v->state = BODY;
	return v->body_left >= 0;
}

static long frame_length(const char *header)
{
	const unsigned char *h = (const unsigned char *)header;

	return h[0] << 16 | h[1] << 8 | h[2];
}

/* A frame's header is whole. False when the frame is not one that should come. */
static bool take_frame(struct load *l, struct visit *v)
{
	static const char ack[FRAME_HEADER] = {0, 0, 0, FRAME_SETTINGS, FLAG_ACK};
	int type = v->head[3], flags = v->head[4];
	bool ours = v->head[8] == 1 && (type == FRAME_DATA || type == FRAME_HEADERS);

	errno = EBADMSG;
	v->head_len = 0;
	v->frame_left = frame_length(v->head);
	v->last_frame = ours && (flags & FLAG_END_STREAM) != 0;
	if (ours && type == FRAME_DATA)
		v->body_left -= v->frame_left;
	if (type == FRAME_SETTINGS && !(flags & FLAG_ACK))
		return SSL_write(v->tls, ack, sizeof(ack)) == sizeof(ack);
	return v->body_left >= 0;
}

/* Takes what was read of frames; false when it is not what it should be. */
static bool take_frames(struct load *l, struct visit *v, const char *p, size_t n)
{
	while (n > 0) {
		size_t some = v->frame_left > 0 ? MIN((size_t)v->frame_left, n)
						: MIN(FRAME_HEADER - v->head_len, n);

		if (v->frame_left > 0) {
			v->frame_left -= (long)some;
		} else {
			memcpy(v->head + v->head_len, p, some);
			v->head_len += some;
			if (v->head_len == FRAME_HEADER && !take_frame(l, v))
				return false;
		}
		p += some;
		n -= some;
	}
	return true;
}

/* After a TLS call that did not succeed: waits for what it wants, or fails. */
static void wait_or_fail(struct load *l, struct visit *v, int result, const char *what)
{
	switch (SSL_get_error(v->tls, result)) {
	case SSL_ERROR_WANT_READ:
		watch(l, v, EPOLLIN);
		return;
	case SSL_ERROR_WANT_WRITE:
		watch(l, v, EPOLLOUT);
		return;
	case SSL_ERROR_ZERO_RETURN:
		errno = ECONNABORTED;
	}
	fail(l, v, what);
}

static void advance(struct load *l, struct visit *v)
{
	static char body[65536];
	int r;
	for (;;) {
		/* SSL_get_error() looks at the thread's queue, not at the connection's. */
		ERR_clear_error();
		switch (v->state) {
		case CONNECTING:
			r = 0;
			getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &r, &(socklen_t){sizeof(r)});
			if ((errno = r)) {
				fail(l, v, "connect");
				return;
			}
			v->state = HANDSHAKE;
			break;
		case HANDSHAKE:
			if ((r = SSL_do_handshake(v->tls)) != 1) {
				wait_or_fail(l, v, r, "handshake");
				return;
			}
			if (l->poisson) {
				rest(l, v);
				return;
			}
			v->state = SENDING;
			break;
		case SENDING:
			if ((r = SSL_write(v->tls, l->request, (int)l->request_len)) <= 0) {
				wait_or_fail(l, v, r, "request");
				return;
			}
			v->state = l->h2 ? FRAMES : HEAD;
			v->body_left = l->body;
			break;
		case FRAMES:
			if (v->last_frame && !v->frame_left && !v->body_left) {
				succeed(l, v);
				return;
			}
			r = SSL_read(v->tls, body, sizeof(body));
			if (r <= 0) {
				wait_or_fail(l, v, r, "response");
				return;
			}
			if (!take_frames(l, v, body, (size_t)r)) {
				fail(l, v, "response");
				return;
			}
			break;
		case HEAD:
			r = SSL_read(v->tls, v->head + v->head_len,
				     (int)(sizeof(v->head) - 1 - v->head_len));
			if (r <= 0) {
				wait_or_fail(l, v, r, "response");
				return;
			}
			v->head_len += (size_t)r;
			if (!understand(l, v)) {
				fail(l, v, "response");
				return;
			}
			break;
		case BODY:
			if (!v->body_left) {
				succeed(l, v);
				return;
			}
			r = SSL_read(v->tls, body, sizeof(body));
			if (r <= 0) {
				wait_or_fail(l, v, r, "body");
				return;
			}
			v->body_left -= r;
			if (v->body_left < 0) {
				errno = EBADMSG;
				fail(l, v, "body");
				return;
			}
			break;
		case RESTING:
			/* A ticket, or an end that came unasked. */
			r = SSL_read(v->tls, body, sizeof(body));
			wait_or_fail(l, v, r, "rest");
			return;
		case HELD:
			return;
		}
	}
}

static void start(struct load *l, struct visit *v)
{
	*v = (struct visit){.fd = socket(l->server.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0),
			    .began = clock_mono()};
	if (v->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	v->tls = SSL_new(l->tls);
	CHECK(v->tls && SSL_set_fd(v->tls, v->fd) && SSL_set_tlsext_host_name(v->tls, l->name));
	SSL_set_connect_state(v->tls);
	if (l->session) {
		/* A copy: OpenSSL marks a session as spent when newer tickets come over a
		 * connection that resumed it, also for connections that are about to. */
		SSL_SESSION *own = SSL_SESSION_dup(l->session);
		CHECK(own && SSL_set_session(v->tls, own));
		SSL_SESSION_free(own);
	}
	if (connect(v->fd, &l->server.sa, net_addr_len(&l->server)) != 0 && errno != EINPROGRESS) {
		fail(l, v, "connect");
		return;
	}
	watch(l, v, EPOLLOUT);
}

/* Those whose rest is over ask again. */
static void ask_again(struct load *l)
{
	mono_time now = clock_mono();

	for (long i = 0; i < l->n_visits; i++) {
		struct visit *v = &l->visits[i];

		if (v->fd < 0 || v->state != RESTING || !mono_reached(v->began, now))
			continue;
		v->began = now;
		v->state = SENDING;
		advance(l, v);
	}
}

/* One turn of the loop; false when nothing happened for as long as we wait. */
static bool turn(struct load *l)
{
	struct epoll_event events[256];
	int n = epoll_wait(l->epoll, events, 256, (int)dur_to_ms(PATIENCE));
	for (int i = 0; i < n; i++) {
		struct visit *v = events[i].data.ptr;
		if (v->fd >= 0)
			advance(l, v);
	}
	return n != 0;
}

static bool busy(const struct load *l)
{
	for (long i = 0; i < l->n_visits; i++)
		if (l->visits[i].fd >= 0 && l->visits[i].state != HELD &&
		    l->visits[i].state != RESTING)
			return true;
	return false;
}

/* Finishes what was begun. */
static void drain(struct load *l)
{
	while (busy(l))
		if (!turn(l)) {
			l->errors++;
			snprintf(l->first_error, sizeof(l->first_error),
				 "the server left a connection without an answer");
			return;
		}
}

/* A turn that lasts no longer than a millisecond, so that nobody rests for too long. */
static bool turn_with_rests(struct load *l)
{
	struct epoll_event events[256];
	int n = epoll_wait(l->epoll, events, 256, 1);

	for (int i = 0; i < n; i++)
		advance(l, events[i].data.ptr);
	ask_again(l);
	return true;
}

/* All; with poisson 32 at a time, for their handshakes are not what is measured. */
static void start_some(struct load *l)
{
	long n = 0;

	for (long i = 0; l->poisson && i < l->n_visits; i++)
		n += l->visits[i].fd >= 0 && l->visits[i].state <= HANDSHAKE;
	for (long i = 0; i < l->n_visits && (!l->poisson || n < 32); i++) {
		if (l->visits[i].fd < 0) {
			start(l, &l->visits[i]);
			n++;
		}
	}
}

static void run(struct load *l, double seconds)
{
	mono_time began = clock_mono();
	mono_time end = mono_add(began, DUR_NS(seconds * 1e9));
	/* A server that only refuses is known soon. */
	while (!mono_reached(end, clock_mono()) && l->errors < 100) {
		start_some(l);
		if (!(l->again.ns > 0 ? turn_with_rests(l) : turn(l)))
			break;
	}
	drain(l);
	double took = (double)mono_since(clock_mono(), began).ns / 1e9;
	load_print(json_pack("{s:I s:I s:I s:s s:f s:o}", "operations", (json_int_t)l->operations,
			     "errors", (json_int_t)l->errors, "resumed", (json_int_t)l->resumed,
			     "first_error", l->first_error, "seconds", took, "latency_ms",
			     load_latency_json(&l->latency)));
}

/* Opens all, 32 at a time, says so, and keeps them until the end of standard input. */
static void hold(struct load *l)
{
	bool stalled = false;
	for (long i = 0; i < l->n_visits && l->errors < 100 && !stalled; i++) {
		start(l, &l->visits[i]);
		while (i + 1 - l->held - l->errors >= 32 && !stalled)
			stalled = !turn(l);
	}
	drain(l);
	load_print(json_pack("{s:I s:I s:s}", "held", (json_int_t)l->held, "errors",
			     (json_int_t)l->errors, "first_error", l->first_error));
	while (getchar() != EOF)
		;
	long open = 0;
	for (long i = 0; i < l->n_visits; i++) {
		char byte;
		struct visit *v = &l->visits[i];
		if (v->fd >= 0 && recv(v->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN)
			open++;
	}
	load_print(json_pack("{s:I}", "still_open", (json_int_t)open));
}

static SSL_CTX *make_tls(struct load *l)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	CHECK(tls);
	/* The same handshake whatever the server prefers. The certificate's signature is verified
	 * by the handshake itself; its chain is looked at once by whoever calls us, before the
	 * load. */
	SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
	CHECK(SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256"));
	CHECK(SSL_CTX_set1_groups_list(tls, "X25519"));
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls, keep_session);
	SSL_CTX_set_app_data(tls, l);
	return tls;
}

/* GET of `path` as the first request of an HTTP/2 connection, with nothing in it compressed but by
 * the static table (RFC 7541, appendix A). Returns its size; 0: too long. */
static size_t make_h2_request(char *out, size_t size, const char *path, const char *name)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	size_t fields = 2 + 2 + strlen(path) + 2 + strlen(name);
	char *p = out;

	if (strlen(path) > 126 || strlen(name) > 126 || size < sizeof(preface) + 18 + fields)
		return 0;
	p = mempcpy(p, preface, sizeof(preface) - 1);
	p = mempcpy(p, "\0\0\0\4\0\0\0\0\0", FRAME_HEADER);
	*p++ = 0;
	*p++ = 0;
	*p++ = (char)fields;
	*p++ = FRAME_HEADERS;
	*p++ = FLAG_END_STREAM | FLAG_END_HEADERS;
	p = mempcpy(p, "\0\0\0\1", 4);
	p = mempcpy(p, "\x82\x87", 2); /* :method GET, :scheme https */
	*p++ = 4;                      /* :path, not indexed */
	*p++ = (char)strlen(path);
	p = mempcpy(p, path, strlen(path));
	*p++ = 1; /* :authority */
	*p++ = (char)strlen(name);
	p = mempcpy(p, name, strlen(name));
	return (size_t)(p - out);
}

static void usage(void)
{
	puts("usage: bench-tlsload [OPTION...] ADDRESS:PORT\n"
	     "\n"
	     "Opens TLS connections, asks one question over each, and prints what came of it as "
	     "JSON.\n"
	     "\n"
	     "  --connections N   at a time (32)\n"
	     "  --seconds S       how long (5)\n"
	     "  --resume          resume with the newest ticket\n"
	     "  --hold N          open N, keep them until the end of standard input\n"
	     "  --h2              ask by HTTP/2\n"
	     "  --again MS        keep the connections, and ask again over each so long after an "
	     "answer\n"
	     "  --poisson         so long in the mean, at random\n"
	     "  --name NAME       the server's name (www.example.com)\n"
	     "  --path PATH       what is asked for (/)\n"
	     "  --body N          length of the right answer (1024)");
}

static const struct option options[] = {
    {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'},
    {"resume", no_argument, NULL, 'r'},
    {"hold", required_argument, NULL, 'h'},
    {"h2", no_argument, NULL, '2'},
    {"again", required_argument, NULL, 'a'},
    {"poisson", no_argument, NULL, 'P'},
    {"name", required_argument, NULL, 'n'},
    {"path", required_argument, NULL, 'p'},
    {"body", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'H'},
    {0},
};

int main(int argc, char **argv)
{
	struct load l = {.name = "www.example.com", .body = 1024, .n_visits = 32};
	const char *path = "/";
	double seconds = 5;
	int option, index;
	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		switch (option) {
		case 'c':
			l.n_visits = load_number("connections", optarg, 1, 10000);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'r':
			l.resume = true;
			break;
		case 'h':
			l.hold = true;
			l.n_visits = load_number("hold", optarg, 1, 15000);
			break;
		case '2':
			l.h2 = true;
			break;
		case 'a':
			l.again = DUR_MS(load_number("again", optarg, 1, 60000));
			break;
		case 'P':
			l.poisson = true;
			break;
		case 'n':
			l.name = optarg;
			break;
		case 'p':
			path = optarg;
			break;
		case 'b':
			l.body = load_number("body", optarg, 0, 1L << 40);
			break;
		default:
			usage();
			return option == 'H' ? 0 : 2;
		}
	}
	if (argc - optind != 1 || !net_addr_parse(argv[optind], 443, &l.server)) {
		usage();
		return 2;
	}
	if (l.h2)
		l.request_len = make_h2_request(l.request, sizeof(l.request), path, l.name);
	else
		l.request_len =
		    (size_t)snprintf(l.request, sizeof(l.request),
				     "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, l.name);
	if (l.request_len == 0 || l.request_len >= sizeof(l.request)) {
		fputs("path and name are too long\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	l.tls = make_tls(&l);
	if (l.h2)
		CHECK(SSL_CTX_set_alpn_protos(l.tls, (const unsigned char *)"\2h2", 3) == 0);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.visits = xcalloc((size_t)l.n_visits, sizeof(*l.visits));
	for (long i = 0; i < l.n_visits; i++)
		l.visits[i].fd = -1;

	if (l.resume) {
		/* The first ticket; not an operation. */
		start(&l, &l.visits[0]);
		drain(&l);
		if (!l.session && !l.errors++)
			snprintf(l.first_error, sizeof(l.first_error), "no ticket came");
		l.operations = 0;
		load_latency_fini(&l.latency);
	}
	if (l.hold)
		hold(&l);
	else
		run(&l, l.errors ? 0 : seconds);

	for (long i = 0; i < l.n_visits; i++)
		if (l.visits[i].fd >= 0)
			close_visit(&l.visits[i]);
	free(l.visits);
	load_latency_fini(&l.latency);
	SSL_SESSION_free(l.session);
	SSL_CTX_free(l.tls);
	return 0;
}
