/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/options.h"

#include <libknot/consts.h>
#include <libknot/rrtype/opt.h>
#include <libknot/wire.h>

#include "core/base/check.h"
#include "dns/answer/answer.h"

/* Code and length, before an option's data. */
#define OPTION_FIXED 4

/* One code. Given twice, the first counts. */
struct option_kind {
	uint16_t code;
	bool (*is_set)(const struct dns_options *options);
	/* False: a FORMERR. */
	bool (*parse)(struct dns_options *options, const uint8_t *data, size_t len);
	/* With is_set: what the response's data take, and the data, of that size. */
	size_t (*size)(const struct dns_options *options);
	size_t (*write)(const struct dns_options *options, const struct dns_facts *facts,
			uint8_t *data);
};

static bool has_subnet(const struct dns_options *options)
{
	return options->has_subnet;
}

static bool parse_subnet(struct dns_options *options, const uint8_t *data, size_t len)
{
	options->has_subnet = dns_ecs_parse(&options->subnet, data, len);
	return options->has_subnet;
}

static size_t size_of_subnet(const struct dns_options *options)
{
	return dns_ecs_size(&options->subnet);
}

static size_t write_subnet(const struct dns_options *options, const struct dns_facts *facts,
			   uint8_t *data)
{
	/* A client that keeps its network to itself is told that any would do. */
	return dns_ecs_write(&options->subnet, options->subnet.source.len > 0 ? facts->scope : 0,
			     data);
}

static const struct option_kind kinds[] = {
    {KNOT_EDNS_OPTION_CLIENT_SUBNET, has_subnet, parse_subnet, size_of_subnet, write_subnet},
};

void dns_options_init(struct dns_options *options)
{
	options->has_subnet = false;
}

static bool parse_one(struct dns_options *options, uint16_t code, const uint8_t *data, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].code == code && !kinds[i].is_set(options))
			return kinds[i].parse(options, data, len);
	}
	return true;
}

/* The option that data begins with, and what it takes; 0: a fault. */
static size_t parse_first(struct dns_options *options, const uint8_t *data, size_t len)
{
	if (len < OPTION_FIXED)
		return 0;
	uint16_t code = knot_wire_read_u16(data), size = knot_wire_read_u16(data + 2);

	if (size > len - OPTION_FIXED || !parse_one(options, code, data + OPTION_FIXED, size))
		return 0;
	return OPTION_FIXED + size;
}

bool dns_options_parse(struct dns_options *options, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t size = parse_first(options, data, len);

		if (size == 0) {
			dns_options_init(options);
			return false;
		}
		data += size;
		len -= size;
	}
	return true;
}

size_t dns_options_size(const struct dns_options *options)
{
	size_t sum = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].is_set(options))
			sum += OPTION_FIXED + kinds[i].size(options);
	}
	return sum;
}

size_t dns_options_write(const struct dns_options *options, const struct dns_facts *facts,
			 uint8_t *out)
{
	uint8_t *at = out;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!kinds[i].is_set(options))
			continue;
		size_t size = kinds[i].write(options, facts, at + OPTION_FIXED);

		knot_wire_write_u16(at, kinds[i].code);
		knot_wire_write_u16(at + 2, size);
		at += OPTION_FIXED + size;
	}
	return at - out;
}
