/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rig.h. Everything runs on the control loop, in the test's thread, unless a test starts
 * workers of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/origin-link/rig.h"

#define MIB (1024 * 1024)

void rig_init(struct rig *rig, unsigned n_workers)
{
	static struct cfg_range good = {200, 399};

	*rig = (struct rig){0};
	rig->group = loop_group_create(n_workers);
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->olink = olink_create(rig->group, rig->buffers);
	rig->worker = olink_worker_create(rig->olink, rig->buffers);
	rig->origin = (struct cfg_origin){
	    .resolve = {DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY},
	    .name = "app",
	    .servers = rig->servers,
	    .tls = {.name = ""},
	    .timeout = {.connect = DUR_S(10),
			.response = DUR_S(10),
			.idle = DUR_S(10),
			.queue = DUR_S(10)},
	    .limit = {.connections = 100, .queue = 100, .head_bytes = 64 * 1024, .fields = 200},
	    .pool = {.max_idle = 8, .idle_timeout = DUR_S(60)},
	    .retries = {.attempts = 1,
			.body = 64 * 1024,
			.hedge = {.percentile = 95},
			.budget = {.share = 20, .min = 10}},
	};
	rig->origin.health.check = (struct cfg_check){
	    .kind = CFG_CHECK_TCP,
	    .host = "",
	    .path = "/",
	    .statuses = {&good, 1},
	    .interval = DUR_S(3600),
	    .timeout = DUR_S(10),
	    .rise = 1,
	    .fall = 1,
	};
	rig->fleet.origins = &rig->origin;
	rig->fleet.n_origins = 1;
}

void rig_add_server(struct rig *rig, const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	CHECK(rig->origin.n_servers < RIG_SERVERS_MAX);
	rig->servers[rig->origin.n_servers++] = (struct cfg_origin_server){
	    .address.host = xstrdup(net_addr_format_ip(addr, text)),
	    .address.port = net_addr_port(addr),
	    .weight = 1,
	};
}

void rig_open(struct rig *rig)
{
	struct diag *diag = diag_create();

	rig->origins = olink_origins_load(&rig->fleet, &olink_nowhere, diag);
	CHECK(rig->origins);
	diag_destroy(&diag);
	olink_origins_open(rig->origins, rig->olink);
}

static void drop_servers(struct rig *rig)
{
	while (rig->origin.n_servers > 0)
		free((char *)rig->servers[--rig->origin.n_servers].address.host);
}

void rig_fini(struct rig *rig)
{
	olink_origins_destroy(&rig->origins);
	olink_worker_destroy(&rig->worker);
	CHECK(rig_count(rig, OLINK_ACTIVE) == 0);
	CHECK(rig_count(rig, OLINK_IDLE) == 0);
	olink_destroy(&rig->olink);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
	drop_servers(rig);
}

static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rig *rig = arg;

	if (olink_origins_settled(rig->origins))
		loop_stop_mt(rig->group->control);
}

void rig_settle(struct rig *rig)
{
	struct timeval often = {.tv_usec = 1000};
	struct event *look =
	    event_new(loop_base(rig->group->control), -1, EV_PERSIST, look_cb, rig);

	event_add(look, &often);
	loop_run(rig->group->control);
	event_free(look);
}

void rig_turn(struct rig *rig)
{
	loop_stop_mt(rig->group->control);
	loop_run(rig->group->control);
}

void rig_close(struct rig *rig)
{
	rig_turn(rig); /* what was closed in this turn */
	olink_origins_destroy(&rig->origins);
	while (rig_count(rig, OLINK_IDLE) > 0)
		rig_turn(rig);
}

int64_t rig_count(const struct rig *rig, enum olink_counter id)
{
	return metrics_sum(rig->olink->metrics, id);
}

int rig_setup(void **state)
{
	*state = xcalloc(1, sizeof(struct rig));
	rig_init(*state, 0);
	return 0;
}

