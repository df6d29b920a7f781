/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See the header. That the order of what is told is right is CHECKed here.
 */
#include "tests/unit/origin-link/h2_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* So many turns are enough for anything that is not bulk. */
#define TURNS 12

static void changed_cb(void *arg)
{
	struct h2_rig *rig = arg;

	rig->n_changed++;
}

static void said_cb(void *arg)
{
	const struct origin_h2 *h = ((struct h2_rig *)arg)->h2;

	CHECK(origin_h2_wants_h1(h) || origin_h2_has_settings(h));
}

static const struct origin_h2_ops ops = {.changed = changed_cb, .said = said_cb};

void h2_rig_init(struct h2_rig *rig, unsigned streams)
{
	int fds[2];

	memset(rig, 0, sizeof(*rig));
	rig->group = loop_group_create(0);
	rig->buffers = stream_buffers_create(rig->group->control);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	h2_peer_init(&rig->peer, fds[1], streams);
	rig->h2 = origin_h2_create(rig->buffers, stream_create(rig->buffers, fds[0], NULL, NULL),
				   SPAN("https"), DUR_S(5), &ops, rig);
	CHECK(rig->h2);
	h2_rig_turn(rig);
}

size_t h2_rig_kept(const struct h2_rig *rig)
{
	const struct origin_h2_stream *s;
	size_t n = 0;

	TAILQ_FOREACH (s, &rig->h2->streams, link)
		n += s->in.bytes;
	return n;
}

void h2_rig_loop(struct h2_rig *rig)
{
	loop_stop_mt(rig->group->control);
	loop_run(rig->group->control);
}

void h2_rig_turn(struct h2_rig *rig)
{
	for (unsigned i = 0; i < TURNS; i++) {
		h2_rig_loop(rig);
		h2_peer_turn(&rig->peer);
	}
}

void h2_rig_fini(struct h2_rig *rig)
{
	origin_h2_destroy(&rig->h2);
	h2_rig_turn(rig);
	h2_peer_fini(&rig->peer);
	h2_rig_loop(rig);
	stream_buffers_destroy(&rig->buffers);
	loop_group_destroy(&rig->group);
}

/* Asks */

static struct ask *ask_of(struct origin_h2_stream *s)
{
	return CONTAINER_OF(s, struct ask, stream);
}

static void head_cb(struct origin_h2_stream *s, struct http_head *head, bool end)
{
	struct ask *a = ask_of(s);

	CHECK(!a->response && !a->ended && a->n_died == 0);
	if (head->status < 200) {
		CHECK(!end);
		a->n_informational++;
		a->informational = head->status;
		return;
	}
	a->n_heads++;
	a->response = head;
	a->ended = end;
	if (a->closes_at_head)
		origin_h2_stream_close(s);
}

static void content_cb(struct origin_h2_stream *s, struct slice slice, bool end)
{
	struct ask *a = ask_of(s);

	CHECK(a->response && !a->ended && a->n_died == 0);
	CHECK(slice.n > 0 || end);
	for (size_t i = 0; i < slice.n; i++)
		CHECK(slice.p[i] == 'x');
	a->n_contents++;
	a->received += slice.n;
	a->ended = end;
	if (a->closes_at_content)
		origin_h2_stream_close(s);
	else if (a->greedy)
		origin_h2_stream_grant(s, slice.n);
}

static void trailers_cb(struct origin_h2_stream *s, struct http_fields *trailers)
{
	struct ask *a = ask_of(s);

	CHECK(a->response && !a->ended && a->n_died == 0);
	a->trailers = trailers;
	a->ended = true;
}

static void drained_cb(struct origin_h2_stream *s)
{
	ask_of(s)->n_drained++;
}

static void died_cb(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	struct ask *a = ask_of(s);

	CHECK(!a->ended && a->n_died == 0);
	a->n_died++;
	a->death = *death;
}

static const struct origin_h2_stream_ops stream_ops = {
    .head = head_cb,
    .content = content_cb,
    .trailers = trailers_cb,
    .drained = drained_cb,
    .died = died_cb,
};

void ask_init(struct ask *a, struct h2_rig *rig)
{
	memset(a, 0, sizeof(*a));
	a->rig = rig;
	a->limits = (struct h1_limits){.head_bytes = 4096, .fields = 20};
	arena_init(&a->arena, 256 * 1024);
	http_head_init(&a->head, &a->arena);
	a->head.method = SPAN("GET");
	a->head.method_id = HTTP_METHOD_GET;
	a->head.target = SPAN("/");
	a->head.authority = SPAN("a");
	origin_h2_stream_init(&a->stream, &stream_ops);
}

void ask_init_post(struct ask *a, struct h2_rig *rig)
{
	ask_init(a, rig);
	a->head.method = SPAN("POST");
	a->head.method_id = HTTP_METHOD_POST;
	a->head.framing = HTTP_FRAMING_CHUNKED;
}

void ask_open(struct ask *a)
{
	const struct origin_h2_order order = {
	    .head = &a->head,
	    .end = a->head.framing == HTTP_FRAMING_NONE,
	    .connect = a->head.framing == HTTP_FRAMING_TUNNEL,
	    .arena = &a->arena,
	    .limits = &a->limits,
	};

	CHECK(origin_h2_stream_open(a->rig->h2, &a->stream, &order));
	origin_h2_stream_grant(&a->stream, 64 * 1024);
}

void ask_fini(struct ask *a)
{
	origin_h2_stream_close(&a->stream);
	arena_fini(&a->arena);
}

bool ask_send(struct ask *a, size_t n, bool end)
{
	char *content = xmalloc(n + 1);
	bool more;

	memset(content, 'y', n);
	more = origin_h2_stream_send(&a->stream, (struct slice){.p = content, .n = n}, end);
	free(content);
	return more;
}

struct span ask_field(const struct ask *a, const char *name)
{
	const struct http_field *f = http_fields_find(&a->response->fields, span_of(name), NULL);

	return f ? f->value : (struct span){0};
}
