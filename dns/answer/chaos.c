/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Class CH, where servers tell their names and versions (version.bind, id.server): nobody is told,
 * for what runs here is nobody's business but the operator's.
 */
#include "dns/answer/reply.h"

#include <libknot/consts.h>

enum dns_outcome dns_chaos(struct dns_reply *reply)
{
	reply->facts->rcode = KNOT_RCODE_REFUSED;
	return DNS_REPLY;
}
