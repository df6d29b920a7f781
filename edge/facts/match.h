/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Conditions of the configuration, compiled, and whether a request meets them. Belong to the view:
 * made by the job that loads it, then immutable; whoever asks does so in the exchange's loop. What
 * it costs is bounded by the length of the request.
 *
 * An origin may read a request in another way than we do: the first of two parameters of one name
 * or the last one, ";" between parameters, one or the other line of a field, "X.A" as "X-A", a
 * field in the place of the method. Where a condition holds for one reader and not for another it
 * is EDGE_MATCH_UNSURE, and who lets a request through by conditions refuses it then.
 */
#pragma once

#include "edge/facts/facts.h"

struct cfg_match;
struct edge_match;
struct regex;

/* NULL: nothing is asked. `cfg` must outlive it. */
struct edge_match *edge_match_create(const struct cfg_match *cfg);
void edge_match_destroy(struct edge_match **match);

enum edge_match_result {
	EDGE_MATCH_NO,
	EDGE_MATCH_YES,
	EDGE_MATCH_UNSURE, /* it depends on who reads it, or would take too long to say */
};

/* NULL as a match is always met. When it is, and it has an expression for the path, the captures of
 * the facts become its own. */
enum edge_match_result edge_match_judge(const struct edge_match *match, struct edge_facts *facts);

/* The same in two parts: all that is not about the path; and the expression for it, NULL: none. */
enum edge_match_result edge_match_judge_rest(const struct edge_match *match,
					     const struct edge_facts *facts);
const struct regex *edge_match_path(const struct edge_match *match);
