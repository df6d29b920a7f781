/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The server's side of an HTTP/2 connection for tests: nghttp2 at the other end of a socket, which
 * runs when it is told to. What it is asked is written down; what it answers, the test says. Bytes
 * of any kind can be sent past nghttp2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#define H2_PEER_STREAMS 600

struct h2_peer_stream {
	int32_t id; /* 0: none */
	char method[16], path[64], scheme[8], authority[32], protocol[16];
	char fields[512]; /* "name: value\n" of the others */
	char trailers[128];
	uint64_t content; /* bytes that have come */
	bool head_whole, in_trailers, ended, closed;
	uint32_t code; /* that it was closed with */
	/* what is still to be sent */
	uint64_t left;
	bool no_end;                    /* after it */
	const nghttp2_nv *trailers_out; /* after it */
	size_t n_trailers_out;
};

struct h2_peer {
	int fd;
	nghttp2_session *session;
	/* Content is not given back to the windows but by h2_peer_consume(). */
	bool holds;
	struct h2_peer_stream streams[H2_PEER_STREAMS];
	unsigned n_streams, n_pings, n_resets, n_goaways, n_window_updates;
	uint32_t goaway_code;
	uint64_t received;
	unsigned n_reads; /* so many reads had bytes */
	bool eof;
};

/* Consumes the descriptor, which does not block. `streams`: the most that may be open. */
void h2_peer_init(struct h2_peer *p, int fd, unsigned streams);
void h2_peer_fini(struct h2_peer *p);
/* Reads what is there, and writes what there is to write. */
void h2_peer_turn(struct h2_peer *p);
/* The one that was opened as the nth. */
struct h2_peer_stream *h2_peer_stream(struct h2_peer *p, unsigned n);
/* "200 content-length: 5" and so on: a status and fields, split by '\n'. */
void h2_peer_inform(struct h2_peer *p, int32_t id, const char *head);
/* With so much content of 'x's. */
void h2_peer_answer(struct h2_peer *p, int32_t id, const char *head, uint64_t content);
/* The same, without an end. */
void h2_peer_begin(struct h2_peer *p, int32_t id, const char *head, uint64_t content);
void h2_peer_answer_trailers(struct h2_peer *p, int32_t id, const char *head, uint64_t content,
			     const nghttp2_nv *trailers, size_t n);
/* A frame as it is, past nghttp2. */
void h2_peer_frame(struct h2_peer *p, uint8_t type, uint8_t flags, int32_t id, const void *data,
		   size_t n);