int rig_setup_tls(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	rig->cert = xcalloc(1, sizeof(*rig->cert));
	test_cert_init(rig->cert, "origin.example");
	rig->credentials = test_cert_server(rig->cert);
	rig->origin.tls.enabled = true;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->cert) {
		test_cert_fini(rig->cert);
		free(rig->cert);
		gnutls_certificate_free_credentials(rig->credentials);
	}
	rig_fini(rig);
	free(*state);
	return 0;
}

struct scripted_origin *
rig_start(struct rig *rig, void (*script)(struct scripted_origin *o, void *arg), const void *arg)
{
	struct scripted_origin *o = origin_start_tls(script, (void *)arg, rig->credentials);

	if (rig->origins)
		rig_close(rig);
	drop_servers(rig);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	return o;
}

void rig_finish(struct rig *rig, struct scripted_origin *o)
{
	const char *failure;

	rig_close(rig);
	failure = origin_finish(&o);
	if (failure)
		fail_msg("the origin's script: %s", failure);
}

/* The sink */

static void ended(struct call *c)
{
	c->n_ends++;
	if (!c->no_end)
		loop_stop_mt(c->loop);
}

static void on_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0 && c->status == 0);
	if (head->status < 200 && head->status != 101) {
		c->n_informational++;
		c->informational = head->status;
		return;
	}
	c->status = head->status;
	c->framing = head->framing;
	c->head_end = end;
	/* A sink may make the head its own. */
	head->keep_alive = !head->keep_alive;
	head->framing = HTTP_FRAMING_CHUNKED;
	if (c->at_head)
		c->at_head(c);
	if (end)
		ended(c);
	else if (c->window > 0 && c->n_ends == 0)
		call_grant(c, c->window);
}

static void on_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0 && c->status != 0);
	c->body = xreallocarray(c->body, c->n_body + slice.n + 1, 1);
	if (slice.n)
		memcpy(c->body + c->n_body, slice.p, slice.n);
	c->n_body += slice.n;
	c->body[c->n_body] = '\0';
	c->n_slices++;
	if (c->at_body)
		c->at_body(c);
	if (end)
		ended(c);
	else if (c->window > 0 && c->n_ends == 0)
		call_grant(c, slice.n);
}

static void on_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);
	size_t n = 0;

	CHECK(c->n_ends == 0);
	for (unsigned i = 0; i < trailers->n; i++)
		n += snprintf(c->trailers + n, sizeof(c->trailers) - n, SPAN_FMT ": " SPAN_FMT "\n",
			      SPAN_ARG(trailers->v[i].name), SPAN_ARG(trailers->v[i].value));
	ended(c);
}

static void on_reset(struct flow_sink *sink, enum reason reason)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0);
	c->reset = reason;
	ended(c);
}

static const struct flow_sink_ops sink_ops = {
    .head = on_head,
    .body = on_body,
    .trailers = on_trailers,
    .reset = on_reset,
};

void call_grant(struct call *c, size_t n)
{
	c->from->ops->grant(c->from, n);
}

/* The source */

/* As much of the current piece as there is credit for; false when there is none. */
static bool push_one(struct call *c)
{
	struct slice slice = {.p = c->piece + c->piece_at};
	bool whole, last;

	slice.n = MIN(c->piece_len - c->piece_at, c->credit);
	whole = c->piece_at + slice.n == c->piece_len;
	last = whole && c->n_pieces == 1;
	if (slice.n == 0 && !last)
		return false;
	c->credit -= slice.n;
	c->piece_at = whole ? 0 : c->piece_at + slice.n;
	c->n_pieces -= whole;
	if (slice.n > 0 || !c->trailers_out.n)
		c->to->ops->body(c->to, slice, last && !c->trailers_out.n);
	if (last && c->trailers_out.n && c->stopped == REASON_NONE)
		c->to->ops->trailers(c->to, &c->trailers_out);
	return true;
}

static void push_pieces(struct loop_task *task)
{
	struct call *c = CONTAINER_OF(task, struct call, push_task);

	while (c->n_pieces > 0 && push_one(c))
		;
}

