/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-messages: WebSocket messages (RFC 6455) of 64 bytes over TLS to an origin that echoes them,
 * which the same program is with --echo. Each connection has one message under way; all are sent,
 * then all echoes are awaited. An echo that is not the message is an error. One thread, blocking
 * connections; OpenSSL.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
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

#define PAYLOAD 64
#define BINARY ((char)0x82) /* FIN, opcode 2 */
#define MASKED 0x80
#define TO_ORIGIN (2 + 4 + PAYLOAD)
#define TO_CLIENT (2 + PAYLOAD)
#define CONNECTIONS_MAX 1024

/* The echo */

struct echo {
	int fd;
	bool upgraded;
	size_t n;
	char in[4096];
};

static bool send_all(int fd, const char *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* RFC 6455 section 4.2.2. */
static bool upgrade(struct echo *e)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *key;
	char joined[128], accept[64], answer[256];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	int n;

	e->in[e->n] = '\0';
	if (!strstr(e->in, "\r\n\r\n"))
		return e->n < sizeof(e->in) - 1;
	key = strcasestr(e->in, "\r\nsec-websocket-key:");
	if (!key)
		return false;
	key += strlen("\r\nsec-websocket-key:");
	key += strspn(key, " ");
	n = snprintf(joined, sizeof(joined), "%.*s%s", (int)strcspn(key, "\r "), key, guid);
	if (n >= (int)sizeof(joined) ||
	    EVP_Digest(joined, (size_t)n, digest, &size, EVP_sha1(), NULL) != 1)
		return false;
	EVP_EncodeBlock((unsigned char *)accept, digest, (int)size);
	n = snprintf(answer, sizeof(answer),
		     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		     accept);
	e->upgraded = true;
	e->n = 0;
	return send_all(e->fd, answer, (size_t)n);
}

static bool echo_messages(struct echo *e)
{
	size_t at = 0;

	for (; e->n - at >= TO_ORIGIN; at += TO_ORIGIN) {
		const char *in = e->in + at, *mask = in + 2;
		char out[TO_CLIENT] = {BINARY, PAYLOAD};

		if (in[0] != BINARY || in[1] != (char)(MASKED | PAYLOAD))
			return false;
		for (unsigned i = 0; i < PAYLOAD; i++)
			out[2 + i] = (char)(in[6 + i] ^ mask[i % 4]);
		if (!send_all(e->fd, out, sizeof(out)))
			return false;
	}
	memmove(e->in, e->in + at, e->n - at);
	e->n -= at;
	return true;
}

static bool take(struct echo *e)
{
	ssize_t n = recv(e->fd, e->in + e->n, sizeof(e->in) - 1 - e->n, 0);

	if (n <= 0)
		return false;
	e->n += (size_t)n;
	return e->upgraded ? echo_messages(e) : upgrade(e);
}

static int echo(const struct net_addr *addr)
{
	int listener = socket(addr->sa.sa_family, SOCK_STREAM, 0), epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener, &addr->sa, net_addr_len(addr)) != 0 || listen(listener, 1024) != 0) {
		perror("listen");
		return 1;
	}
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
	puts("{\"listening\": true}");
	fflush(stdout);
	while (epoll_wait(epoll, &event, 1, -1) == 1) {
		struct echo *e = event.data.ptr;

		if (!e) {
			e = xcalloc(1, sizeof(*e));
			e->fd = accept(listener, NULL, NULL);
			setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
			event = (struct epoll_event){.events = EPOLLIN, .data.ptr = e};
			CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &event) == 0);
		} else if (!take(e)) {
			close(e->fd);
			free(e);
		}
	}
	return 1;
}

/* The clients */

static bool read_all(SSL *tls, char *p, int n)
{
	while (n > 0) {
		int r = SSL_read(tls, p, n);

		if (r <= 0)
			return false;
		p += r;
		n -= r;
	}
	return true;
}

