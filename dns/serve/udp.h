/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over UDP: one socket of one worker, read and written in batches. Worker's loop only.
 */
#pragma once

struct dns_service;
struct dns_udp;
struct net_addr;

/* Consumes fd, a bound socket (see dns_udp_bind()); serves from now on. */
struct dns_udp *dns_udp_create(struct dns_service *service, int fd);
void dns_udp_destroy(struct dns_udp **udp);

/* A socket with the options that dns_udp_create() relies on, or a negative errno. Any thread. */
int dns_udp_bind(const struct net_addr *addr);
