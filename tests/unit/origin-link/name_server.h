/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A name server on the test's own loop: it answers every A query with what the test has set at the
 * moment, and every AAAA query likewise.
 */
#pragma once

#include <stdbool.h>

#include "core/base/addr.h"
#include "core/loop/loop.h"

#define NAME_SERVER_ADDRS_MAX 20

struct name_server {
	int fd;
	struct event *ev;
	char text[NET_ADDR_TEXT]; /* its address */
	int rcode;
	const char *a[NAME_SERVER_ADDRS_MAX + 1]; /* IPv4 addresses, in the order they are sent */
	const char *aaaa[NAME_SERVER_ADDRS_MAX + 1];
	uint32_t ttl;
	bool silent;
	unsigned n_asked;
	struct loop *loop; /* stopped when asked and silent */
};

void name_server_init(struct name_server *ns, struct loop *loop);
void name_server_fini(struct name_server *ns);
