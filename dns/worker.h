/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The workers of the responder and their sockets. Created and destroyed by the control thread while
 * the workers do not run; dns_workers_listen() hands them sockets while they do.
 */
#pragma once

#include <stdbool.h>

struct cfg_fleet;
struct cfg_nameserver;
struct descriptor_budget;

struct cfg_addrs;
struct dns_workers;
struct loop_group;
struct metrics;
struct net_addr;
struct snapshot_slot;

/* How many TCP connections the limit on open files allows; before anything is opened. False, said
 * in the log, when there are too few descriptors to run with. */
bool dns_workers_plan(const struct cfg_fleet *fleet, const struct cfg_nameserver *node,
		      unsigned n_workers, struct descriptor_budget *budget);

/* `budget`: by dns_workers_plan(). */
struct dns_workers *dns_workers_create(struct loop_group *group, struct snapshot_slot *views,
				       struct metrics *metrics,
				       const struct descriptor_budget *budget);
/* After the workers were joined. */
void dns_workers_destroy(struct dns_workers **workers);

/* Binds every address for UDP and TCP, once for each worker, and has them served. A port of 0 is
 * chosen by the kernel, the same for UDP and TCP. `bound` (as many as `listen`) becomes what was
 * bound. False with *error (malloc'd, caller frees); then nothing is served. Once. */
bool dns_workers_listen(struct dns_workers *workers, const struct cfg_addrs *listen,
			struct net_addr *bound, char **error);
