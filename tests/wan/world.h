/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The description of a small world: hosts, the paths between them and the kernel settings of all
 * hosts, one a line.
 *
 *     host NAME ADDRESS
 *     path A B rtt=86ms [jitter=2ms] [loss=1%] [rate=100Mbit] [queue=100ms]
 *     sysctl net.ipv4.tcp_no_metrics_save 1
 *
 * A path goes both ways: rtt is shared by the two, all else holds for each. # begins a comment.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>

#include "tests/wan/path.h"

#define WORLD_MAX_HOSTS 32
#define WORLD_NAME_SIZE 32

struct world_host {
	char name[WORLD_NAME_SIZE];
	struct in_addr address;
};

struct world_sysctl {
	char *name, *value;
	int line;
};

struct world {
	const char *file;
	size_t host_count, sysctl_count;
	struct world_host hosts[WORLD_MAX_HOSTS];
	/* [from][to]; NULL: there is no path */
	struct path *paths[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS];
	struct world_sysctl *sysctls;
};

/* Reads the description; `seed` begins the dice of all paths, each in its own way. On the first
 * fault it says "file:line: what" on stderr and returns NULL. `file` must outlive the world. */
struct world *world_read(const char *file, FILE *stream, uint64_t seed);
void world_destroy(struct world *world);

/* The index of the host that has the address, or -1. */
int world_find_address(const struct world *world, struct in_addr address);
