/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes between the dispatch of a request and the origin that it goes to, in order: who is let
 * in, what is answered here, how the request is changed. A step that has nothing to do costs a
 * call. One that waits lets no content in, as only an origin grants any. Worker's loop only.
 */
#define LOG_MODULE LOG_EXCHANGE
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/exchange/respond.h"
#include "edge/node/view.h"
#include "edge/route/route.h"
#include "edge/rules/rules.h"

/* What all that goes on from here is told of the client. */
static enum step_result introduce(struct edge_exchange *x)
{
	const struct edge_client *client = x->client;
	const struct cfg_client_certificates *certificates = NULL;

	if (x->facts.client_cert_asked)
		certificates = &x->site->cfg->client_certificates;
	x->forward = (struct edge_forward){
	    .client_ip = client->ip,
	    .client_is_ipv6 = strchr(client->ip, ':') != NULL,
	    .client_speaks_http2 = edge_client_speaks_http2(client),
	    .client_is_trusted = x->client_is_trusted,
	    .is_early = exchange_is_early(x),
	    .trusted_fields = &x->view->fleet->http.trusted_fields,
	    .underscores = x->view->fleet->http.underscores,
	    .certificates = certificates,
	    .facts = &x->facts,
	    .pseudonym = x->worker->common->pseudonym,
	};
	return STEP_GO_ON;
}

/* A second head is made for the origin; the first stays as it was received. */
static enum step_result rewrite(struct edge_exchange *x)
{
	int status = 431;

	if (http_head_copy(&x->forwarded, &x->received, &x->arena)) {
		if (exchange_hides_credentials(x))
			http_fields_remove(&x->forwarded.fields, SPAN("Authorization"));
		status = edge_forward_request(&x->forwarded, &x->forward);
		if (status == 0 &&
		    (!exchange_apply_auth(x) ||
		     !edge_affinity_strip(x->view->affinities, &x->forwarded.fields, &x->arena)))
			status = 431;
		if (status == 0)
			status = edge_rules_request(x->rules, &x->facts, &x->forwarded);
	}
	if (status == 0)
		return STEP_GO_ON;
	exchange_respond(x, status, status == 400 ? REASON_CLIENT_MALFORMED : REASON_DONE);
	return STEP_ANSWERED;
}

/* The edge answers, so that no origin need know about pages of others. */
static enum step_result preflight(struct edge_exchange *x)
{
	struct span date = edge_date_text(&x->worker->date, clock_wall());

	switch (edge_rules_preflight(x->rules, &x->received)) {
	case EDGE_CORS_NONE:
		return STEP_GO_ON;
	case EDGE_CORS_REFUSED:
		exchange_respond(x, 403, REASON_DONE);
		return STEP_ANSWERED;
	case EDGE_CORS_ALLOWED:
		break;
	}
	if (edge_respond_empty(&x->answer, &x->arena, 204, date))
		exchange_answer(x, SPAN(""), REASON_DONE);
	else
		exchange_fail(x, REASON_LIMIT);
	return STEP_ANSWERED;
}

static enum step_result ask_origin(struct edge_exchange *x)
{
	exchange_ask_origin(x);
	return STEP_ANSWERED;
}

static const struct step {
	const char *name; /* in the log */
	enum step_result (*take)(struct edge_exchange *x);
} steps[] = {
    {"early data", exchange_step_early}, {"preflight", preflight},
    {"time", exchange_step_time},        {"basic authentication", exchange_step_basic},
    {"introduction", introduce},         {"forwarded authentication", exchange_step_forward_auth},
    {"content", exchange_step_content},  {"all down", exchange_step_all_down},
    {"route", exchange_answer_by_route}, {"rewrite", rewrite},
    {"mirror", exchange_step_mirror},    {"origin", ask_origin},
};

void exchange_take_steps(struct edge_exchange *x)
{
	for (;;) {
		CHECK(x->step < ARRAY_SIZE(steps));
		switch (steps[x->step].take(x)) {
		case STEP_GO_ON:
			x->step++;
			break;
		case STEP_ANSWERED:
			log_debug("%s: step %s has answered", net_addr_shown(&x->client->addr),
				  steps[x->step].name);
			return;
		case STEP_WAITS:
			CHECK(x->cancel_wait);
			log_debug("%s: step %s waits", net_addr_shown(&x->client->addr),
				  steps[x->step].name);
			return;
		}
	}
}

void exchange_step_done(struct edge_exchange *x)
{
	CHECK(x->cancel_wait && x->response_side == RESPONSE_AWAITED);
	x->cancel_wait = NULL;
	x->step++;
	exchange_take_steps(x);
}
