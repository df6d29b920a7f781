/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wan-visit: one client's visit to a site, timed: the DNS question, TCP, TLS, the first and the
 * last byte of the response. With --resume a second visit follows on a new connection, with the
 * ticket of the first. The certificate is verified and the body is compared, so nobody wins by
 * being wrong. Prints one JSON array with an object for each visit; on failure says why and exits
 * with 1.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "tests/wan/ask.h"
#include "tests/wan/wire.h"

#define HEAD_SIZE 16384
#define CHUNK_SIZE 65536
#define ALPN_HTTP1 "\x08http/1.1"
#define ALPN_H2 "\x02h2"

struct plan {
	const char *dns, *address, *host, *path, *ca, *expect;
	const char *alpn;
	int port;
	double timeout;
	bool resume, early;
};

struct response {
	mono_time first, last;
	int status;
	size_t length;
};

struct visitor {
	struct plan plan;
	SSL_CTX *ctx;
	SSL_SESSION *session; /* the latest ticket */
	char *request;
	char *body; /* what the response must be */
	size_t body_length;
};

static void usage(FILE *out)
{
	fputs("usage: wan-visit (--dns ADDRESS:PORT | --address ADDRESS) --host NAME --ca FILE\n"
	      "                 --expect FILE [--path PATH] [--port N] [--resume] [--early-data]\n"
	      "                 [--http2] [--timeout S]\n\n"
	      "One visit to https://NAME:N PATH, timed; prints a JSON array with an object for "
	      "each.\n"
	      "  --dns          where to ask for the address of NAME\n"
	      "  --address      or the address itself\n"
	      "  --ca FILE      who must have signed the certificate\n"
	      "  --expect FILE  what the body must be\n"
	      "  --resume       a second visit, with the TLS session of the first\n"
	      "  --early-data   the second sends its request as early data when it may\n"
	      "  --http2        offers HTTP/2 too; a server that chooses it is not asked further\n"
	      "  --timeout S    for each visit (30)\n"
	      "Times are in ms: dns_ms by itself, all others from the start of the connection.\n",
	      out);
}

static bool fault(const char *what)
{
	fprintf(stderr, "wan-visit: %s\n", what);
	return false;
}

/* Status and length from the head, which ends at `end`. */
static bool read_head(const char *head, const char *end, struct response *response)
{
	const char *field = strcasestr(head, "\r\ncontent-length:");
	unsigned long long length;

	if (sscanf(head, "HTTP/1.1 %3d ", &response->status) != 1)
		return fault("the response is not HTTP/1.1");
	if (!field || field > end ||
	    sscanf(field + strlen("\r\ncontent-length:"), "%llu", &length) != 1)
		return fault("the response has no Content-Length");
	response->length = (size_t)length;
	return true;
}

static bool compare(const struct visitor *v, size_t offset, const char *data, size_t length)
{
	if (length > v->body_length - offset || memcmp(v->body + offset, data, length) != 0)
		return fault("the body is not what it must be");
	return true;
}

static bool read_response(const struct visitor *v, struct wire *wire, struct response *response)
{
	char head[HEAD_SIZE + 1], chunk[CHUNK_SIZE], *end = NULL;
	size_t filled = 0, offset;

	while (!end) {
		size_t got = wire_read(wire, head + filled, HEAD_SIZE - filled);

		if (filled == 0)
			response->first = clock_mono();
		filled += got;
		head[filled] = '\0';
		end = strstr(head, "\r\n\r\n");
		if (got == 0 || (!end && filled == HEAD_SIZE))
			return fault("the response has no head");
	}
	end += strlen("\r\n\r\n");
	offset = filled - (size_t)(end - head);
	if (!read_head(head, end, response))
		return false;
	if (response->status != 200 || response->length != v->body_length)
		return fault("the response has another status or length");
	if (!compare(v, 0, end, offset))
		return false;
	while (offset < response->length) {
		size_t got = wire_read(wire, chunk, sizeof(chunk));

		if (got == 0 || !compare(v, offset, chunk, got))
			return false;
		offset += got;
	}
	response->last = clock_mono();
	return true;
}

