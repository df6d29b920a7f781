/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of dns/ share: views made from zone and fleet text, queries made from a line of
 * text, responses turned into text that a table can hold.
 */
#pragma once

#include "dns/answer/answer.h"
#include "dns/view/parts.h"
#include "dns/view/view.h"
#include "fleet/verdicts.h"

/* A fleet with edges fra1 (v4 and v6), nyc1 (v4 only), sin1 (v4 and v6); sites `all` (every edge)
 * and `one` (fra1 only); no geo database, so that the ranking is the order above. */
#define FIXTURE_EDGES 3

struct fixture {
	char dir[64];
	struct dns_parts *parts; /* of the view; its verdicts are unknown at first, and never old */
	struct dns_view *view;
	struct dns_answerer *answerer;
};

/* `zone` is the master file of example.com; `steered` is the YAML of zones.example.com.steered, in
 * flow style, "{}" for none. With NULL for `errors` it must load; otherwise *errors (malloc'd)
 * becomes what was complained about, with the directory taken out of the paths. */
void fixture_init(struct fixture *f, const char *zone, const char *steered, char **errors);
/* The same with whatever fleet the text says, whose zone files are there: see fixture_file(). It
 * must load. */
void fixture_fleet(struct fixture *f, const char *yaml);
/* What is known of the edges from here on: for each a letter, up, down, failing or ?, for all of
 * its addresses; or as many in brackets as it has addresses: "u[ud]?". */
void fixture_verdicts(struct fixture *f, const char *letters);
/* Another view of the same parts, with fronts for what is known now. */
void fixture_renew(struct fixture *f);
/* A file beside the zone file, before fixture_init(); makes the directory if need be. */
void fixture_file(struct fixture *f, const char *name, const char *text);
void fixture_fini(struct fixture *f);

/* "NAME TYPE" and then any of: edns, do, size=N, version=N, ecs=PREFIX, tcp, class=N, opcode=N, rd.
 * The query is written to `wire`; the request, which refers to it, comes from 198.51.100.7. */
void fixture_query(const char *text, uint8_t *wire, size_t size, struct dns_request *request);

/* From `remote`, at a time that is always the same. */
struct dns_request fixture_request(const char *remote, enum dns_transport transport,
				   const uint8_t *wire, size_t len);

/* dns_handle() with all that the transport allows for `out`: the response's length, 0: silence. */
size_t fixture_handle(struct fixture *f, const struct dns_request *request, uint8_t *out);

/* The response as text (malloc'd): "RCODE aa tc", then a line for each record: "answer: ...",
 * "authority: ...", "additional: ...", and "ecs: PREFIX/SCOPE" when it has one. */
char *fixture_response_text(uint8_t *wire, size_t len);

/* Asks and compares. */
void fixture_expect(struct fixture *f, const char *query, const char *expected);
