/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A name server on the test's own loop: it answers every A query with what the test has set at the
 * moment, and every AAAA and SRV query likewise.
 */
#pragma once

#include <stdbool.h>

#include "core/base/addr.h"
#include "core/loop/loop.h"
#include "origin-link/servers/resolver.h"

#define NAME_SERVER_ADDRS_MAX 20
#define NAME_SERVER_HOSTS_MAX 8
#define NAME_SERVER_PACKET_MAX 1024

struct name_server {
	int fd;
	struct event *ev;
	/* For resolver_create(): a resolv.conf that names it, in a folder of its own. */
	struct resolver_sources sources;
	char folder[32], resolv_conf[48];
	int rcode;
	const char *a[NAME_SERVER_ADDRS_MAX + 1]; /* IPv4 addresses, in the order they are sent */
	const char *aaaa[NAME_SERVER_ADDRS_MAX + 1];
	const char *srv[NAME_SERVER_ADDRS_MAX + 1]; /* "priority weight port target" */
	/* Those that have another address than all others; "": none. */
	struct {
		const char *name, *a;
	} hosts[NAME_SERVER_HOSTS_MAX + 1];
	uint32_t ttl;
	bool silent;
	unsigned n_asked;
	/* What it does to its answer of so many bytes, in a buffer of NAME_SERVER_PACKET_MAX; may
	 * be NULL. Returns the length. */
	size_t (*twist)(struct name_server *ns, uint8_t *packet, size_t n);
	/* What it was asked last. */
	uint8_t question[512];
	size_t n_question;
	struct net_addr asker;
	struct loop *loop; /* stopped when asked and silent */
};

void name_server_init(struct name_server *ns, struct loop *loop);
/* Answers what it was asked last, once more or at last. */
void name_server_answer(struct name_server *ns);
/* What the resolv.conf says from now on: written anew, and renamed into place. */
void name_server_write_conf(struct name_server *ns, const char *text);
/* That it names this one. */
void name_server_write_own_conf(struct name_server *ns);
void name_server_fini(struct name_server *ns);
