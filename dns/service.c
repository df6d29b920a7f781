/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/service.h"

#include "dns/answer.h"
#include "dns/counters.h"
#include "dns/view.h"

size_t dns_service_answer(struct dns_service *s, const struct net_addr *remote, bool tcp,
			  const uint8_t *query, size_t len, uint8_t *out, size_t cap)
{
	struct dns_client client = {.source = net_prefix_of(remote), .tcp = tcp};
	size_t size =
	    dns_answer(s->answerer, dns_view_current(s->views), &client, query, len, out, cap);

	dns_counters_answered(s->metrics, s->loop, dns_answerer_facts(s->answerer), size, tcp);
	return size;
}
