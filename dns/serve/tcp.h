/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * DNS over TCP (RFC 7766): one listener of one worker and the connections it accepted. Worker's
 * loop only.
 */
#pragma once

#include <stdbool.h>

#include "core/base/clock.h"

struct dns_service;
struct dns_tcp;

/* Connections of one listener, if the limit on open files allows so many. Who gives way to a
 * newcomer: dns/serve/holders.h. */
#define DNS_TCP_CONNECTIONS 256

/* From one answer to the next, and to take the responses. RFC 7766 section 6.2.3: some seconds. */
#define DNS_TCP_IDLE DUR_S(10)

/* For a message, from its first octet. Clients send one as a whole; 64 KiB over 100 kbit/s are
 * 5 s. */
#define DNS_TCP_MESSAGE DUR_S(5)

/* Consumes fd, a listening socket; serves from now on. */
struct dns_tcp *dns_tcp_create(struct dns_service *service, int fd);
/* Takes nobody on any more: answers what has been received, and ends each connection then. Once. */
void dns_tcp_finish(struct dns_tcp *tcp);
/* Whether that has been done; what was answered may still be on its way out
 * (stream_closing_is_owed()). */
bool dns_tcp_is_finished(const struct dns_tcp *tcp);
void dns_tcp_destroy(struct dns_tcp **tcp);
