/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wan-line: the delay line. Reads the description of a world (world.h), makes a network namespace
 * for each host, and carries IP packets between them as the paths say, in one thread, until its
 * standard input closes or it is told to end. Only the kernel's TCP stands at both ends; nothing
 * here looks at a packet beyond its destination.
 *
 * It says one line of JSON on stdout when the hosts can be entered (nsenter --net=/proc/PID/fd/N)
 * and one at the end, with what became of the packets of each path.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "tests/wan/host.h"
#include "tests/wan/world.h"

/* What `make check` and our scripts count as skipped. */
#define EXIT_SKIPPED 77
/* So long before a packet is due the thread stops sleeping and watches the clock: to wake it from
 * sleep takes up to this long on a virtual machine. */
#define WATCH DUR_US(100)
/* Packets of one host in a row, before others get their turn. */
#define BURST 64
#define PACKET_SIZE 2048

struct line {
	struct world *world;
	struct host hosts[WORLD_MAX_HOSTS];
	uint64_t strays; /* packets without a path, or not taken by the host's own kernel */
	int epoll, signals;
};

static void usage(FILE *out)
{
	fputs("usage: wan-line [--seed N] WORLD\n\n"
	      "Joins network namespaces by paths with delay, jitter, loss and rate, as the file "
	      "WORLD\n"
	      "describes them, until its standard input closes. Needs root (CAP_SYS_ADMIN and\n"
	      "CAP_NET_ADMIN) and /dev/net/tun; exits with 77 where they are not to be had.\n"
	      "  --seed N   begins the dice of loss and jitter (1)\n",
	      out);
}

/* All packets that are due, in the order of their times: a host hears two others in that order. */
static bool deliver(struct line *line, mono_time now, mono_time *next)
{
	struct world *world = line->world;

	for (;;) {
		struct path *soonest = NULL;
		struct path_packet *packet;
		size_t to_host = 0;
		mono_time due;

		for (size_t from = 0; from < world->host_count; from++) {
			for (size_t to = 0; to < world->host_count; to++) {
				struct path *path = world->paths[from][to];

				if (path && path_due(path, &due) &&
				    (!soonest || due.ns < next->ns)) {
					soonest = path;
					to_host = to;
					*next = due;
				}
			}
		}
		if (!soonest)
			return false;
		packet = path_take(soonest, now);
		if (!packet)
			return true;
		if (write(line->hosts[to_host].device, packet->bytes, packet->length) < 0)
			line->strays++;
		free(packet);
	}
}

static void carry(struct line *line, size_t from, const uint8_t *bytes, size_t length)
{
	struct iphdr ip;
	int to;

	/* IPv6, such as the kernel's own solicitations, goes nowhere. */
	if (length < sizeof(ip) || bytes[0] >> 4 != 4)
		return;
	memcpy(&ip, bytes, sizeof(ip));
	to = world_find_address(line->world, (struct in_addr){ip.daddr});
	if (to < 0 || !line->world->paths[from][to])
		line->strays++;
	else
		path_put(line->world->paths[from][to], bytes, length, clock_mono());
}

static void read_host(struct line *line, size_t from)
{
	uint8_t bytes[PACKET_SIZE];

	for (int i = 0; i < BURST; i++) {
		ssize_t length = read(line->hosts[from].device, bytes, sizeof(bytes));

		if (length < 0)
			break;
		carry(line, from, bytes, (size_t)length);
	}
}

