/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * AXFR (RFC 5936) and IXFR (RFC 1995): nobody may copy a zone. REFUSED also for zones that are not
 * here, as whoever may not have them need not know which are.
 */
#include "dns/answer/reply.h"

#include <libknot/consts.h>

enum dns_outcome dns_transfer(struct dns_reply *reply)
{
	reply->facts->rcode = KNOT_RCODE_REFUSED;
	return DNS_REPLY;
}
