/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP (RFC 7766): one listener of one worker and the connections it accepted. Worker's
 * loop only.
 */
#pragma once

#include "core/base/clock.h"

struct dns_service;
struct dns_tcp;

/* Connections of one listener, if the limit on open files allows so many. A newcomer over it
 * replaces the one that was quiet for longest. */
#define DNS_TCP_CONNECTIONS 256

/* From one query to the next, and to take the responses. RFC 7766 section 6.2.3: some seconds. */
#define DNS_TCP_IDLE DUR_S(10)

/* Consumes fd, a listening socket; serves from now on. */
struct dns_tcp *dns_tcp_create(struct dns_service *service, int fd);
void dns_tcp_destroy(struct dns_tcp **tcp);
