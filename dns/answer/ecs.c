/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/ecs.h"

#include <string.h>

enum { FAMILY_NONE = 0, FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

bool dns_ecs_parse(struct dns_ecs *ecs, const uint8_t *data, unsigned len)
{
	if (len < 4)
		return false;
	unsigned source_len = data[2], scope_len = data[3], octets = (source_len + 7) / 8;

	*ecs = (struct dns_ecs){.family = (uint16_t)(data[0] << 8 | data[1])};
	switch (ecs->family) {
	case FAMILY_NONE: /* dig +subnet=0 says so */
		if (source_len != 0)
			return false;
		ecs->source.family = AF_INET;
		break;
	case FAMILY_IPV4:
		if (source_len > 32)
			return false;
		ecs->source.family = AF_INET;
		break;
	case FAMILY_IPV6:
		if (source_len > 128)
			return false;
		ecs->source.family = AF_INET6;
		break;
	default:
		return false;
	}
	/* Exactly the octets that the length needs, and no bit past it. */
	if (scope_len != 0 || len != 4 + octets)
		return false;
	if (source_len % 8 != 0 && (data[4 + octets - 1] & (0xff >> source_len % 8)) != 0)
		return false;
	ecs->source.len = source_len;
	memcpy(ecs->source.bytes, data + 4, octets);
	return true;
}

unsigned dns_ecs_size(const struct dns_ecs *ecs)
{
	return 4 + (ecs->source.len + 7) / 8;
}

unsigned dns_ecs_write(const struct dns_ecs *ecs, uint8_t scope, uint8_t out[DNS_ECS_MAX])
{
	unsigned size = dns_ecs_size(ecs);

	out[0] = ecs->family >> 8;
	out[1] = ecs->family & 0xff;
	out[2] = ecs->source.len;
	out[3] = scope;
	memcpy(out + 4, ecs->source.bytes, size - 4);
	return size;
}