static const char *early_data(const SSL *ssl)
{
	switch (SSL_get_early_data_status(ssl)) {
	case SSL_EARLY_DATA_ACCEPTED:
		return "accepted";
	case SSL_EARLY_DATA_REJECTED:
		return "refused";
	default:
		return "not sent";
	}
}

static double ms_since(mono_time later, mono_time earlier)
{
	return (double)mono_since(later, earlier).ns / 1e6;
}

/* What was seen; without a response when the server wants HTTP/2, which is not spoken here. */
static json_t *report(const struct wire *wire, const struct response *response, struct in_addr to,
		      double dns_ms)
{
	char address[INET_ADDRSTRLEN], protocol[32];
	json_t *seen;

	inet_ntop(AF_INET, &to, address, sizeof(address));
	wire_protocol(wire, protocol, sizeof(protocol));
	seen = json_pack("{s:s, s:s, s:s, s:b, s:s, s:f, s:f}", "address", address, "protocol",
			 protocol, "tls", SSL_get_version(wire->ssl), "resumed",
			 SSL_session_reused(wire->ssl), "early_data", early_data(wire->ssl),
			 "tcp_ms", ms_since(wire->connected, wire->started), "tls_ms",
			 ms_since(wire->secured, wire->started));
	CHECK(seen);
	if (dns_ms >= 0)
		json_object_set_new(seen, "dns_ms", json_real(dns_ms));
	if (response) {
		json_object_set_new(seen, "status", json_integer(response->status));
		json_object_set_new(seen, "bytes", json_integer((json_int_t)response->length));
		json_object_set_new(seen, "first_byte_ms",
				    json_real(ms_since(response->first, wire->started)));
		json_object_set_new(seen, "last_byte_ms",
				    json_real(ms_since(response->last, wire->started)));
	}
	return seen;
}

static bool exchange(const struct visitor *v, struct wire *wire, struct response *response)
{
	if (SSL_get_early_data_status(wire->ssl) != SSL_EARLY_DATA_ACCEPTED &&
	    !wire_write(wire, v->request, strlen(v->request)))
		return false;
	return read_response(v, wire, response);
}

static bool find_address(const struct visitor *v, mono_time end, struct in_addr *to, double *dns_ms)
{
	mono_time asked = clock_mono();

	*dns_ms = -1;
	if (v->plan.address)
		return inet_pton(AF_INET, v->plan.address, to) == 1 || fault("not an IPv4 address");
	if (!ask_address(v->plan.dns, v->plan.host, end, to))
		return false;
	*dns_ms = ms_since(clock_mono(), asked);
	return true;
}

static bool speaks_http2(const struct wire *wire)
{
	char protocol[32];

	wire_protocol(wire, protocol, sizeof(protocol));
	return strcmp(protocol, "h2") == 0;
}

static json_t *visit(struct visitor *v, bool again)
{
	mono_time end = mono_add(clock_mono(), DUR_NS(v->plan.timeout * 1e9));
	struct wire_plan plan = {.ctx = v->ctx,
				 .to = {.sin_family = AF_INET, .sin_port = htons(v->plan.port)},
				 .host = v->plan.host,
				 .alpn = v->plan.alpn,
				 .session = again ? v->session : NULL,
				 .early = again && v->plan.early ? v->request : NULL,
				 .end = end};
	struct response response;
	struct wire wire;
	json_t *seen = NULL;
	double dns_ms;

	if (!find_address(v, end, &plan.to.sin_addr, &dns_ms))
		return NULL;
	if (wire_open(&wire, &plan)) {
		if (speaks_http2(&wire))
			seen = report(&wire, NULL, plan.to.sin_addr, dns_ms);
		else if (exchange(v, &wire, &response))
			seen = report(&wire, &response, plan.to.sin_addr, dns_ms);
	}
	wire_close(&wire);
	return seen;
}

