/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One exchange, as its parts see it: exchange.c (its life), exchange_request.c (what comes from the
 * client), exchange_reply.c (what goes to it), steps.c (what comes before an origin is asked),
 * guard.c (who may come, and how often), route_answer.c (what a route answers in an origin's
 * place), finish.c (what is done with every final response head). Nobody else includes this, but
 * for the steps that wait for something, in files of their own in this folder.
 *
 * It stands between the client's protocol and the link to the origin:
 *
 *   request    client ──> from_client ──> [steps] ──────> origin
 *   response   origin ──> from_origin ──> [filter] ──> client
 *              our own answer ──────────> [filter] ──> client
 *   grants     client ──> for_client ──> [filter] ──> for_filter ──> origin, or our own answer
 *
 * What is set in which state:
 *
 * request_side  |                                           | view    | origin
 * --------------+-------------------------------------------+---------+------------------------
 * AWAITED       | its head is being parsed into `received`  | pinned  | NULL
 * CONTENT       | content comes: none until it is granted,  | pinned  | NULL while steps wait,
 *               | which only an origin does                 |         | then open
 * ASKED         | it asked for a tunnel                     | pinned  | the same
 * TUNNEL        | it got one                                | let go  | open
 * ENDED         | it has come whole; `ending` says how      | either  | either
 * UNWANTED      | nobody wants the rest of it               | either  | either
 *
 * response_side |                                           | status
 * --------------+-------------------------------------------+--------
 * AWAITED       | no final head was pushed to the client    | 0
 * CONTENT       | one was                                   | its own
 * TUNNEL        | 101 was                                   | 101
 * ENDED         | nothing more goes to the client           | 0 or its own
 *
 * What the client grants is kept in `early_credit` until the final head is pushed: only then is it
 * known who stands in the way of the content.
 */
#pragma once

#include "core/base/check.h"
#include "core/http/flow.h"
#include "core/http/path.h"
#include "core/http/relay_field.h"
#include "core/loop/deadline.h"
#include "edge/exchange/exchange.h"
#include "edge/exchange/forward.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "edge/limit/guard.h"
#include "edge/node/worker.h"
#include "edge/route/affinity.h"

struct edge_site;

#define EXCHANGE_MAGIC 0x45584348u

enum request_side {
	REQUEST_AWAITED,
	REQUEST_CONTENT,
	REQUEST_ASKED,
	REQUEST_TUNNEL,
	REQUEST_ENDED,
	REQUEST_UNWANTED,
};

enum response_side { RESPONSE_AWAITED, RESPONSE_CONTENT, RESPONSE_TUNNEL, RESPONSE_ENDED };

/* How a request has ended that no origin has been told of yet. */
enum request_ending {
	ENDING_NONE,
	ENDING_HEAD,    /* with its head */
	ENDING_CONTENT, /* with content, of which there was none */
	ENDING_TRAILERS,
};

struct edge_exchange {
	unsigned magic;
	struct edge_worker *worker;
	struct edge_exchange *next_spare;
	struct edge_view *view;     /* NULL: a tunnel has let it go */
	struct edge_client *client; /* of the connection */
	bool client_is_trusted;     /* is a proxy of ours */
	struct edge_client *person; /* whom a trusted proxy speaks for, or the same */
	struct flow_ends ends;      /* the client's */

	struct arena arena;
	struct http_head received, forwarded;
	struct http_head answer; /* the response as it goes to the client */
	struct http_path path;   /* of the request, once facts.path is set */
	struct edge_facts facts; /* names in it are the view's, until a tunnel copies them */
	/* NULL: none, or a tunnel has let the view go. */
	const struct edge_site *site;
	const struct edge_route *route;
	const struct edge_rules *rules; /* of the route, or of the site */
	const struct cfg_origin *to;    /* whom the route sends it to; NULL: it answers itself */

	struct flow_sink from_client;
	struct flow_source for_client;
	struct flow_source for_origin; /* of the request */
	struct flow_sink from_origin;
	struct flow_source for_filter; /* of the response, as a filter sees it */
	struct flow_sink *out;         /* where the response goes: a filter, or the client */
	struct flow_source *granted;   /* whom the client's grants go to: a filter, or for_filter */
	struct edge_compress *compress; /* the filter; NULL: none */

