/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-streams: asks for the same over several streams of one HTTP/2 connection, all in one write:
 * bulk ones of the least urgency, and last an urgent one (RFC 9218). Prints when the last byte of
 * the urgent one came, and of all, counted from that write: to put the requests together is work of
 * ours. With --bulk 0 it is alone. One thread, one blocking connection; nghttp2 and OpenSSL.
 */
#include <getopt.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "tests/bench/load.h"

/* No stream waits for the client. */
#define WINDOW ((1 << 30) - 1)

struct load {
	SSL *tls;
	nghttp2_session *session;
	uint8_t unsent[65536];
	size_t n_unsent;
	const char *name, *path;
	long expected; /* bytes of each content */
	long bulk;
	mono_time began;
	int32_t urgent; /* its stream */
	long open;
	duration urgent_took;
	long received, urgent_received;
	long errors;
};

static ssize_t send_cb(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *arg)
{
	struct load *l = arg;

	if (n > sizeof(l->unsent) - l->n_unsent)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(l->unsent + l->n_unsent, data, n);
	l->n_unsent += n;
	return (ssize_t)n;
}

static bool put_together(struct load *l)
{
	return nghttp2_session_send(l->session) == 0;
}

static bool write_out(struct load *l)
{
	int n = (int)l->n_unsent;

	l->n_unsent = 0;
	return n == 0 || SSL_write(l->tls, l->unsent, n) == n;
}

static bool send_all(struct load *l)
{
	return put_together(l) && write_out(l);
}

static int data_cb(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t n, void *arg)
{
	struct load *l = arg;

	l->received += (long)n;
	if (stream == l->urgent)
		l->urgent_received += (long)n;
	return 0;
}

static int close_cb(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	struct load *l = arg;

	l->open--;
	if (error != NGHTTP2_NO_ERROR)
		l->errors++;
	if (stream == l->urgent)
		l->urgent_took = mono_since(clock_mono(), l->began);
	return 0;
}

static void make_session(struct load *l)
{
	nghttp2_session_callbacks *callbacks;
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};

	CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
	nghttp2_session_callbacks_set_send_callback(callbacks, send_cb);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_cb);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, close_cb);
	CHECK(nghttp2_session_client_new(&l->session, callbacks, l) == 0);
	nghttp2_session_callbacks_del(callbacks);
	CHECK(nghttp2_submit_settings(l->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_SIZE(settings)) == 0);
	CHECK(nghttp2_session_set_local_window_size(l->session, NGHTTP2_FLAG_NONE, 0, WINDOW) == 0);
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NONE};
}

static int32_t ask(struct load *l, const char *priority)
{
	const nghttp2_nv fields[] = {
	    field(":method", "GET"), field(":scheme", "https"),   field(":authority", l->name),
	    field(":path", l->path), field("priority", priority),
	};
	int32_t stream =
	    nghttp2_submit_request(l->session, NULL, fields, ARRAY_SIZE(fields), NULL, NULL);

	CHECK(stream > 0);
	l->open++;
	return stream;
}

static bool receive(struct load *l)
{
	static uint8_t bytes[65536];
	int n = SSL_read(l->tls, bytes, sizeof(bytes));

	return n > 0 && nghttp2_session_mem_recv(l->session, bytes, (size_t)n) == n && send_all(l);
}

/* Until the server's settings are here: before that not all streams may be opened. */
static bool greet(struct load *l)
{
	if (!send_all(l))
		return false;
	while (nghttp2_session_get_remote_settings(
		   l->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == UINT32_MAX) {
		if (!receive(l))
			return false;
	}
	return true;
}

static bool run(struct load *l)
{
	make_session(l);
	if (!greet(l))
		return false;
	for (long i = 0; i < l->bulk; i++)
		ask(l, "u=7, i");
	l->urgent = ask(l, "u=0");
	if (!put_together(l))
		return false;
	l->began = clock_mono();
	if (!write_out(l))
		return false;
	while (l->open > 0) {
		if (!receive(l))
			return false;
	}
	return l->errors == 0 && l->urgent_received == l->expected &&
	       l->received == l->expected * (l->bulk + 1);
}

static SSL *dial(SSL_CTX *tls, const struct net_addr *server, const char *name)
{
	int fd = socket(server->sa.sa_family, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(tls);

	CHECK(fd >= 0 && ssl);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	SSL_set_tlsext_host_name(ssl, name);
	if (connect(fd, &server->sa, net_addr_len(server)) != 0 || !SSL_set_fd(ssl, fd) ||
	    SSL_connect(ssl) != 1) {
		fputs("no TLS connection\n", stderr);
		exit(1);
	}
	return ssl;
}

static void usage(void)
{
	puts("usage: bench-streams [OPTION...] ADDRESS:PORT\n"
	     "\n"
	     "Asks over many streams of one HTTP/2 connection, and prints when the urgent one was "
	     "whole.\n"
	     "\n"
	     "  --bulk N      streams beside it (99)\n"
	     "  --name NAME   the server's name (www.example.com)\n"
	     "  --path PATH   what is asked for (/)\n"
	     "  --body N      length of each right answer (1024)");
}

static const struct option options[] = {
    {"bulk", required_argument, NULL, 'u'}, {"name", required_argument, NULL, 'n'},
    {"path", required_argument, NULL, 'p'}, {"body", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'H'},       {0},
};

int main(int argc, char **argv)
{
	struct load l = {.name = "www.example.com", .path = "/", .expected = 1024, .bulk = 99};
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	struct net_addr server;
	int option;
	bool ok;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'u':
			l.bulk = load_number("bulk", optarg, 0, 10000);
			break;
		case 'n':
			l.name = optarg;
			break;
		case 'p':
			l.path = optarg;
			break;
		case 'b':
			l.expected = load_number("body", optarg, 0, 1L << 40);
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
	CHECK(tls && SSL_CTX_set_alpn_protos(tls, (const unsigned char *)"\2h2", 3) == 0);
	CHECK(SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256"));
	l.tls = dial(tls, &server, l.name);
	ok = run(&l);
	load_print(json_pack(
	    "{s:b s:f s:f s:I}", "ok", ok, "urgent_ms", (double)l.urgent_took.ns / 1e6, "all_ms",
	    (double)mono_since(clock_mono(), l.began).ns / 1e6, "bytes", (json_int_t)l.received));
	nghttp2_session_del(l.session);
	SSL_free(l.tls);
	SSL_CTX_free(tls);
	return 0;
}
