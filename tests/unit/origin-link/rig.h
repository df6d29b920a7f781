/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of requests share: an olink with one worker on the test's own loop, a fleet of one
 * origin, and a call: a request with a source that pushes a body by pieces, and a sink that writes
 * down what it is told. A seam between the call and the request CHECKs the rules of the flow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/base/check.h"
#include "core/http/message.h"
#include "origin-link/conns/counters.h"
#include "origin-link/olink.h"
#include "origin-link/request/request_internal.h"
#include "tests/support/flow_filters.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"

#define RIG_SERVERS_MAX 4

struct rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct olink *olink;
	struct olink_worker *worker;
	struct cfg_origin_server servers[RIG_SERVERS_MAX];
	struct cfg_origin origin;
	struct cfg_fleet fleet;
	struct olink_origins *origins;
	/* With TLS; else NULL. */
	struct test_cert *cert;
	gnutls_certificate_credentials_t credentials;
};

/* Everything but the origins; `origin` may be changed before rig_open(). */
void rig_init(struct rig *rig, unsigned n_workers);
void rig_add_server(struct rig *rig, const struct net_addr *addr);
void rig_open(struct rig *rig);
void rig_fini(struct rig *rig);
/* Of the rig's own worker. */
void rig_close_idle(struct rig *rig);
/* Runs the loop until every server has been resolved and probed. */
void rig_settle(struct rig *rig);
/* One turn of the loop. */
void rig_turn(struct rig *rig);
/* Gives the origins up, and runs the loop until no connection is idle any more. */
void rig_close(struct rig *rig);
int64_t rig_count(const struct rig *rig, enum olink_counter id);

/* cmocka's setup and teardown: a rig without workers of its own in *state. */
int rig_setup(void **state);
/* Its scripted origins speak TLS. */
int rig_setup_tls(void **state);
int rig_teardown(void **state);
#define RIG_TEST_NAMED(test, named, setup)                                                         \
	{                                                                                          \
		.name = (named), .test_func = (test), .setup_func = (setup),                       \
		.teardown_func = rig_teardown,                                                     \
	}
#define RIG_TEST(test) RIG_TEST_NAMED(test, #test, rig_setup)
#define RIG_TEST_TLS(test) RIG_TEST_NAMED(test, #test " over TLS", rig_setup_tls)
/* A scripted origin as the one server of the rig, which is opened (anew). */
struct scripted_origin *
rig_start(struct rig *rig, void (*script)(struct scripted_origin *o, void *arg), const void *arg);

/* Closes the rig, so that no connection is left, and expects that all went by the script. */
void rig_finish(struct rig *rig, struct scripted_origin *o);

/* "HTTP/1.1 200 OK" with the content "hello". */
#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* One request with all that belongs to it. Zeroed by call_init(). */
struct call {
	struct rig *rig;
	struct loop *loop;
	struct olink_request *request;
	struct seam seam;
	struct flow_sink *to;     /* the request */
	struct flow_source *from; /* the response */
	struct proxy_parties client;
	struct arena arena;
	struct http_head head;
	struct olink_facts facts; /* when it was over */
	void *arg;                /* the test's */

	/* response */
	struct flow_sink sink;
	int status;
	enum http_framing framing;
	unsigned n_informational;
	int informational; /* the last one */
	bool head_end;
	char *body; /* NUL-terminated */
	size_t n_body;
	unsigned n_slices;
	char trailers[256]; /* "name: value\n" each */
	unsigned n_ends;    /* must become 1 */
	bool no_end;        /* more is expected after what ended: do not stop the loop */
	enum reason reset;
	/* What is granted with the final head, and again as content comes; 0: the test grants. */
	size_t window;
	/* Called after what came was written down, and before the loop is stopped; may be NULL. */
	void (*at_head)(struct call *c);
	void (*at_body)(struct call *c);

	/* request body */
	struct flow_source source;
	size_t credit, most_credit;
	unsigned n_grants;
	const char *piece;
	size_t piece_len, piece_at;
	unsigned n_pieces;               /* still to push; the last one ends */
	struct http_fields trailers_out; /* instead of end on the last one, when any */
	struct loop_task push_task;
	enum reason stopped;
};

/* A request "method /path" to www.example.com. */
void call_init(struct call *c, struct rig *rig, const char *method, const char *target);
/* With `n` pieces of that text as content, chunked unless head.framing was set. */
void call_set_body(struct call *c, const char *piece, unsigned n);
void call_start(struct call *c, struct olink_worker *worker);
/* False when memory is gone. */
bool call_try_start(struct call *c, struct olink_worker *worker);
/* Runs the loop until it has ended, and closes it. */
void call_run(struct call *c);
/* Runs the loop until it is stopped: by the end, or by the test. */
void call_wait(struct call *c);
void call_grant(struct call *c, size_t n);
/* Pushes bytes into a tunnel, or ends it, whatever the credit. */
void call_push(struct call *c, const char *text, bool end);
void call_close(struct call *c);
void call_fini(struct call *c);
/* GET /x?y, run and closed. */
void call_get(struct call *c, struct rig *rig);
/* It got OK_HELLO. */
void assert_hello(const struct call *c);
