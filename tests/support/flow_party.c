/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See flow_party.h.
 */
#include "tests/support/flow_party.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define PIECE_MAX 65536

static _Thread_local unsigned owners;

unsigned party_owners(void)
{
	return owners;
}

uint8_t party_pattern(bool answers, uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) + (answers ? 'a' : 'A'));
}

/* What it pushes */

static struct party *of_source(struct flow_source *source)
{
	return CONTAINER_OF(source, struct party, source);
}

static void on_grant(struct flow_source *source, size_t n)
{
	struct party *p = of_source(source);

	CHECK(n > 0 && !p->out_stopped);
	p->credit += n;
}

static void on_stop(struct flow_source *source, enum reason reason)
{
	struct party *p = of_source(source);

	CHECK(!p->out_stopped);
	p->out_stopped = true;
	p->out = PARTY_ENDED;
}

static void end_out(struct party *p, bool clean)
{
	p->out = PARTY_ENDED;
	p->out_clean = clean;
}

void party_push_head(struct party *p, struct http_head *head, bool end)
{
	if (p->out != PARTY_HEAD || (p->answers && !p->in_head))
		return;
	p->framing = head->framing;
	p->out = PARTY_CONTENT;
	if (end)
		end_out(p, true);
	/* The other protocol is refused. */
	if (p->answers && p->in == PARTY_CONTENT && p->in_framing == HTTP_FRAMING_TUNNEL &&
	    head->framing != HTTP_FRAMING_TUNNEL) {
		p->in = PARTY_ENDED;
		p->in_clean = true;
	}
	p->to->ops->head(p->to, head, end);
}

void party_push_informational(struct party *p, struct http_head *head)
{
	if (p->out == PARTY_HEAD && p->answers && p->in_head)
		p->to->ops->head(p->to, head, false);
}

/* Content may be pushed now, credit apart. */
static bool is_open(const struct party *p)
{
	if (p->out != PARTY_CONTENT)
		return false;
	return p->answers || p->framing != HTTP_FRAMING_TUNNEL ||
	       (p->in != PARTY_HEAD && p->in_framing == HTTP_FRAMING_TUNNEL);
}

struct owned {
	struct slice_owner owner;
	char bytes[];
};

static void release(struct slice_owner *owner)
{
	CHECK(owners > 0);
	owners--;
	free(CONTAINER_OF(owner, struct owned, owner));
}

static void fill(const struct party *p, char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)party_pattern(p->answers, p->sent + i);
}

static void push_owned(struct party *p, size_t n, bool end)
{
	struct owned *o = xmalloc(sizeof(*o) + n);
	struct slice slice = {o->bytes, n, &o->owner};

	o->owner = (struct slice_owner){.refs = 1, .release = release};
	owners++;
	fill(p, o->bytes, n);
	p->sent += n;
	p->to->ops->body(p->to, slice, end);
	slice_drop(&slice);
}

static void push_borrowed(struct party *p, size_t n, bool end)
{
	/* From the heap, so that a sanitizer sees who looks at it for too long. */
	char *bytes = xmalloc(n + 1);

	fill(p, bytes, n);
	p->sent += n;
	p->to->ops->body(p->to, (struct slice){.p = bytes, .n = n}, end);
	free(bytes);
}

void party_push_body(struct party *p, size_t n, bool owned, bool end)
{
	if (!is_open(p))
		return;
	n = MIN(MIN(n, PIECE_MAX), MIN(p->credit, p->sent_max - p->sent));
	if (p->framing == HTTP_FRAMING_LENGTH)
		end = p->sent + n == p->sent_max;
	if (n == 0 && !end)
		return;
	p->credit -= n;
	if (end)
		end_out(p, true);
	if (owned && n > 0)
		push_owned(p, n, end);
	else
		push_borrowed(p, n, end);
}

void party_push_trailers(struct party *p)
{
	if (!is_open(p) || p->framing != HTTP_FRAMING_CHUNKED)
		return;
	end_out(p, true);
	p->out_trailers = true;
	p->to->ops->trailers(p->to, &p->trailers);
}

void party_push_reset(struct party *p, enum reason reason)
{
	if (p->out == PARTY_ENDED)
		return;
	end_out(p, false);
	p->to->ops->reset(p->to, reason);
}

/* What it takes */

static struct party *of_sink(struct flow_sink *sink)
{
	return CONTAINER_OF(sink, struct party, sink);
}

static void end_in(struct party *p, bool clean)
{
	p->in = PARTY_ENDED;
	p->in_clean = clean;
}

static void tell(struct party *p)
{
	if (p->pushed)
		p->pushed(p);
}

static void check_push(const struct party *p)
{
	CHECK(p->in != PARTY_ENDED);
}

static void on_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct party *p = of_sink(sink);

	check_push(p);
	CHECK(p->in == PARTY_HEAD);
	if (!p->answers && head->status < 200 && head->status != 101) {
		CHECK(!end);
		p->informational++;
		tell(p);
		return;
	}
	p->in_head = true;
	p->status = head->status;
	p->in_framing = head->framing;
	p->in = PARTY_CONTENT;
	if (end)
		end_in(p, true);
	/* Its own message asked for another protocol, and that was refused. */
	if (!p->answers && p->out == PARTY_CONTENT && p->framing == HTTP_FRAMING_TUNNEL &&
	    head->framing != HTTP_FRAMING_TUNNEL)
		end_out(p, true);
	tell(p);
}

static void on_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct party *p = of_sink(sink);

	check_push(p);
	CHECK(p->in == PARTY_CONTENT);
	for (size_t i = 0; i < slice.n && !p->any_content; i++)
		CHECK((uint8_t)slice.p[i] == party_pattern(!p->answers, p->received + i));
	p->received += slice.n;
	if (end)
		end_in(p, true);
	tell(p);
}

static void on_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct party *p = of_sink(sink);

	check_push(p);
	CHECK(p->in == PARTY_CONTENT);
	CHECK(trailers->n > 0);
	p->in_trailers = true;
	end_in(p, true);
	tell(p);
}

static void on_reset(struct flow_sink *sink, enum reason reason)
{
	struct party *p = of_sink(sink);

	check_push(p);
	p->in_reset = reason;
	end_in(p, false);
	tell(p);
}

void party_grant(struct party *p, size_t n)
{
	/* Before a head has come nobody can know what it would be for. */
	if (p->in == PARTY_CONTENT && n > 0)
		p->from->ops->grant(p->from, n);
}

void party_stop(struct party *p, enum reason reason)
{
	/* A request is not stopped before it is there. */
	if (p->in == PARTY_ENDED || (p->answers && p->in == PARTY_HEAD))
		return;
	p->in_stopped = true;
	p->in = PARTY_ENDED;
	p->from->ops->stop(p->from, reason);
}

void party_init(struct party *p, bool answers)
{
	static const struct flow_source_ops source = {.grant = on_grant, .stop = on_stop};
	static const struct flow_sink_ops sink = {
	    .head = on_head,
	    .body = on_body,
	    .trailers = on_trailers,
	    .reset = on_reset,
	};
	*p = (struct party){
	    .source.ops = &source,
	    .sink.ops = &sink,
	    .answers = answers,
	    .sent_max = UINT64_MAX,
	    .trailer = {SPAN("Digest"), SPAN("x")},
	    .trailers = {.n = 1, .cap = 1},
	};
	p->trailers.v = &p->trailer;
}