static bool ask(SSL *tls, const char *name)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
			 "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
			 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			 name);

	if (SSL_write(tls, text, n) != n)
		return false;
	/* Byte by byte: what follows is the other protocol's. */
	for (n = 0; n < (int)sizeof(text) - 1; n++) {
		if (!read_all(tls, text + n, 1))
			return false;
		text[n + 1] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return strncmp(text, "HTTP/1.1 101 ", 13) == 0 &&
			       strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL;
	}
	return false;
}

static SSL *dial(SSL_CTX *tls, const struct net_addr *server, const char *name)
{
	int fd = socket(server->sa.sa_family, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(tls);

	CHECK(fd >= 0 && ssl);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	SSL_set_tlsext_host_name(ssl, name);
	if (connect(fd, &server->sa, net_addr_len(server)) == 0 && SSL_set_fd(ssl, fd) &&
	    SSL_connect(ssl) == 1 && ask(ssl, name))
		return ssl;
	fputs("no WebSocket\n", stderr);
	exit(1);
}

static bool say(SSL *tls, unsigned number)
{
	char out[TO_ORIGIN] = {BINARY, (char)(MASKED | PAYLOAD), 1, 2, 3, 4};

	for (unsigned i = 0; i < PAYLOAD; i++)
		out[6 + i] = (char)((number + i) ^ (i % 4 + 1));
	return SSL_write(tls, out, sizeof(out)) == sizeof(out);
}

static bool hear(SSL *tls, unsigned number)
{
	char in[TO_CLIENT];

	if (!read_all(tls, in, sizeof(in)) || in[0] != BINARY || in[1] != PAYLOAD)
		return false;
	for (unsigned i = 0; i < PAYLOAD; i++) {
		if (in[2 + i] != (char)(number + i))
			return false;
	}
	return true;
}

static void talk(SSL **clients, long n, double seconds)
{
	mono_time end = mono_add(clock_mono(), DUR_NS(seconds * 1e9));
	long messages = 0, errors = 0;

	for (unsigned number = 0; errors == 0 && !mono_reached(end, clock_mono()); number++) {
		for (long i = 0; i < n; i++)
			errors += !say(clients[i], number);
		for (long i = 0; i < n && errors == 0; i++) {
			errors += !hear(clients[i], number);
			messages++;
		}
	}
	load_print(
	    json_pack("{s:I s:I}", "messages", (json_int_t)messages, "errors", (json_int_t)errors));
}

static void usage(void)
{
	puts("usage: bench-messages [OPTION...] ADDRESS:PORT\n"
	     "\n"
	     "Sends WebSocket messages that are echoed, and prints how many were, once connected "
	     "and told to by a line.\n"
	     "\n"
	     "  --echo            be the origin that echoes, without TLS\n"
	     "  --connections N   at a time (64)\n"
	     "  --seconds S       how long (5)\n"
	     "  --name NAME       the server's name (www.example.com)");
}

static const struct option options[] = {
    {"echo", no_argument, NULL, 'e'},          {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'}, {"name", required_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'H'},          {0},
};

int main(int argc, char **argv)
{
	static SSL *clients[CONNECTIONS_MAX];
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	const char *name = "www.example.com";
	struct net_addr server;
	bool is_echo = false;
	double seconds = 5;
	long n = 64;
	int option, said;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'e':
			is_echo = true;
			break;
		case 'c':
			n = load_number("connections", optarg, 1, CONNECTIONS_MAX);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'n':
			name = optarg;
			break;
		default:
			usage();
			return option == 'H' ? 0 : 2;
		}
	}
	if (argc - optind != 1 || !net_addr_parse(argv[optind], 443, &server)) {
		usage();
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (is_echo)
		return echo(&server);
	CHECK(tls && SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256"));
	for (long i = 0; i < n; i++)
		clients[i] = dial(tls, &server, name);
	load_print(json_pack("{s:I}", "connected", (json_int_t)n));
	do
		said = getchar();
	while (said != '\n' && said != EOF);
	talk(clients, n, seconds);
	for (long i = 0; i < n; i++)
		SSL_free(clients[i]);
	SSL_CTX_free(tls);
	return 0;
}
