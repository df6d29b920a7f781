/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * UPDATE (RFC 2136): zones change with their files only.
 */
#include "dns/answer/reply.h"

#include <libknot/consts.h>

enum dns_outcome dns_update(struct dns_reply *reply)
{
	reply->facts->rcode = KNOT_RCODE_NOTIMPL;
	return DNS_REPLY;
}