	/* what limits have to do with it; empty: not to be said */
	struct edge_guard_hold hold; /* on a place among the requests of its client */
	struct span retry_after, limit_policy, limit_left;
	uint64_t content_max;     /* of the request */
	struct deadline deadline; /* of all of it; without a timer: none */
	bool is_grpc;             /* it wants to be told what fails in gRPC's words */

	/* before an origin is asked */
	unsigned step; /* the one that is taken now, or waits */
	/* Set while it waits: lets go of what it waits for. */
	void (*cancel_wait)(struct edge_exchange *x);
	bool credentials_read;                  /* Authorization: it is overwritten at the end */
	struct edge_early_wait early_wait;      /* for the handshake, while that is waited for */
	struct edge_verification *verification; /* of a password, while that is waited for */
	struct exchange_auth *auth;             /* NULL: no other origin was asked */
	enum request_ending ending;
	struct http_fields *trailers; /* with ENDING_TRAILERS */

	struct edge_mirror **mirrors; /* copies of the request, as far as it has come */
	unsigned n_mirrors;

	struct relay_order relay_order; /* with client->is_edge: what that has asked for */
	struct edge_stick stick;        /* to a server; until a tunnel lets the view go */
	struct olink_request *origin;   /* NULL: none was asked, so far */
	struct flow_leg leg;            /* to it */
	struct edge_forward forward;
	bool origin_ended; /* nothing more comes from the origin */

	/* an answer of our own */
	const struct edge_content *page; /* that stands in place of the content; NULL: none */
	struct span own_content;         /* what is left to push; the arena's or the view's */
	size_t own_credit;               /* granted for it */
	struct loop_task own_task;

	size_t early_credit;
	enum request_side request_side;
	enum response_side response_side;
	enum reason end;

	/* for the log */
	int status;
	int received_status; /* the origin's, which may not be what the client got; 0: none */
	uint64_t bytes_in, bytes_out;
	mono_time began;
	duration first_byte; /* < 0: there was none */
};

/* The exchange that one of its own sinks or sources stands in. */
#define EXCHANGE_OF(pointer, member)                                                               \
	exchange_checked(CONTAINER_OF(pointer, struct edge_exchange, member))
static inline struct edge_exchange *exchange_checked(struct edge_exchange *x)
{
	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	return x;
}

static inline bool exchange_request_goes_on(const struct edge_exchange *x)
{
	return x->request_side < REQUEST_ENDED;
}

/* exchange.c */

/* The only ways to another state: they tell the log. */
void exchange_set_request(struct edge_exchange *x, enum request_side side);
void exchange_set_response(struct edge_exchange *x, enum response_side side);
/* It is a request from here on: a head that never came whole is none. */
void exchange_count_in(struct edge_exchange *x);
/* Neither the client's side nor the origin's is to push anything more, and no step waits. */
void exchange_stop_both(struct edge_exchange *x, enum reason reason);

/* exchange_request.c */

extern const struct flow_sink_ops exchange_from_client_ops;
extern const struct flow_source_ops exchange_for_origin_ops;
/* The last step: `forwarded` goes to the origin of the route. */
void exchange_ask_origin(struct edge_exchange *x);

/* exchange_relay.c */

/* Of an edge, for which this one is a relay: in place of dispatch and steps. */
void exchange_relay(struct edge_exchange *x);
/* What such an edge is told of an answer of our own goes into x->answer. False: no room. */
bool exchange_tell_relay(struct edge_exchange *x);

/* exchange_reply.c */

extern const struct flow_sink_ops exchange_from_origin_ops;
extern const struct flow_source_ops exchange_for_client_ops;
extern const struct flow_source_ops exchange_for_filter_ops;
extern const struct flow_sink_ops exchange_nobody_ops;
/* Kept back from the arena for an answer of our own, whatever the request has filled it with. */
#define EXCHANGE_OWN_HEAD_MAX 4096
/* Answers with a status and a line of ours, or an error page, in the origin's place; no final head
 * has gone out. */
