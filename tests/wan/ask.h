/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One question to one name server, as a client's own resolver would ask it.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "core/base/clock.h"

/* Asks `server` ("ADDRESS:PORT", and no other, whatever the machine's resolv.conf says) for the
 * IPv4 address of `host`. On failure says why on stderr and returns false. Waits at most until
 * `end`. */
bool ask_address(const char *server, const char *host, mono_time end, struct in_addr *address);
