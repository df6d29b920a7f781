/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-dnsload: asks a name server one question over and over by UDP, with a fixed number of
 * questions in flight, in batches. With --subnets each query carries the EDNS client subnet
 * (RFC 7871) of a client somewhere else: a random IPv4 /24.
 *
 * An answer counts when it is the answer to a question that is in flight (ID and question section),
 * with RCODE 0 and at least one record; any other answer to one is wrong. A question is lost when
 * the server has been silent for as long as LOST says. What is in flight at the end is waited for.
 * One thread.
 */
#include <errno.h>
#include <getopt.h>
#include <libknot/libknot.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "tests/bench/load.h"

/* Loopback answers in far less than a millisecond; what has not come after this never will. */
#define LOST DUR_MS(300)
#define BATCH 64
#define QUERY_MAX 512
#define ANSWER_MAX 2048

struct load {
	int fd;
	uint8_t query[QUERY_MAX]; /* what is sent, but for the ID and the subnet */
	size_t query_len;
	size_t question_end; /* length of header and question */
	bool subnets;
	long window;
	uint64_t random; /* xorshift64 (Marsaglia 2003): the same clients in each run */
	uint16_t id;
	long in_flight;
	mono_time last_answer;
	mono_time asked_at[65536]; /* by ID; ns 0: not in flight */
	/* Results. */
	long asked;
	long answers;
	long wrong;
	long lost;
	struct load_latency latency;
};

static uint64_t next_random(struct load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void make_query(struct load *l, const char *name)
{
	uint8_t wire[KNOT_DNAME_MAXLEN];
	knot_pkt_t *pkt = knot_pkt_new(l->query, sizeof(l->query), NULL);
	CHECK(pkt);
	if (!knot_dname_from_str(wire, name, sizeof(wire)) ||
	    knot_pkt_put_question(pkt, wire, KNOT_CLASS_IN, KNOT_RRTYPE_A) != KNOT_EOK) {
		fprintf(stderr, "%s is not a domain name\n", name);
		exit(2);
	}
	l->question_end = pkt->size;
	if (l->subnets) {
		knot_rrset_t opt;
		knot_edns_client_subnet_t subnet = {.family = 1, .source_len = 24};
		uint8_t data[64];
		uint16_t size = knot_edns_client_subnet_size(&subnet);
		CHECK(knot_edns_client_subnet_write(data, size, &subnet) == KNOT_EOK);
		CHECK(knot_edns_init(&opt, 1232, 0, KNOT_EDNS_VERSION, NULL) == KNOT_EOK);
		CHECK(knot_edns_add_option(&opt, KNOT_EDNS_OPTION_CLIENT_SUBNET, size, data,
					   NULL) == KNOT_EOK);
		CHECK(knot_pkt_begin(pkt, KNOT_ADDITIONAL) == KNOT_EOK);
		CHECK(knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &opt, KNOT_PF_FREE) == KNOT_EOK);
	}
	l->query_len = pkt->size;
	knot_pkt_free(pkt);
}