void exchange_respond(struct edge_exchange *x, int status, enum reason reason);
/* The same with one more field. */
void exchange_respond_with(struct edge_exchange *x, int status, enum reason reason,
			   struct span name, struct span value);
/* Answers with the head that was made up in x->answer, and with `content`, which lives as long as
 * the arena or the view. It is not pushed for HEAD, nor where the status has none. */
void exchange_answer(struct edge_exchange *x, struct span content, enum reason reason);
/* It cannot be completed: said with a status if nothing was said yet, else by breaking off. */
void exchange_fail(struct edge_exchange *x, enum reason reason);
/* Pushes what is granted of an answer of our own. */
void exchange_push_own(struct loop_task *task);
/* The filter stands in the way of the content from now on; in exchange_finish() only, once. It
 * finds before and after set. The exchange does not free it. */
void exchange_put_filter(struct edge_exchange *x, struct flow_filter *filter);

/* guard.c */

/* Fills client_is_trusted and the facts about the client, whom such a proxy may speak for. False:
 * no room. */
bool exchange_know_client(struct edge_exchange *x);
/* Whether the client may come here, and is within all limits: of http, of the site, of the route.
 * False: it has been answered. */
bool exchange_guard(struct edge_exchange *x, const struct edge_site *site);
void exchange_guard_end(struct edge_exchange *x);
/* What limits tell goes into x->answer. False: no room. */
bool exchange_tell_limits(struct edge_exchange *x);

/* steps.c */

enum step_result {
	STEP_GO_ON,
	STEP_ANSWERED, /* exchange_respond() or the like was called, or an origin was asked */
	STEP_WAITS,    /* x->cancel_wait is set; exchange_step_done() is called later */
};
/* Takes the steps from the first on. */
void exchange_take_steps(struct edge_exchange *x);
/* What the step waited for has come: the next one is taken. Unless it has answered instead; never
 * inside the step itself. */
void exchange_step_done(struct edge_exchange *x);

/* all_down.c: a step */
enum step_result exchange_step_all_down(struct edge_exchange *x);

/* auth_basic.c */
enum step_result exchange_step_basic(struct edge_exchange *x);
/* At the end: the memory of the exchange is another's next. */
void exchange_wipe_credentials(struct edge_exchange *x);
/* Whether name and password are ours alone. */
bool exchange_hides_credentials(const struct edge_exchange *x);

/* auth_forward.c */
enum step_result exchange_step_forward_auth(struct edge_exchange *x);
/* Of what it asked. */
void exchange_close_auth(struct edge_exchange *x);
/* What was answered goes into `forwarded`. False: no room. */
bool exchange_apply_auth(struct edge_exchange *x);
/* What no origin is to see of a request's trailers. */
void exchange_clean_trailers(struct edge_exchange *x, struct http_fields *trailers);

/* exchange_mirror.c */
enum step_result exchange_step_mirror(struct edge_exchange *x);
/* What goes on to the origin. */
void exchange_mirror_content(struct edge_exchange *x, const struct slice *slice, bool end);
/* Those of a request that did not come whole. */
void exchange_drop_mirrors(struct edge_exchange *x);

/* exchange_hints.c */
/* Of a response, before anything of it is changed. */
void exchange_learn_hints(struct edge_exchange *x);
/* When its origin has been asked, and thinks. */
void exchange_send_hints(struct edge_exchange *x);

/* exchange_terms.c: steps. */
enum step_result exchange_step_time(struct edge_exchange *x);
enum step_result exchange_step_content(struct edge_exchange *x);

/* exchange_early.c */
/* Whether it may be a replay, for all that is known by now. */
bool exchange_is_early(const struct edge_exchange *x);
enum step_result exchange_step_early(struct edge_exchange *x);

/* route_answer.c */

/* The step of what the route answers itself: a redirect, a text or a file. */
enum step_result exchange_answer_by_route(struct edge_exchange *x);

/* finish.c */

/* All that is changed in a final response head, an origin's (101 too) or our own. False: no room.
 */
bool exchange_finish(struct edge_exchange *x);