static int new_session_cb(SSL *ssl, SSL_SESSION *session)
{
	struct visitor *v = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(v->session);
	v->session = session;
	return 1;
}

static bool prepare_tls(struct visitor *v)
{
	v->ctx = SSL_CTX_new(TLS_client_method());
	if (!v->ctx || SSL_CTX_load_verify_locations(v->ctx, v->plan.ca, NULL) != 1)
		return fault("the authority's certificate cannot be read");
	SSL_CTX_set_app_data(v->ctx, v);
	SSL_CTX_set_verify(v->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(v->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(v->ctx, new_session_cb);
	return true;
}

static bool read_expected(struct visitor *v)
{
	FILE *f = fopen(v->plan.expect, "re");
	long length;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (length = ftell(f)) < 0) {
		perror(v->plan.expect);
		if (f)
			fclose(f);
		return false;
	}
	rewind(f);
	v->body_length = (size_t)length;
	v->body = xmalloc(v->body_length + 1);
	if (fread(v->body, 1, v->body_length, f) != v->body_length)
		v->body_length = 0;
	fclose(f);
	return v->body_length > 0 || fault("there is nothing to expect");
}

static bool run(struct visitor *v)
{
	json_t *all = json_array();
	bool good = prepare_tls(v) && read_expected(v);
	char *text;

	for (int i = 0; good && i < (v->plan.resume ? 2 : 1); i++) {
		json_t *seen = visit(v, i == 1);

		good = seen && json_array_append_new(all, seen) == 0;
	}
	if (good) {
		text = json_dumps(all, JSON_REAL_PRECISION(9));
		puts(text);
		free(text);
	}
	json_decref(all);
	return good;
}

static bool read_options(struct plan *plan, int argc, char **argv)
{
	static const struct option options[] = {{"dns", required_argument, NULL, 'd'},
						{"address", required_argument, NULL, 'a'},
						{"host", required_argument, NULL, 'n'},
						{"ca", required_argument, NULL, 'c'},
						{"expect", required_argument, NULL, 'x'},
						{"path", required_argument, NULL, 'u'},
						{"port", required_argument, NULL, 'p'},
						{"timeout", required_argument, NULL, 't'},
						{"resume", no_argument, NULL, 'r'},
						{"early-data", no_argument, NULL, 'e'},
						{"http2", no_argument, NULL, '2'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			plan->dns = optarg;
			break;
		case 'a':
			plan->address = optarg;
			break;
		case 'n':
			plan->host = optarg;
			break;
		case 'c':
			plan->ca = optarg;
			break;
		case 'x':
			plan->expect = optarg;
			break;
		case 'u':
			plan->path = optarg;
			break;
		case 'p':
			plan->port = atoi(optarg);
			break;
		case 't':
			plan->timeout = atof(optarg);
			break;
		case 'r':
			plan->resume = true;
			break;
		case 'e':
			plan->resume = plan->early = true;
			break;
		case '2':
			plan->alpn = ALPN_H2 ALPN_HTTP1;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
	}
	return optind == argc && !plan->dns != !plan->address && plan->host && plan->ca &&
	       plan->expect;
}

int main(int argc, char **argv)
{
	struct visitor v = {.plan = {.path = "/", .alpn = ALPN_HTTP1, .port = 443, .timeout = 30}};
	bool good;

	signal(SIGPIPE, SIG_IGN);
	if (!read_options(&v.plan, argc, argv)) {
		usage(stderr);
		return 2;
	}
	v.request = xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: wan-visit\r\n"
			      "Accept: */*\r\n\r\n",
			      v.plan.path, v.plan.host);
	good = run(&v);
	SSL_SESSION_free(v.session);
	SSL_CTX_free(v.ctx);
	free(v.request);
	free(v.body);
	return good ? 0 : 1;
}
