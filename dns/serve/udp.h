/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over UDP: one socket of one worker, read and written in batches. Worker's loop only.
 */
#pragma once

#include <stdint.h>

struct dns_service;
struct dns_udp;
struct net_addr;

/* Consumes fd, a bound socket (see dns_udp_bind()); serves from now on. */
struct dns_udp *dns_udp_create(struct dns_service *service, int fd);
/* Answers what has been received, and destroys. */
void dns_udp_finish(struct dns_udp **udp);
void dns_udp_destroy(struct dns_udp **udp);

/* Any thread. */

/* A socket with the options that dns_udp_create() relies on, or a negative errno. */
int dns_udp_bind(const struct net_addr *addr);
/* How many datagrams the kernel has dropped that were for the socket: it was full, or they were
 * broken. From 0 again after 2^32. */
uint32_t dns_udp_drops(int fd);