/* Fills the window up. */
static void ask(struct load *l)
{
	static uint8_t queries[BATCH][QUERY_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	while (l->in_flight < l->window) {
		long n = l->window - l->in_flight;
		if (n > BATCH)
			n = BATCH;
		mono_time now = clock_mono();
		for (long i = 0; i < n; i++) {
			uint8_t *q = queries[i];
			memcpy(q, l->query, l->query_len);
			knot_wire_set_id(q, ++l->id);
			if (l->asked_at[l->id].ns) {
				/* 65,536 questions ago: answered by now or never. */
				l->lost++;
				l->in_flight--;
			}
			if (l->subnets) {
				/* The subnet's three bytes are the end of the query. */
				uint64_t r = next_random(l);
				q[l->query_len - 3] = 1 + (uint8_t)((r >> 16) % 223);
				q[l->query_len - 2] = (uint8_t)(r >> 32);
				q[l->query_len - 1] = (uint8_t)(r >> 40);
			}
			l->asked_at[l->id] = now;
			parts[i] = (struct iovec){q, l->query_len};
			messages[i] =
			    (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
		}
		int sent = sendmmsg(l->fd, messages, (unsigned)n, 0);
		if (sent < 0)
			sent = 0; /* ECONNREFUSED and the like: not in flight, tried again */
		for (long i = sent; i < n; i++)
			l->asked_at[l->id--] = (mono_time){0};
		l->asked += sent;
		l->in_flight += sent;
		if (sent < n)
			return;
	}
}

static void take(struct load *l, const uint8_t *answer, size_t len, mono_time now)
{
	if (len < KNOT_WIRE_HEADER_SIZE)
		return;
	mono_time *asked_at = &l->asked_at[knot_wire_get_id(answer)];
	if (!asked_at->ns)
		return; /* of no question in flight: late or twice */
	load_latency_add(&l->latency, mono_since(now, *asked_at));
	*asked_at = (mono_time){0};
	l->in_flight--;
	if (len > l->question_end && knot_wire_get_qr(answer) &&
	    knot_wire_get_rcode(answer) == KNOT_RCODE_NOERROR &&
	    knot_wire_get_ancount(answer) > 0 && !knot_wire_get_tc(answer) &&
	    memcmp(answer + KNOT_WIRE_HEADER_SIZE, l->query + KNOT_WIRE_HEADER_SIZE,
		   l->question_end - KNOT_WIRE_HEADER_SIZE) == 0)
		l->answers++;
	else
		l->wrong++;
}

/* Takes what has come, waiting for at most 10 ms; gives up what is lost. */
static void listen_once(struct load *l)
{
	static uint8_t answers[BATCH][ANSWER_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	poll(&(struct pollfd){.fd = l->fd, .events = POLLIN}, 1, 10);
	int n = BATCH;
	while (n == BATCH) {
		for (int i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){answers[i], ANSWER_MAX};
			messages[i] =
			    (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
		}
		n = recvmmsg(l->fd, messages, BATCH, MSG_DONTWAIT, NULL);
		mono_time now = clock_mono();
		for (int i = 0; i < n; i++)
			take(l, answers[i], messages[i].msg_len, now);
		if (n > 0)
			l->last_answer = now;
	}
	if (l->in_flight && mono_reached(mono_add(l->last_answer, LOST), clock_mono())) {
		l->lost += l->in_flight;
		l->in_flight = 0;
		memset(l->asked_at, 0, sizeof(l->asked_at));
		l->last_answer = clock_mono();
	}
}

static void run(struct load *l, double seconds)
{
	mono_time began = clock_mono();
	mono_time end = mono_add(began, DUR_NS(seconds * 1e9));
	l->last_answer = began;
	while (!mono_reached(end, clock_mono())) {
		ask(l);
		listen_once(l);
	}
	while (l->in_flight)
		listen_once(l);
	double took = (double)mono_since(clock_mono(), began).ns / 1e9;
	load_print(json_pack("{s:I s:I s:I s:I s:f s:o}", "asked", (json_int_t)l->asked, "answers",
			     (json_int_t)l->answers, "wrong", (json_int_t)l->wrong, "lost",
			     (json_int_t)l->lost, "seconds", took, "latency_ms",
			     load_latency_json(&l->latency)));
}

static void usage(void)
{
	puts("usage: bench-dnsload [OPTION...] ADDRESS:PORT NAME\n"
	     "\n"
	     "Asks for the address of NAME by UDP, over and over; prints what came of it as JSON.\n"
	     "\n"
	     "  --seconds S   how long (5)\n"
	     "  --window N    questions in flight (256)\n"
	     "  --subnets     each from a random EDNS client subnet");
}

static const struct option options[] = {
    {"seconds", required_argument, NULL, 's'},
    {"window", required_argument, NULL, 'w'},
    {"subnets", no_argument, NULL, 'e'},
    {"help", no_argument, NULL, 'H'},
    {0},
};

int main(int argc, char **argv)
{
	static struct load load = {.window = 256, .random = 88172645463325252};
	struct load *l = &load;
	struct net_addr server;
	double seconds = 5;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			seconds = atof(optarg);
			break;
		case 'w':
			l->window = load_number("window", optarg, 1, 10000);
			break;
		case 'e':
			l->subnets = true;
			break;
		default:
			usage();
			return option == 'H' ? 0 : 2;
		}
	}
	if (argc - optind != 2 || !net_addr_parse(argv[optind], 53, &server)) {
		usage();
		return 2;
	}
	make_query(l, argv[optind + 1]);
	l->fd = socket(server.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Room for the whole window, or the generator itself would lose answers. */
	setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){8 << 20}, sizeof(int));
	if (l->fd < 0 || connect(l->fd, &server.sa, net_addr_len(&server)) != 0) {
		perror("socket");
		return 1;
	}
	run(l, seconds);
	close(l->fd);
	load_latency_fini(&l->latency);
	return 0;
}
