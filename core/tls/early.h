/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Early data (0-RTT, RFC 8446 section 2.3), which whoever has recorded it may send again: the
 * register of the tickets that may still carry some. A ticket is put in when it is given out, and
 * taken out by the first connection that sends early data with it: so each is good for that once
 * (RFC 8446 section 8.1), and only in the process that has given it out. All others are refused it,
 * which costs them no more than the round trip that they would have saved.
 *
 * It is a table of atomics of a fixed size: when there are more tickets, old ones give way. Shared
 * by all threads; a process has one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

struct tls_early;

/* The most that any server may let its clients send. */
#define TLS_EARLY_MAX (64 * 1024)
/* Of how many tickets it knows, at 8 bytes each. */
#define TLS_EARLY_TICKETS 65536

struct tls_early *tls_early_create(void);
void tls_early_destroy(struct tls_early **early);

/* What a ticket is called in here; never 0. A client that speaks another protocol than when it was
 * given the ticket is not the same (RFC 8446 section 4.2.10); NULL: none. */
uint64_t tls_early_key(const struct tls_early *early, const void *ticket, size_t n,
		       const gnutls_datum_t *alpn);
void tls_early_put(struct tls_early *early, uint64_t key);
/* False: it is not in here, or somebody has just taken it. */
bool tls_early_take(struct tls_early *early, uint64_t key);

/* For gnutls_anti_replay_enable() of a session whose ticket was taken. */
gnutls_anti_replay_t tls_early_anti_replay(const struct tls_early *early);
