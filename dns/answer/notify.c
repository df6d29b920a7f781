/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * NOTIFY (RFC 1996): no zone here is another server's copy, so there is nothing to be notified of.
 * Unlike REFUSED, NOTIMP ends the sender's retransmissions (section 4.8).
 */
#include "dns/answer/reply.h"

#include <libknot/consts.h>

enum dns_outcome dns_notify(struct dns_reply *reply)
{
	reply->facts->rcode = KNOT_RCODE_NOTIMPL;
	return DNS_REPLY;
}
