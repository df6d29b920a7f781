/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See name_server.h. Just enough of RFC 1035 for c-ares.
 */
#include "tests/unit/origin-link/name_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"

#define TYPE_A 1
#define TYPE_AAAA 28

/* Not what c-ares asks when it knows of no name server. */
#define NAME_SERVER_IP "127.0.0.2"

static size_t put_answer(uint8_t *out, const char *text, uint32_t ttl)
{
	struct net_addr addr;
	const uint8_t fixed[] = {0xc0, 12, 0, 1, 0, 1}; /* the asked name, A, IN */
	size_t len = 4;

	CHECK(net_addr_parse(text, 0, &addr));
	memcpy(out, fixed, 6);
	memcpy(out + 12, &addr.in.sin_addr, 4);
	if (addr.sa.sa_family == AF_INET6) {
		len = 16;
		out[3] = TYPE_AAAA;
		memcpy(out + 12, &addr.in6.sin6_addr, 16);
	}
	memcpy(out + 6, &(uint32_t){htonl(ttl)}, 4);
	memcpy(out + 10, &(uint16_t){htons(len)}, 2);
	return 12 + len;
}

static size_t put_name(uint8_t *out, const char *name)
{
	size_t n = 0;

	while (*name) {
		size_t len = strcspn(name, ".");

		out[n++] = (uint8_t)len;
		memcpy(out + n, name, len);
		n += len;
		name += len + (name[len] == '.');
	}
	out[n++] = 0;
	return n;
}

static size_t put_srv(uint8_t *out, const char *text, uint32_t ttl)
{
	const uint8_t fixed[] = {0xc0, 12, 0, SRV_TYPE, 0, SRV_CLASS};
	unsigned numbers[3];
	char target[256];
	size_t len;

	CHECK(sscanf(text, "%u %u %u %255s", &numbers[0], &numbers[1], &numbers[2], target) == 4);
	memcpy(out, fixed, 6);
	memcpy(out + 6, &(uint32_t){htonl(ttl)}, 4);
	for (unsigned i = 0; i < 3; i++)
		memcpy(out + 12 + 2 * i, &(uint16_t){htons(numbers[i])}, 2);
	len = 6 + put_name(out + 18, strcmp(target, ".") == 0 ? "" : target);
	memcpy(out + 10, &(uint16_t){htons(len)}, 2);
	return 12 + len;
}

/* What an A query for the name at `at` gets. */
static const char *const *addresses_of(const struct name_server *ns, const uint8_t *at)
{
	static const char *one[2];
	uint8_t wire[256];

	for (unsigned i = 0; ns->hosts[i].name; i++) {
		size_t len = put_name(wire, ns->hosts[i].name);

		if (memcmp(wire, at, len) != 0)
			continue;
		one[0] = *ns->hosts[i].a ? ns->hosts[i].a : NULL;
		return one;
	}
	return ns->a;
}

void name_server_answer(struct name_server *ns)
{
	uint8_t packet[NAME_SERVER_PACKET_MAX];
	size_t end = 12;
	uint16_t type, answers = 0;
	const char *const *texts;

	memcpy(packet, ns->question, ns->n_question);
	while (packet[end])
		end += packet[end] + 1;
	end += 5;
	memcpy(&type, packet + end - 4, 2);
	packet[2] = 0x85; /* answer, authoritative, recursion desired */
	packet[3] = 0x80 | ns->rcode;
	type = ntohs(type);
	texts = type == TYPE_A ? addresses_of(ns, packet + 12) : ns->aaaa;
	if (type == SRV_TYPE)
		texts = ns->srv;
	for (; ns->rcode == 0 && texts[answers]; answers++)
		end += (type == SRV_TYPE ? put_srv : put_answer)(packet + end, texts[answers],
								 ns->ttl);
	packet[6] = 0;
	packet[7] = answers;
	memset(packet + 8, 0, 4);
	if (ns->twist)
		end = ns->twist(ns, packet, end);
	sendto(ns->fd, packet, end, 0, &ns->asker.sa, net_addr_len(&ns->asker));
}

static void query_cb(evutil_socket_t fd, short what, void *arg)
{
	struct name_server *ns = arg;
	socklen_t len = sizeof(ns->asker);
	ssize_t n = recvfrom(fd, ns->question, sizeof(ns->question), 0, &ns->asker.sa, &len);

	if (n < 17)
		return;
	ns->n_question = n;
	ns->n_asked++;
	if (ns->silent)
		loop_stop_mt(ns->loop);
	else
		name_server_answer(ns);
}

void name_server_init(struct name_server *ns, struct loop *loop)
{
	struct net_addr addr;

	CHECK(net_addr_parse(NAME_SERVER_IP ":0", 0, &addr));
	*ns = (struct name_server){.loop = loop, .fd = sock_bind_udp(&addr)};
	CHECK(ns->fd >= 0 && sock_local_addr(ns->fd, &addr) == 0);
	strcpy(ns->folder, "/tmp/name-server-XXXXXX");
	CHECK(mkdtemp(ns->folder));
	snprintf(ns->resolv_conf, sizeof(ns->resolv_conf), "%s/resolv.conf", ns->folder);
	ns->sources.resolv_conf = ns->resolv_conf;
	ns->sources.port = net_addr_port(&addr);
	name_server_write_own_conf(ns);
	ns->ev = event_new(loop_base(loop), ns->fd, EV_READ | EV_PERSIST, query_cb, ns);
	CHECK(ns->ev && event_add(ns->ev, NULL) == 0);
}

void name_server_write_conf(struct name_server *ns, const char *text)
{
	char *path = xasprintf("%s.new", ns->resolv_conf);
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
	CHECK(rename(path, ns->resolv_conf) == 0);
	free(path);
}

void name_server_write_own_conf(struct name_server *ns)
{
	name_server_write_conf(ns, "nameserver " NAME_SERVER_IP "\n");
}

void name_server_fini(struct name_server *ns)
{
	unlink(ns->resolv_conf);
	CHECK(rmdir(ns->folder) == 0);
	event_free(ns->ev);
	close(ns->fd);
}
