/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The OPT of a response to a request that has one (RFC 6891 section 6.1). Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dns_facts;
struct dns_message;

/* Octets of the record, whatever the facts will be; 0 when there is to be none. */
size_t dns_edns_size(const struct dns_message *message);
/* Writes it, by what was answered. */
void dns_edns_write(const struct dns_message *message, const struct dns_facts *facts, uint8_t *out);