static void on_grant(struct flow_source *source, size_t n)
{
	struct call *c = CONTAINER_OF(source, struct call, source);

	CHECK(c->stopped == REASON_NONE);
	c->n_grants++;
	c->credit += n;
	c->most_credit = MAX(c->most_credit, c->credit);
	loop_defer(c->loop, &c->push_task);
}

static void on_stop(struct flow_source *source, enum reason reason)
{
	struct call *c = CONTAINER_OF(source, struct call, source);

	CHECK(c->stopped == REASON_NONE);
	c->stopped = reason;
	c->n_pieces = 0;
}

static const struct flow_source_ops source_ops = {
    .grant = on_grant,
    .stop = on_stop,
};

void call_push(struct call *c, const char *text, bool end)
{
	struct slice slice = {.p = text, .n = strlen(text)};

	CHECK(slice.n <= c->credit);
	c->credit -= slice.n;
	c->to->ops->body(c->to, slice, end);
}

/* The call */

void call_init(struct call *c, struct rig *rig, const char *method, const char *target)
{
	*c = (struct call){.rig = rig, .window = MIB};
	c->sink.ops = &sink_ops;
	c->source.ops = &source_ops;
	c->push_task.run = push_pieces;
	arena_init(&c->arena, 256 * 1024);
	http_head_init(&c->head, &c->arena);
	c->head.method = span_of(method);
	c->head.method_id = http_method_find(c->head.method);
	c->head.scheme = SPAN("https");
	c->head.authority = SPAN("www.example.com");
	c->head.target = span_of(target);
	CHECK(http_fields_add(&c->head.fields, &c->arena, SPAN("X-Test"), SPAN("yes")));
}

void call_set_body(struct call *c, const char *piece, unsigned n)
{
	if (c->head.framing == HTTP_FRAMING_NONE)
		c->head.framing = HTTP_FRAMING_CHUNKED;
	c->piece = piece;
	c->piece_len = strlen(piece);
	c->n_pieces = n;
}

bool call_try_start(struct call *c, struct olink_worker *worker)
{
	struct olink_open open = {
	    .origins = c->rig->origins,
	    .origin = &c->rig->origin,
	    .client = c->client,
	};
	const struct flow_ends ends = {&c->source, &c->sink};
	struct flow_filter *request = &c->seam.request.filter;
	struct flow_filter *response = &c->seam.response.filter;
	struct flow_leg leg;

	c->loop = worker->buffers->loop;
	seam_init(&c->seam);
	open.ends = filter_ends(request, response, &ends);
	c->request = olink_request_open(worker, &open, &leg);
	if (!c->request)
		return false;
	leg = filter_leg(request, response, &leg);
	c->to = leg.request;
	c->from = leg.response;
	c->to->ops->head(c->to, &c->head, c->head.framing == HTTP_FRAMING_NONE);
	CHECK(c->n_ends == 0 && c->status == 0 && c->stopped == REASON_NONE && c->n_grants == 0);
	return true;
}

void call_start(struct call *c, struct olink_worker *worker)
{
	CHECK(call_try_start(c, worker));
}

void call_close(struct call *c)
{
	c->facts = olink_request_facts(c->request);
	loop_task_cancel(c->loop, &c->push_task);
	olink_request_close(&c->request);
	CHECK(!c->request);
}

void call_wait(struct call *c)
{
	loop_run(c->loop);
}

void call_run(struct call *c)
{
	call_start(c, c->rig->worker);
	call_wait(c);
	CHECK(c->n_ends == 1);
	call_close(c);
}

void call_fini(struct call *c)
{
	free(c->body);
	arena_fini(&c->arena);
}

void call_get(struct call *c, struct rig *rig)
{
	call_init(c, rig, "GET", "/x?y");
	call_run(c);
}

void assert_hello(const struct call *c)
{
	assert_int_equal(c->reset, REASON_NONE);
	assert_int_equal(c->status, 200);
	assert_string_equal(c->body, "hello");
}
