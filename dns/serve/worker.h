/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The workers of the responder and their sockets. Created and destroyed by the control thread while
 * the workers do not run; dns_workers_serve() hands them their sockets while they do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cfg_addrs;
struct cfg_fleet;
struct cfg_nameserver;
struct descriptor_budget;
struct dns_workers;
struct loop_group;
struct metrics;
struct net_addr;
struct snapshot_slot;

/* How many TCP connections the limit on open files allows. `open`: descriptors of the process
 * before it had any loops. False, said in the log, when there are too few to run with. */
bool dns_workers_plan(const struct cfg_fleet *fleet, const struct cfg_nameserver *node,
		      unsigned n_workers, uint64_t open, struct descriptor_budget *budget);

/* `budget`: by dns_workers_plan(). */
struct dns_workers *dns_workers_create(struct loop_group *group, struct snapshot_slot *views,
				       struct metrics *metrics,
				       const struct descriptor_budget *budget);
/* After the workers were joined. */
void dns_workers_destroy(struct dns_workers **workers);

/* Binds every address for UDP and TCP, once for each worker. A port of 0 is chosen by the kernel,
 * the same for UDP and TCP. `bound` (as many as `listen`) becomes what was bound; IPv6 any becomes
 * IPv4 any where there is no IPv6. False when any
 * could not be, each of which was logged. Once. */
bool dns_workers_bind(struct dns_workers *workers, const struct cfg_addrs *listen,
		      struct net_addr *bound);
/* From here on they answer; what has come meanwhile, too. Once. */
void dns_workers_serve(struct dns_workers *workers);
/* Datagrams that the kernel has dropped. */
uint64_t dns_workers_receive_drops(const struct dns_workers *workers);
/* They take nobody on any more, answer what has been received, and end their connections. Each then
 * has finished(arg) called on control, perhaps after the workers were destroyed. Once, after
 * dns_workers_serve(). */
void dns_workers_finish(struct dns_workers *workers, void (*finished)(void *arg), void *arg);
