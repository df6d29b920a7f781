/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rig.h. Everything runs on the control loop, in the test's thread, unless a test starts
 * workers of its own.
 */
#include "tests/unit/origin-link/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "origin-link/conns/conns_internal.h"

void rig_init(struct rig *rig, unsigned n_workers)
{
	*rig = (struct rig){0};
	rig->group = loop_group_create(n_workers);
	rig->buffers = stream_buffers_create(rig->group->control);
	rig->olink = olink_create(rig->group, rig->buffers);
	rig->worker = olink_worker_create(rig->olink, rig->buffers);
	rig->origin = (struct cfg_origin){
	    .name = "app",
	    .servers = rig->servers,
	    .tls = {.name = ""},
	    .timeout = {.connect = DUR_S(10),
			.response = DUR_S(10),
			.idle = DUR_S(10),
			.queue = DUR_S(10)},
	    .limit = {.connections = 100, .queue = 100},
	    .pool = {.max_idle = 8, .idle_timeout = DUR_S(60)},
	};
	rig->origin.health.check = (struct cfg_check){
	    .kind = CFG_CHECK_TCP,
	    .host = "",
	    .path = "/",
	    .status = {200, 399},
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
	rig->servers[rig->origin.n_servers++] = (struct cfg_server){
	    .host = xstrdup(net_addr_format_ip(addr, text)),
	    .port = net_addr_port(addr),
	};
}

void rig_open(struct rig *rig)
{
	struct diag *diag = diag_create();

	rig->origins = olink_origins_load(&rig->fleet, diag);
	CHECK(rig->origins);
	diag_destroy(&diag);
	olink_origins_open(rig->origins, rig->olink);
}

void rig_close_idle(struct rig *rig)
{
	struct conns *c = rig->worker->conns;
	struct endpoint_slot *slot;

	LIST_FOREACH (slot, &c->slots, link)
		origin_conn_close_idle(c, slot, NULL, OLINK_EXPIRED);
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
	for (unsigned i = 0; i < rig->origin.n_servers; i++)
		free((char *)rig->servers[i].host);
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

int64_t rig_count(const struct rig *rig, enum olink_counter id)
{
	return metrics_sum(rig->olink->metrics, id);
}

/* The sink */

static void ended(struct call *c)
{
	c->n_ends++;
	if (!c->no_end)
		loop_stop_mt(c->loop);
}

static void on_head(struct http_sink *sink, struct http_head *head, bool end)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0 && c->status == 0);
	if (head->status < 200) {
		CHECK(!end);
		c->n_informational++;
		c->informational = head->status;
		return;
	}
	c->status = head->status;
	c->head_end = end;
	if (c->rewrites)
		head->keep_alive = !head->keep_alive;
	if (c->go_at_head)
		origin_go(c->go_at_head);
	if (end) {
		ended(c);
	} else if (c->stop_at_head) {
		struct http_source *source = olink_request_source(c->request);

		source->ops->stop(source, REASON_CLIENT_CLOSED);
		ended(c);
	}
}

static bool on_body(struct http_sink *sink, const void *data, size_t len, bool end)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0 && c->status != 0);
	c->body = xreallocarray(c->body, c->n_body + len + 1, 1);
	if (len)
		memcpy(c->body + c->n_body, data, len);
	c->n_body += len;
	c->body[c->n_body] = '\0';
	if (end) {
		ended(c);
		return true;
	}
	if (!c->slow)
		return true;
	if (c->waits)
		c->since_wait += len;
	c->most_since_wait = MAX(c->most_since_wait, c->since_wait);
	c->waits = true;
	loop_defer(c->loop, &c->resume_task);
	return false;
}

static void resume_late(struct loop_task *task)
{
	struct call *c = CONTAINER_OF(task, struct call, resume_task);
	struct http_source *source = olink_request_source(c->request);

	c->waits = false;
	c->since_wait = 0;
	source->ops->resume(source);
}

