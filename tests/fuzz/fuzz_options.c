/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes EDNS options: the input is the data of a query's OPT. Whatever is taken is answered by as
 * many octets as were announced for it, and these are options again, of codes that were asked.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/rrtype/opt.h>
#include <libknot/wire.h>

#include "core/base/check.h"
#include "dns/answer/answer.h"
#include "dns/answer/options.h"

/* Follows the list of options to one of that code; NULL: there is none. */
static const uint8_t *find(const uint8_t *at, const uint8_t *end, unsigned code)
{
	while (at < end) {
		CHECK(end - at >= 4 && end - at - 4 >= knot_wire_read_u16(at + 2));
		if (knot_wire_read_u16(at) == code)
			return at;
		at += 4 + knot_wire_read_u16(at + 2);
	}
	return NULL;
}

/* The network that was asked for comes back, with the scope and nothing else changed. */
static void check_subnet(const struct dns_options *options, const uint8_t *asked,
			 const uint8_t *answered, uint8_t scope)
{
	unsigned size = knot_wire_read_u16(asked + 2);

	CHECK(options->subnet.source.len <= 128);
	CHECK(size == dns_ecs_size(&options->subnet) && size <= DNS_ECS_MAX);
	CHECK(memcmp(asked, answered, 7) == 0);
	CHECK(answered[7] == (options->subnet.source.len > 0 ? scope : 0));
	CHECK(memcmp(asked + 8, answered + 8, size - 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_options options;
	struct dns_facts facts = {.scope = 17};
	uint8_t out[DNS_OPTIONS_MAX + 1];
	const uint8_t *asked, *answered;
	size_t len;

	if (size > UINT16_MAX)
		return 0;
	dns_options_init(&options);
	if (!dns_options_parse(&options, data, size)) {
		CHECK(!options.has_subnet && dns_options_size(&options) == 0);
		return 0;
	}
	len = dns_options_size(&options);
	CHECK(len <= DNS_OPTIONS_MAX);
	memset(out, 0xa5, sizeof(out));
	dns_options_write(&options, &facts, out);
	CHECK(out[len] == 0xa5);
	asked = find(data, data + size, KNOT_EDNS_OPTION_CLIENT_SUBNET);
	answered = find(out, out + len, KNOT_EDNS_OPTION_CLIENT_SUBNET);
	CHECK((asked != NULL) == options.has_subnet && (answered != NULL) == options.has_subnet);
	if (asked != NULL)
		check_subnet(&options, asked, answered, facts.scope);
	return 0;
}
