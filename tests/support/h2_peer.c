/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See the header.
 */
#include "tests/support/h2_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"

#define FIELDS_MAX 8

static struct h2_peer_stream *find(struct h2_peer *p, int32_t id)
{
	for (unsigned i = 0; i < p->n_streams; i++) {
		if (p->streams[i].id == id)
			return &p->streams[i];
	}
	return NULL;
}

struct h2_peer_stream *h2_peer_stream(struct h2_peer *p, unsigned n)
{
	CHECK(n < p->n_streams);
	return &p->streams[n];
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_peer *p = arg;
	struct h2_peer_stream *s = find(p, frame->hd.stream_id);

	if (s) {
		s->in_trailers = true;
		return 0;
	}
	CHECK(p->n_streams < H2_PEER_STREAMS);
	p->streams[p->n_streams++] = (struct h2_peer_stream){.id = frame->hd.stream_id};
	return 0;
}

static void append(char *to, size_t size, const char *format, const uint8_t *name, size_t name_len,
		   const uint8_t *value, size_t value_len)
{
	size_t used = strlen(to);

	snprintf(to + used, size - used, format, (int)name_len, name, (int)value_len, value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2_peer_stream *s = find(arg, frame->hd.stream_id);
	struct {
		const char *name;
		char *to;
		size_t size;
	} pseudo[] = {
	    {":method", s->method, sizeof(s->method)},
	    {":path", s->path, sizeof(s->path)},
	    {":scheme", s->scheme, sizeof(s->scheme)},
	    {":authority", s->authority, sizeof(s->authority)},
	    {":protocol", s->protocol, sizeof(s->protocol)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pseudo); i++) {
		if (strlen(pseudo[i].name) == name_len &&
		    memcmp(pseudo[i].name, name, name_len) == 0) {
			snprintf(pseudo[i].to, pseudo[i].size, "%.*s", (int)value_len, value);
			return 0;
		}
	}
	if (s->in_trailers)
		append(s->trailers, sizeof(s->trailers), "%.*s: %.*s\n", name, name_len, value,
		       value_len);
	else
		append(s->fields, sizeof(s->fields), "%.*s: %.*s\n", name, name_len, value,
		       value_len);
	return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_peer *p = arg;
	struct h2_peer_stream *s = find(p, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_PING:
		p->n_pings += !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		break;
	case NGHTTP2_RST_STREAM:
		p->n_resets++;
		break;
	case NGHTTP2_WINDOW_UPDATE:
		p->n_window_updates++;
		break;
	case NGHTTP2_GOAWAY:
		p->n_goaways++;
		p->goaway_code = frame->goaway.error_code;
		break;
	default:
		break;
	}
	if (s && frame->hd.type == NGHTTP2_HEADERS)
		s->head_whole = true;
	if (s && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
		s->ended = true;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t n, void *arg)
{
	struct h2_peer *p = arg;
	struct h2_peer_stream *s = find(p, id);

	s->content += n;
	if (!p->holds)
		nghttp2_session_consume(session, id, n);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_peer_stream *s = find(arg, id);

	if (s) {
		s->closed = true;
		s->code = code;
	}
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t n, int flags,
		       void *arg)
{
	struct h2_peer *p = arg;
	ssize_t sent = send(p->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent >= 0 ? sent : NGHTTP2_ERR_WOULDBLOCK;
}

void h2_peer_init(struct h2_peer *p, int fd, unsigned streams)
{
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
	    {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	memset(p, 0, sizeof(*p));
	p->fd = fd;
	CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
	CHECK(nghttp2_option_new(&option) == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	CHECK(nghttp2_session_server_new2(&p->session, callbacks, p, option) == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	CHECK(nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, settings,
				      ARRAY_SIZE(settings)) == 0);
}

void h2_peer_fini(struct h2_peer *p)
{
	nghttp2_session_del(p->session);
	if (p->fd >= 0)
		close(p->fd);
}

static void take_in(struct h2_peer *p)
{
	uint8_t buf[65536];
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		p->n_reads++;
		p->received += (uint64_t)n;
		nghttp2_session_mem_recv(p->session, buf, (size_t)n);
	}
	p->eof |= n == 0;
}

void h2_peer_turn(struct h2_peer *p)
{
	take_in(p);
	nghttp2_session_send(p->session);
}

/* Answers */

struct head {
	nghttp2_nv v[FIELDS_MAX];
	size_t n;
	char text[512];
};

static void put(struct head *head, const char *name, const char *value)
{
	CHECK(head->n < FIELDS_MAX);
	head->v[head->n++] = (nghttp2_nv){
	    .name = (uint8_t *)name,
	    .namelen = strlen(name),
	    .value = (uint8_t *)value,
	    .valuelen = strlen(value),
	};
}

static void parse(struct head *head, const char *text)
{
	char *rest, *line;

	head->n = 0;
	snprintf(head->text, sizeof(head->text), "%s", text);
	line = strtok_r(head->text, "\n", &rest);
	put(head, ":status", line);
	while ((line = strtok_r(NULL, "\n", &rest))) {
		char *colon = strchr(line + 1, ':');

		CHECK(colon);
		*colon = '\0';
		put(head, line, colon + 2);
	}
}

static ssize_t read_content(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_peer_stream *s = find(arg, id);
	size_t n = MIN(length, s->left);

	memset(buf, 'x', n);
	s->left -= n;
	if (s->left > 0)
		return (ssize_t)n;
	if (s->no_end)
		return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailers_out) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		CHECK(nghttp2_submit_trailer(session, id, s->trailers_out, s->n_trailers_out) == 0);
	}
	return (ssize_t)n;
}

void h2_peer_inform(struct h2_peer *p, int32_t id, const char *text)
{
	struct head head;

	parse(&head, text);
	CHECK(nghttp2_submit_headers(p->session, NGHTTP2_FLAG_NONE, id, NULL, head.v, head.n,
				     NULL) == 0);
}

static void answer(struct h2_peer *p, struct h2_peer_stream *s, const char *text)
{
	const nghttp2_data_provider provider = {.read_callback = read_content};
	bool bare = s->left == 0 && !s->no_end && !s->trailers_out;
	struct head head;

	parse(&head, text);
	CHECK(nghttp2_submit_response(p->session, s->id, head.v, head.n, bare ? NULL : &provider) ==
	      0);
}

void h2_peer_answer(struct h2_peer *p, int32_t id, const char *head, uint64_t content)
{
	struct h2_peer_stream *s = find(p, id);

	s->left = content;
	answer(p, s, head);
}

void h2_peer_begin(struct h2_peer *p, int32_t id, const char *head, uint64_t content)
{
	struct h2_peer_stream *s = find(p, id);

	s->left = content;
	s->no_end = true;
	answer(p, s, head);
}

void h2_peer_answer_trailers(struct h2_peer *p, int32_t id, const char *head, uint64_t content,
			     const nghttp2_nv *trailers, size_t n)
{
	struct h2_peer_stream *s = find(p, id);

	s->left = content;
	s->trailers_out = trailers;
	s->n_trailers_out = n;
	answer(p, s, head);
}

void h2_peer_frame(struct h2_peer *p, uint8_t type, uint8_t flags, int32_t id, const void *data,
		   size_t n)
{
	uint8_t frame[9 + 16384] = {
	    (uint8_t)(n >> 16),
	    (uint8_t)(n >> 8),
	    (uint8_t)n,
	    type,
	    flags,
	    (uint8_t)((uint32_t)id >> 24),
	    (uint8_t)(id >> 16),
	    (uint8_t)(id >> 8),
	    (uint8_t)id,
	};

	CHECK(n <= sizeof(frame) - 9);
	if (n > 0)
		memcpy(frame + 9, data, n);
	(void)!send(p->fd, frame, 9 + n, MSG_NOSIGNAL | MSG_DONTWAIT);
}
