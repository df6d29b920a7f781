/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * EDNS options (RFC 6891 section 6.1.2): a table of the codes that mean something to us, with what
 * reads each in a query and what writes it into the response. Others are passed over. Pure; any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer/ecs.h"

struct dns_facts;

struct dns_options {
	bool has_subnet;
	struct dns_ecs subnet; /* with has_subnet */
};

/* None. */
void dns_options_init(struct dns_options *options);

/* Of the OPT's data, after dns_options_init(). False when it is no list of options, or one of them
 * is not what it should be: a FORMERR; there are none then. */
bool dns_options_parse(struct dns_options *options, const uint8_t *data, size_t len);

/* The most that dns_options_write() writes: it is told what dns_options_size() says. */
#define DNS_OPTIONS_MAX (4 + DNS_ECS_MAX)

/* Octets of the options in the response, whatever the facts will be. */
size_t dns_options_size(const struct dns_options *options);
/* Writes them, by what was answered; returns how many octets. */
size_t dns_options_write(const struct dns_options *options, const struct dns_facts *facts,
			 uint8_t *out);
