/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * By which name a ticket says the key that it is encrypted with. GnuTLS takes one secret for a
 * session and makes keys of it, one for each period; the first bytes of a ticket are the name of
 * its key. Which of several secrets a ticket needs is known by computing those names, as GnuTLS
 * does (lib/stek.c, from 3.6.14 on). Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/base/clock.h"

#define TICKET_SECRET_SIZE 64
#define TICKET_NAME_SIZE 16

/* Tickets are valid for `lifetime`, whole seconds, which is what the length of a period depends on.
 * `t`: seconds since 1970. */
uint64_t ticket_period(duration lifetime, time_t t);
void ticket_name(const uint8_t secret[TICKET_SECRET_SIZE], uint64_t period,
		 uint8_t name[TICKET_NAME_SIZE]);
/* Whether this GnuTLS names its keys in that way: found by a handshake in memory, of less than a
 * millisecond. Where it does not, tickets of any but the secret that a session begins with lead to
 * a full handshake. */
bool ticket_names_hold(void);
