/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a ClientHello says about early data, before GnuTLS looks at it. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

/* More than any client has of either; who names more is refused early data. */
#define EARLY_HELLO_GROUPS 32

struct early_hello {
	bool offered;          /* early data follows it */
	const uint8_t *ticket; /* the first that it shows; in the message. NULL: none */
	unsigned ticket_len;
	uint16_t groups[EARLY_HELLO_GROUPS]; /* that it knows, the best first */
	unsigned n_groups;
	uint16_t shares[EARLY_HELLO_GROUPS]; /* and has made keys for */
	unsigned n_shares;
};

/* `message` as the library's hooks have it. What is malformed is the library's to find: what could
 * not be read is just not there. */
void early_hello_read(struct early_hello *hello, const gnutls_datum_t *message);
/* Whether the server, of that priority, will not ask for another key. GnuTLS (to 3.8.9) accepts
 * early data even so, and then cannot read the second ClientHello. Cautious: where that is not
 * certain, no. */
bool early_hello_goes_through(const struct early_hello *hello, gnutls_priority_t priority);
