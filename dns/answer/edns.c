/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/answer/edns.h"

#include <libknot/descriptor.h>
#include <libknot/rrtype/opt.h>
#include <libknot/wire.h>

#include "dns/answer/answer.h"
#include "dns/answer/message.h"

/* An OPT without options: the root, type, payload, extended rcode, version, flags and length. */
#define OPT_FIXED 11

#define FLAG_DO 0x8000

size_t dns_edns_size(const struct dns_message *m)
{
	return m->has_edns ? OPT_FIXED + dns_options_size(&m->options) : 0;
}

void dns_edns_write(const struct dns_message *m, const struct dns_facts *facts, uint8_t *out)
{
	out[0] = 0;
	knot_wire_write_u16(out + 1, KNOT_RRTYPE_OPT);
	knot_wire_write_u16(out + 3, DNS_UDP_PAYLOAD);
	out[5] = facts->rcode >> 4;
	out[6] = KNOT_EDNS_VERSION;
	knot_wire_write_u16(out + 7, m->dnssec_ok ? FLAG_DO : 0);
	knot_wire_write_u16(out + 9, dns_options_write(&m->options, facts, out + OPT_FIXED));
}