static void on_trailers(struct http_sink *sink, const struct http_fields *trailers)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);
	size_t n = 0;

	CHECK(c->n_ends == 0);
	for (unsigned i = 0; i < trailers->n; i++)
		n += snprintf(c->trailers + n, sizeof(c->trailers) - n, SPAN_FMT ": " SPAN_FMT "\n",
			      SPAN_ARG(trailers->v[i].name), SPAN_ARG(trailers->v[i].value));
	ended(c);
}

static void on_reset(struct http_sink *sink, enum reason reason)
{
	struct call *c = CONTAINER_OF(sink, struct call, sink);

	CHECK(c->n_ends == 0);
	c->reset = reason;
	ended(c);
}

static const struct http_sink_ops sink_ops = {
    .head = on_head,
    .body = on_body,
    .trailers = on_trailers,
    .reset = on_reset,
};

/* The source */

static void push_pieces(struct call *c)
{
	struct http_sink *sink = olink_request_sink(c->request);
	bool more = true;

	while (more && c->n_pieces > 0) {
		bool last = --c->n_pieces == 0;

		more = sink->ops->body(sink, c->piece, c->piece_len, last && !c->trailers_out.n);
		if (last && c->trailers_out.n)
			sink->ops->trailers(sink, &c->trailers_out);
	}
}

static void on_resume(struct http_source *source)
{
	struct call *c = CONTAINER_OF(source, struct call, source);

	CHECK(c->stopped == REASON_NONE);
	c->n_resumes++;
	push_pieces(c);
}

static void on_stop(struct http_source *source, enum reason reason)
{
	struct call *c = CONTAINER_OF(source, struct call, source);

	CHECK(c->stopped == REASON_NONE);
	c->stopped = reason;
	c->n_pieces = 0;
}

static const struct http_source_ops source_ops = {
    .resume = on_resume,
    .stop = on_stop,
};

/* The call */

void call_init(struct call *c, struct rig *rig, const char *method, const char *target)
{
	static const char *const names[] = {
	    [HTTP_METHOD_GET] = "GET",
	    [HTTP_METHOD_HEAD] = "HEAD",
	    [HTTP_METHOD_POST] = "POST",
	    [HTTP_METHOD_PUT] = "PUT",
	};

	*c = (struct call){.rig = rig};
	c->sink.ops = &sink_ops;
	c->source.ops = &source_ops;
	c->resume_task.run = resume_late;
	arena_init(&c->arena, 256 * 1024);
	http_head_init(&c->head, &c->arena);
	c->head.method = span_of(method);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i] && strcmp(names[i], method) == 0)
			c->head.method_id = i;
	}
	c->head.scheme = SPAN("https");
	c->head.authority = SPAN("www.example.com");
	c->head.target = span_of(target);
	c->head.minor = 1;
	c->head.keep_alive = true;
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

void call_start(struct call *c, struct olink_worker *worker)
{
	bool end = c->head.framing == HTTP_FRAMING_NONE;

	c->loop = worker->buffers->loop;
	c->request = olink_request_start(worker, c->rig->origins, &c->rig->origin, &c->head, end,
					 end ? NULL : &c->source, &c->sink, &c->arena);
	CHECK(c->n_ends == 0 && c->status == 0 && c->stopped == REASON_NONE && c->n_resumes == 0);
	push_pieces(c);
}

void call_finish(struct call *c)
{
	c->facts = olink_request_facts(c->request);
	if (c->resume_task.queued)
		loop_task_cancel(c->loop, &c->resume_task);
	olink_request_finish(&c->request);
	CHECK(!c->request);
}

void call_run(struct call *c)
{
	call_start(c, c->rig->worker);
	loop_run(c->loop);
	CHECK(c->n_ends == 1);
	call_finish(c);
}

void call_fini(struct call *c)
{
	free(c->body);
	arena_fini(&c->arena);
}
