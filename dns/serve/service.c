/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One query, from the view to the counters and the log. Worker's loop.
 */
#define LOG_MODULE LOG_DNS
#include "dns/serve/service.h"

#include <libknot/codes.h>
#include <libknot/packet/wire.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/loop/loop.h"
#include "dns/answer/answer.h"
#include "dns/serve/counters.h"
#include "dns/view/view.h"
#include "dns/zone/name.h"

/* `size` of the response; 0: there is none. */
static void trace(const struct dns_service *s, const struct dns_request *request, size_t size)
{
	const struct dns_facts *facts = dns_answerer_facts(s->answerer);
	const uint8_t *name = request->wire + KNOT_WIRE_HEADER_SIZE;
	const knot_lookup_t *rcode = knot_lookup_by_id(knot_rcode_names, facts->rcode);
	char text[DNS_NAME_TEXT] = "?";

	if (request->len > KNOT_WIRE_HEADER_SIZE &&
	    knot_dname_wire_check(name, request->wire + request->len, NULL) > 0)
		dns_name_format(name, text);
	log_debug("%s asks %s for %s over %s: %s, %zu bytes%s%s", net_addr_shown(&request->remote),
		  net_addr_shown(&request->local), text,
		  request->transport == DNS_TCP ? "TCP" : "UDP",
		  size == 0       ? "silence"
		  : rcode != NULL ? rcode->name
				  : "another rcode",
		  size, facts->truncated ? ", truncated" : "",
		  facts->steered != NULL ? ", chosen for it" : "");
}

struct dns_request dns_service_request(const struct dns_service *s, enum dns_transport transport)
{
	return (struct dns_request){
	    .transport = transport,
	    .now = clock_wall(),
	    .mono = loop_now(s->loop),
	};
}

size_t dns_service_answer(struct dns_service *s, const struct dns_request *request, uint8_t *out,
			  size_t cap)
{
	size_t size;
	enum dns_outcome outcome =
	    dns_handle(s->answerer, dns_view_current(s->views), request, out, cap, &size);

	/* Nobody makes the others yet: they belong to transfers and updates. */
	CHECK(outcome == DNS_SILENT || outcome == DNS_REPLY);
	if (LOG_ENABLED(LOG_LEVEL_DEBUG))
		trace(s, request, size);
	dns_counters_answered(s->metrics, s->loop, dns_answerer_facts(s->answerer), size,
			      request->transport == DNS_TCP);
	return size;
}