static bool watch(struct line *line, int fd, uint32_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(line->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Tags of what is not a host. */
enum { TAG_SIGNAL = WORLD_MAX_HOSTS, TAG_INPUT };

static bool input_closed(void)
{
	char ignored[64];
	ssize_t got = read(STDIN_FILENO, ignored, sizeof(ignored));

	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Waits for packets until shortly before the next is due; false when it is time to end. */
static bool wait_and_read(struct line *line, const mono_time *next)
{
	struct epoll_event events[TAG_INPUT + 1];
	struct timespec timeout = {0};
	int count;

	if (next) {
		int64_t ns = mono_since(*next, clock_mono()).ns - WATCH.ns;

		if (ns > 0)
			timeout = (struct timespec){ns / 1000000000, ns % 1000000000};
	}
	count = epoll_pwait2(line->epoll, events, ARRAY_SIZE(events), next ? &timeout : NULL, NULL);
	for (int i = 0; i < count; i++) {
		uint32_t tag = events[i].data.u32;

		if (tag == TAG_SIGNAL || (tag == TAG_INPUT && input_closed()))
			return false;
		if (tag < WORLD_MAX_HOSTS)
			read_host(line, tag);
	}
	return count >= 0 || errno == EINTR;
}

static void say_ready(const struct line *line)
{
	printf("{\"pid\": %d, \"hosts\": {", (int)getpid());
	for (size_t i = 0; i < line->world->host_count; i++)
		printf("%s\"%s\": \"/proc/%d/fd/%d\"", i ? ", " : "", line->world->hosts[i].name,
		       (int)getpid(), line->hosts[i].space);
	printf("}}\n");
	fflush(stdout);
}

static void say_path(const struct world *world, size_t from, size_t to, bool first)
{
	const struct path *path = world->paths[from][to];
	const struct path_counters *c = &path->counters;

	printf("%s{\"from\": \"%s\", \"to\": \"%s\", \"sent\": %" PRIu64
	       ", \"sent_bytes\": %" PRIu64 ", \"delivered\": %" PRIu64
	       ", \"delivered_bytes\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"dropped\": %" PRIu64
	       ", \"under_way\": %" PRIu64 "}",
	       first ? "" : ", ", world->hosts[from].name, world->hosts[to].name, c->sent,
	       c->sent_bytes, c->delivered, c->delivered_bytes, c->lost, c->dropped,
	       path_under_way(path));
}

static void say_counters(const struct line *line)
{
	const struct world *world = line->world;
	bool first = true;

	printf("{\"strays\": %" PRIu64 ", \"paths\": [", line->strays);
	for (size_t from = 0; from < world->host_count; from++) {
		for (size_t to = 0; to < world->host_count; to++) {
			if (!world->paths[from][to])
				continue;
			say_path(world, from, to, first);
			first = false;
		}
	}
	printf("]}\n");
	fflush(stdout);
}

/* To sleep exactly, and to run when woken. Without the permission for the latter the line works
 * too, less exactly on a busy machine: its self-check then says so. */
static void be_punctual(void)
{
	struct sched_param first = {.sched_priority = 1};

	prctl(PR_SET_TIMERSLACK, 1UL);
	sched_setscheduler(0, SCHED_FIFO, &first);
}

static bool listen_to_all(struct line *line)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	line->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	line->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (line->signals < 0 || line->epoll < 0 || !watch(line, line->signals, TAG_SIGNAL))
		return false;
	/* A file, such as /dev/null, cannot be waited for: then only a signal ends the line. */
	if (!watch(line, STDIN_FILENO, TAG_INPUT) && errno != EPERM)
		return false;
	for (size_t i = 0; i < line->world->host_count; i++) {
		if (!watch(line, line->hosts[i].device, (uint32_t)i))
			return false;
	}
	return true;
}

static int run(struct line *line)
{
	bool forbidden = false, waiting = false;
	mono_time next = {0};

	for (size_t i = 0; i < line->world->host_count; i++) {
		if (host_create(&line->hosts[i], &line->world->hosts[i], line->world, &forbidden))
			continue;
		if (!forbidden)
			return 1;
		fputs("wan-line: run it as root (it needs CAP_SYS_ADMIN and CAP_NET_ADMIN) where "
		      "/dev/net/tun is to be had (modprobe tun; in a container: --device "
		      "/dev/net/tun)\n",
		      stderr);
		return EXIT_SKIPPED;
	}
	if (!listen_to_all(line)) {
		perror("wan-line: epoll");
		return 1;
	}
	be_punctual();
	say_ready(line);
	while (wait_and_read(line, waiting ? &next : NULL))
		waiting = deliver(line, clock_mono(), &next);
	say_counters(line);
	return 0;
}

static struct world *read_world(const char *file, uint64_t seed)
{
	FILE *stream = fopen(file, "re");
	struct world *world;

	if (!stream) {
		perror(file);
		return NULL;
	}
	world = world_read(file, stream, seed);
	fclose(stream);
	return world;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct line line = {.hosts = {{0}}};
	uint64_t seed = 1;
	int option, code;

	/* Whoever started it and is gone can no longer close its input in an orderly way. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's') {
			seed = strtoull(optarg, NULL, 10);
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind != argc - 1) {
		usage(stderr);
		return 2;
	}
	line.world = read_world(argv[optind], seed);
	if (!line.world)
		return 1;
	for (size_t i = 0; i < WORLD_MAX_HOSTS; i++)
		line.hosts[i] = (struct host){.space = -1, .device = -1};
	code = run(&line);
	for (size_t i = 0; i < WORLD_MAX_HOSTS; i++)
		host_destroy(&line.hosts[i]);
	world_destroy(line.world);
	return code;
}
